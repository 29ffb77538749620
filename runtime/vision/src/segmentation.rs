//! The segmentation model: a super-resolved picture in, two maps out, or four if it reports kinds.

use image::{GrayImage, RgbImage};

use crate::{
    engine::{Engine, Setup},
    error::{Error, Result},
    frame::{normalise::Normalisation, refit::refit},
    geometry::TILE_SR_PX,
    model::{gate::CHANNELS_WITH_KINDS, manifest::Preparation, store::Model},
};

/// The output of the segmentation model for every pixel of the super-resolved grid.
///
/// Levels are logits in steps of 1/16: 128 is probability one half, greater is more likely.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CellMaps {
    /// How likely the pixel belongs to a cell.
    pub foreground: GrayImage,
    /// Depth of the pixel inside its cell: distance to the edge over the greatest distance in the cell.
    pub core: GrayImage,
    /// The kind of cell the pixel belongs to, if the model reports kinds.
    pub kinds: Option<KindMaps>,
}

/// The kind output for pixels of a cell; undefined elsewhere.
///
/// With 128 for red, the softmax of these logits is the probability of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KindMaps {
    /// Log-odds of a white cell against a red one.
    pub white: GrayImage,
    /// Log-odds of a platelet against a red cell.
    pub platelet: GrayImage,
}

impl CellMaps {
    /// Maps of a picture without cells.
    pub fn empty(width: u32, height: u32) -> Self {
        Self::without_kinds(GrayImage::new(width, height), GrayImage::new(width, height))
    }

    /// Maps of a model that reports no kinds.
    pub fn without_kinds(foreground: GrayImage, core: GrayImage) -> Self {
        Self { foreground, core, kinds: None }
    }

    /// Bytes of all maps.
    pub fn bytes(&self) -> usize {
        let kinds = self.kinds.as_ref().map_or(0, |kinds| kinds.white.len() + kinds.platelet.len());
        self.foreground.len() + self.core.len() + kinds
    }

    /// Resizes every map with arbitrary contents, reusing memory; kind maps if `has_kinds`.
    pub(crate) fn refit(&mut self, (width, height): (u32, u32), has_kinds: bool) {
        refit(&mut self.foreground, width, height);
        refit(&mut self.core, width, height);
        if has_kinds {
            let kinds = self.kinds.get_or_insert_default();
            refit(&mut kinds.white, width, height);
            refit(&mut kinds.platelet, width, height);
        } else {
            self.kinds = None;
        }
    }

    /// The same with the levels of a picture without cells.
    pub(crate) fn refit_empty(&mut self, size: (u32, u32), has_kinds: bool) {
        self.refit(size, has_kinds);
        self.foreground.fill(0);
        self.core.fill(0);
        if let Some(kinds) = &mut self.kinds {
            kinds.white.fill(0);
            kinds.platelet.fill(0);
        }
    }
}

/// The model, loaded for pictures of one size, with preallocated buffers.
#[derive(Debug)]
pub struct Segmenter {
    engine: Engine,
    preparation: Preparation,
    width: u32,
    height: u32,
    /// Whether there are kind maps.
    has_kinds: bool,
    /// All maps of a pixel interleaved, as the engine outputs them.
    output: Vec<u8>,
}

impl Segmenter {
    /// Loads the model for 256x256 tiles and checks its golden output.
    ///
    /// # Errors
    /// [`Error::Model`] if the model cannot run, or computes something else than the trainer did.
    pub fn load(model: &Model, setup: &Setup) -> Result<Self> {
        let mut this = Self::load_unverified(model, setup)?;
        this.engine.verify(model)?;
        Ok(this)
    }

    /// The same without checking the golden output.
    ///
    /// # Errors
    /// [`Error::Model`] if the model cannot run.
    pub fn load_unverified(model: &Model, setup: &Setup) -> Result<Self> {
        Self::load_at(model, TILE_SR_PX, TILE_SR_PX, setup)
    }

    /// Loads the model for pictures of another size, multiples of 64 pixels, without checking the golden output.
    ///
    /// # Errors
    /// [`Error::Model`] if the model cannot run at that size.
    pub fn load_for(model: &Model, width: u32, height: u32) -> Result<Self> {
        Self::load_at(model, width, height, &Setup::default())
    }

    fn load_at(model: &Model, width: u32, height: u32, setup: &Setup) -> Result<Self> {
        let engine = Engine::load(model, height as usize, width as usize, setup)?;
        let output = vec![0; engine.output_shape().iter().product()];
        let has_kinds = match engine.output_shape() {
            [.., 2] => false,
            [.., CHANNELS_WITH_KINDS] => true,
            shape => return Err(Error::internal("segmentation", format!("an output of shape {shape:?}"))),
        };
        Ok(Self { engine, preparation: model.manifest.preparation, width, height, has_kinds, output })
    }

    /// The same model for another thread.
    ///
    /// # Errors
    /// [`Error::Model`] if the engine cannot be set up again.
    pub fn another(&self) -> Result<Self> {
        let output = vec![0; self.output.len()];
        Ok(Self { engine: self.engine.another()?, output, ..*self })
    }

    /// The engine that runs it.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether it reports kinds.
    pub fn has_kinds(&self) -> bool {
        self.has_kinds
    }

    /// Bytes of its own buffers.
    pub fn buffer_bytes(&self) -> usize {
        self.output.len()
    }

    /// Prepares the super-resolved picture of a whole frame as in training.
    pub fn prepare(&self, frame: &RgbImage, sr: &RgbImage) -> RgbImage {
        let mut prepared = sr.clone();
        self.prepare_in_place(frame, &mut prepared);
        prepared
    }

    /// The same in place.
    pub fn prepare_in_place(&self, frame: &RgbImage, sr: &mut RgbImage) {
        if self.preparation == Preparation::NormalisedFrame {
            Normalisation::of(frame).apply(sr);
        }
    }

    /// The preparation for the super-resolved picture of a frame, or any part of it.
    pub fn normalisation(&self, frame: &RgbImage) -> Normalisation {
        match self.preparation {
            Preparation::NormalisedFrame => Normalisation::of(frame),
            Preparation::AsIs => Normalisation::none(),
        }
    }

    /// Segments a super-resolved picture, or a tile of one, prepared with [`Self::prepare`].
    ///
    /// # Errors
    /// [`Error::Internal`] for a picture of another size than the model was loaded for.
    pub fn run(&mut self, prepared: &RgbImage) -> Result<CellMaps> {
        let mut maps = CellMaps::default();
        maps.refit((self.width, self.height), self.has_kinds);
        self.run_into(prepared, &mut maps)?;
        Ok(maps)
    }

    /// The same, into maps of the same size, with kind maps if [`Self::has_kinds`].
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_into(&mut self, prepared: &RgbImage, maps: &mut CellMaps) -> Result<()> {
        let dimensions = (self.width, self.height);
        if [prepared.dimensions(), maps.foreground.dimensions(), maps.core.dimensions()] != [dimensions; 3] {
            return Err(Error::internal("segmentation", format!("a picture of {:?}", prepared.dimensions())));
        }
        if maps.kinds.is_some() != self.has_kinds {
            return Err(Error::internal("segmentation", "maps with another number of channels"));
        }
        self.engine.run(prepared.as_raw(), &mut self.output)?;
        let own = maps.foreground.iter_mut().zip(maps.core.iter_mut());
        let Some(kinds) = &mut maps.kinds else {
            for (both, (foreground, core)) in self.output.as_chunks::<2>().0.iter().zip(own) {
                [*foreground, *core] = *both;
            }
            return Ok(());
        };
        if [kinds.white.dimensions(), kinds.platelet.dimensions()] != [dimensions; 2] {
            return Err(Error::internal("segmentation", "kind maps of another size"));
        }
        let of_kinds = kinds.white.iter_mut().zip(kinds.platelet.iter_mut());
        let levels = self.output.as_chunks::<CHANNELS_WITH_KINDS>().0;
        for ((all, (foreground, core)), (white, platelet)) in levels.iter().zip(own).zip(of_kinds) {
            [*foreground, *core, *white, *platelet] = *all;
        }
        Ok(())
    }
}
