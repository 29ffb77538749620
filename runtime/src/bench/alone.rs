//! A single model, run a fixed number of times, for instruction counters and profilers that compare two run counts.

use crate::error::Result;
use bloodseg_vision::{
    engine::{Engine, Setup},
    frame::reference,
    geometry::{TILE_PX, TILE_SR_PX},
    model::store::Models,
};

/// One of the two models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Net {
    /// Super-resolution.
    Ssr,
    /// Segmentation.
    Unet,
}

/// Runs a model on a rendered tile, `runs` times after loading it.
///
/// # Errors
/// Those of the models.
pub fn run(models: &Models, net: Net, runs: u32, setup: &Setup) -> Result<()> {
    let field = reference::prepare(&bloodseg_smear::set::field(0, super::SEED, 512).picture)?;
    let (model, picture, edge_px) = match net {
        Net::Ssr => (&models.ssr, field.lr, TILE_PX as usize),
        // The size of a super-resolved tile, with cells.
        Net::Unet => (&models.unet, field.hr, TILE_SR_PX as usize),
    };
    let mut engine = Engine::load(model, edge_px, edge_px, setup)?;
    let mut output = vec![0; engine.output_shape().iter().product()];
    for _ in 0..runs {
        engine.run(picture.as_raw(), &mut output)?;
    }
    std::hint::black_box(&output);
    Ok(())
}
