//! The super-resolution model: a low-resolution tile in, a picture of four times its edge out.

use image::RgbImage;

use crate::{
    engine::{Engine, Setup},
    error::{Error, Result},
    geometry::{SCALE, TILE_PX},
    model::store::Model,
};

/// The model, loaded for tiles of one size.
#[derive(Debug)]
pub struct SuperResolution {
    engine: Engine,
    width: u32,
    height: u32,
}

impl SuperResolution {
    /// Loads the model for 64x64 tiles and checks its golden output.
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
        Self::load_at(model, TILE_PX, TILE_PX, setup)
    }

    /// Loads the model for tiles of another size, multiples of 16 pixels, without checking the golden output.
    ///
    /// # Errors
    /// [`Error::Model`] if the model cannot run at that size.
    pub fn load_for(model: &Model, width: u32, height: u32) -> Result<Self> {
        Self::load_at(model, width, height, &Setup::default())
    }

    fn load_at(model: &Model, width: u32, height: u32, setup: &Setup) -> Result<Self> {
        Ok(Self { engine: Engine::load(model, height as usize, width as usize, setup)?, width, height })
    }

    /// The same model for another thread.
    ///
    /// # Errors
    /// [`Error::Model`] if the engine cannot be set up again.
    pub fn another(&self) -> Result<Self> {
        Ok(Self { engine: self.engine.another()?, ..*self })
    }

    /// The engine that runs it.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Super-resolves a tile, RGB 0..=255 in and out; `sr` is four times as wide and high.
    ///
    /// # Errors
    /// [`Error::Internal`] for a tile of another size than the model was loaded for.
    pub fn run_into(&mut self, tile: &RgbImage, sr: &mut RgbImage) -> Result<()> {
        let dimensions = (self.width * SCALE, self.height * SCALE);
        if tile.dimensions() != (self.width, self.height) || sr.dimensions() != dimensions {
            let found = format!("a tile of {:?} to {:?}", tile.dimensions(), sr.dimensions());
            return Err(Error::internal("super_resolution", found));
        }
        self.engine.run(tile.as_raw(), sr)
    }

    /// The same, to a new picture.
    ///
    /// # Errors
    /// As [`Self::run_into`].
    pub fn run(&mut self, tile: &RgbImage) -> Result<RgbImage> {
        let mut sr = RgbImage::new(self.width * SCALE, self.height * SCALE);
        self.run_into(tile, &mut sr)?;
        Ok(sr)
    }
}
