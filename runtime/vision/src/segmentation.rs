//! The segmentation net: a super-resolved picture in, two maps of it out.

use image::{GrayImage, RgbImage};

use crate::{
    engine::{Engine, Setup},
    error::{Error, Result},
    frame::normalise::Normalisation,
    geometry::TILE_SR_PX,
    model::{manifest::Preparation, store::Model},
};

/// What the segmentation net says of every pixel of the super-resolved grid.
///
/// Levels are logits in steps of 1/16: 128 is probability one half, above is more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CellMaps {
    /// How surely the pixel belongs to a cell.
    pub foreground: GrayImage,
    /// How deep the pixel lies inside its cell: distance to the cell's edge over the cell's greatest distance.
    pub core: GrayImage,
}

impl CellMaps {
    /// Maps of a picture without cells.
    pub fn empty(width: u32, height: u32) -> Self {
        Self { foreground: GrayImage::new(width, height), core: GrayImage::new(width, height) }
    }
}

/// The net, ready for pictures of one size; its buffers are made once.
#[derive(Debug)]
pub struct Segmenter {
    engine: Engine,
    preparation: Preparation,
    width: u32,
    height: u32,
    /// Both maps of a pixel together, as the engine puts them out.
    output: Vec<u8>,
}

impl Segmenter {
    /// Loads the net for 256x256 tiles and checks its golden output.
    ///
    /// # Errors
    /// [`Error::Model`] when the model cannot run or computes something else than the trainer did.
    pub fn load(model: &Model, setup: &Setup) -> Result<Self> {
        let mut this = Self::load_unverified(model, setup)?;
        this.engine.verify(model)?;
        Ok(this)
    }

    /// The same, but the golden output is not checked.
    ///
    /// # Errors
    /// [`Error::Model`] when the model cannot run.
    pub fn load_unverified(model: &Model, setup: &Setup) -> Result<Self> {
        Self::load_at(model, TILE_SR_PX, TILE_SR_PX, setup)
    }

    /// Loads the net for pictures of another size, multiples of 64 pixels; the golden output is not checked.
    ///
    /// # Errors
    /// [`Error::Model`] when the model cannot run at that size.
    pub fn load_for(model: &Model, width: u32, height: u32) -> Result<Self> {
        Self::load_at(model, width, height, &Setup::default())
    }

    fn load_at(model: &Model, width: u32, height: u32, setup: &Setup) -> Result<Self> {
        let engine = Engine::load(model, height as usize, width as usize, setup)?;
        let output = vec![0; engine.output_shape().iter().product()];
        Ok(Self { engine, preparation: model.manifest.preparation, width, height, output })
    }

    /// The same net for another thread.
    ///
    /// # Errors
    /// [`Error::Model`] when the engine cannot be set up again.
    pub fn another(&self) -> Result<Self> {
        let output = vec![0; self.output.len()];
        Ok(Self { engine: self.engine.another()?, output, ..*self })
    }

    /// The engine that runs it.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Bytes of its own buffers.
    pub fn buffer_bytes(&self) -> usize {
        self.output.len()
    }

    /// Prepares the super-resolved picture of a whole frame, as the net learned to see it.
    pub fn prepare(&self, frame: &RgbImage, sr: &RgbImage) -> RgbImage {
        let mut prepared = sr.clone();
        self.prepare_in_place(frame, &mut prepared);
        prepared
    }

    /// The same, in the picture's own memory.
    pub fn prepare_in_place(&self, frame: &RgbImage, sr: &mut RgbImage) {
        if self.preparation == Preparation::NormalisedFrame {
            Normalisation::of(frame).apply(sr);
        }
    }

    /// What prepares the super-resolved picture of a frame, or any part of it.
    pub fn normalisation(&self, frame: &RgbImage) -> Normalisation {
        match self.preparation {
            Preparation::NormalisedFrame => Normalisation::of(frame),
            Preparation::AsIs => Normalisation::none(),
        }
    }

    /// Segments one super-resolved picture, or a tile of one, that [`Self::prepare`] prepared.
    ///
    /// # Errors
    /// [`Error::Internal`] for a picture of another size than the net was loaded for.
    pub fn run(&mut self, prepared: &RgbImage) -> Result<CellMaps> {
        let mut maps = CellMaps::empty(self.width, self.height);
        self.run_into(prepared, &mut maps)?;
        Ok(maps)
    }

    /// The same, into maps of the same size.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_into(&mut self, prepared: &RgbImage, maps: &mut CellMaps) -> Result<()> {
        let dimensions = (self.width, self.height);
        if [prepared.dimensions(), maps.foreground.dimensions(), maps.core.dimensions()] != [dimensions; 3] {
            return Err(Error::internal("segmentation", format!("a picture of {:?}", prepared.dimensions())));
        }
        self.engine.run(prepared.as_raw(), &mut self.output)?;
        let levels = self.output.chunks_exact(2);
        for ((both, foreground), core) in levels.zip(maps.foreground.iter_mut()).zip(maps.core.iter_mut()) {
            (*foreground, *core) = (both[0], both[1]);
        }
        Ok(())
    }
}
