//! The scale that a run starts with.

use crate::{
    camera::{FrameSource, Pacing},
    cli::budget::fit::Fit,
    error::Result,
    run::shared::Shared,
};
use bloodseg_vision::{
    pipeline::Pipeline,
    scale::{self, Learning, Pooled, Scaler},
};

/// Maximum number of pictures read before the first frame, so that a folder without a scale does not delay the start.
const MAX_PEEKS: usize = 3 * scale::MAX_PROBES;

/// A scaler that has measured a few pictures spread over the whole source, if the source can show them in advance: a
/// folder then gets the same scale as in `segment`. With a camera the first frames set it.
///
/// # Errors
/// Those of the models; unreadable pictures are skipped, and reported when their turn comes.
pub(super) fn begin(
    pipeline: &mut Pipeline,
    source: &dyn FrameSource,
    any_quality: bool,
    shared: &Shared,
    fit: Fit,
) -> Result<Scaler> {
    let live = shared.pacing == Pacing::Live;
    let mut scaler = Scaler::new(any_quality, Learning::FromEach { live });
    scaler.limit(fit.analysed_most_px);
    if !fit.needs_scale || source.um_per_px().is_some() {
        return Ok(scaler);
    }
    for at in scale::probes(source.pictures()).into_iter().take(MAX_PEEKS) {
        if scaler.is_settled() || shared.stop.is_raised() {
            break;
        }
        let Ok((picture, origin)) = source.peek(at) else { continue };
        if origin.um_per_px.is_none() {
            scaler.probe(pipeline, &picture)?;
        }
    }
    if let Some(Pooled { cell_px, agreeing: (agreeing, of) }) = scaler.settle() {
        let words = format!("red cells of {cell_px:.1} px in {agreeing} of {of} measured pictures");
        log::info!("{words}");
        shared.happened("scale", words);
    }
    Ok(scaler)
}
