//! The golden run: checks that an engine computes what the trainer computed.

use super::Engine;
use crate::{
    digest::sha256,
    error::{Error, Result},
    model::{golden, store::Model},
};

impl Engine {
    /// Runs the golden input of `model`, which must be loaded at its manifest's shape, and compares the hash of the
    /// output.
    ///
    /// # Errors
    /// [`Error::Model`] if the hash differs.
    pub fn verify(&mut self, model: &Model) -> Result<()> {
        let golden = &model.manifest.golden;
        let ([.., channels], [.., made]) = (self.input_shape(), self.output_shape());
        let input = golden::input(golden.seed, self.input_shape().iter().product());
        let mut output = vec![0; self.output_shape().iter().product()];
        self.run(&golden::to_pixels(&input, channels), &mut output)?;
        let found = sha256(&golden::to_planes(&output, made));
        if found == golden.output_sha256 {
            return Ok(());
        }
        Err(Error::model(
            &model.manifest.name,
            format!("golden output with sha256 {found}"),
            format!("{}, as its manifest says", golden.output_sha256),
            "The model and its manifest are from different trainings, or this processor computes incorrectly",
        ))
    }
}
