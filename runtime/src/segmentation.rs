//! The segmentation net: a super-resolved picture in, two maps of it out.

use image::{GrayImage, RgbImage};

use crate::{
    engine::Engine,
    error::{Error, Result},
    frame::{normalise::Normalisation, planes},
    limits::TILE_SR_PX,
    model::{manifest::Preparation, store::Model},
};

/// What the segmentation net says of every pixel of the super-resolved grid.
///
/// Levels are logits in steps of 1/16: 128 is probability one half, above is more.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Segmenter {
    /// Loads the net for 256x256 tiles and checks its golden output.
    ///
    /// # Errors
    /// [`Error::Model`] when the model cannot run or computes something else than the trainer did.
    pub fn load(model: &Model) -> Result<Self> {
        let mut this = Self::load_for(model, TILE_SR_PX, TILE_SR_PX)?;
        model.verify(&mut this.engine)?;
        Ok(this)
    }

    /// Loads the net for pictures of another size, multiples of 64 pixels; the golden output is not checked.
    ///
    /// # Errors
    /// [`Error::Model`] when the model cannot run at that size.
    pub fn load_for(model: &Model, width: u32, height: u32) -> Result<Self> {
        let engine = Engine::load(model, height as usize, width as usize)?;
        let input = vec![0; engine.input_shape().iter().product()];
        let output = vec![0; engine.output_shape().iter().product()];
        Ok(Self { engine, preparation: model.manifest.preparation, width, height, input, output })
    }

    /// Prepares the super-resolved picture of a whole frame, as the net learned to see it.
    pub fn prepare(&self, frame: &RgbImage, sr: &RgbImage) -> RgbImage {
        let mut prepared = sr.clone();
        if self.preparation == Preparation::NormalisedFrame {
            Normalisation::of(frame).apply(&mut prepared);
        }
        prepared
    }

    /// Segments one super-resolved picture, or a tile of one, that [`Self::prepare`] prepared.
    ///
    /// # Errors
    /// [`Error::Internal`] for a picture of another size than the net was loaded for.
    pub fn run(&mut self, prepared: &RgbImage) -> Result<CellMaps> {
        if prepared.dimensions() != (self.width, self.height) {
            return Err(Error::internal("segmentation", format!("a picture of {:?}", prepared.dimensions())));
        }
        planes::split(prepared, &mut self.input)?;
        self.engine.run(&self.input, &mut self.output)?;
        let (foreground, core) = self.output.split_at(self.output.len() / 2);
        let map = |plane: &[u8]| {
            GrayImage::from_raw(self.width, self.height, plane.to_vec())
                .ok_or_else(|| Error::internal("segmentation", "buffer size"))
        };
        Ok(CellMaps { foreground: map(foreground)?, core: map(core)? })
    }
}
