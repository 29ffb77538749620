//! The super-resolution net: a low-resolution tile in, a picture of four times its edge out.

use image::RgbImage;

use crate::{
    engine::Engine,
    error::{Error, Result},
    frame::planes,
    limits::{SCALE, TILE_PX},
    model::store::Model,
};

/// The net, ready for tiles of one size; its buffers are made once.
#[derive(Debug)]
pub struct SuperResolution {
    engine: Engine,
    width: u32,
    height: u32,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl SuperResolution {
    /// Loads the net for 64x64 tiles and checks its golden output.
    ///
    /// # Errors
    /// [`Error::Model`] when the model cannot run or computes something else than the trainer did.
    pub fn load(model: &Model) -> Result<Self> {
        let mut this = Self::load_for(model, TILE_PX, TILE_PX)?;
        model.verify(&mut this.engine)?;
        Ok(this)
    }

    /// Loads the net for tiles of another size, multiples of 16 pixels; the golden output is not checked.
    ///
    /// # Errors
    /// [`Error::Model`] when the model cannot run at that size.
    pub fn load_for(model: &Model, width: u32, height: u32) -> Result<Self> {
        let engine = Engine::load(model, height as usize, width as usize)?;
        let input = vec![0; engine.input_shape().iter().product()];
        let output = vec![0; engine.output_shape().iter().product()];
        Ok(Self { engine, width, height, input, output })
    }

    /// Super-resolves one tile, RGB 0..=255 both ways.
    ///
    /// # Errors
    /// [`Error::Internal`] for a tile of another size than the net was loaded for.
    pub fn run(&mut self, tile: &RgbImage) -> Result<RgbImage> {
        if tile.dimensions() != (self.width, self.height) {
            return Err(Error::internal("super_resolution", format!("a tile of {:?}", tile.dimensions())));
        }
        planes::split(tile, &mut self.input)?;
        self.engine.run(&self.input, &mut self.output)?;
        planes::join(&self.output, self.width * SCALE, self.height * SCALE)
    }
}
