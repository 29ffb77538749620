//! The scale that the pictures of a call share.

use std::collections::BTreeMap;

use super::picture::{How, Picture};
use crate::{cli::inputs::Input, error::Result, run::stop::Stop};
use bloodseg_vision::{
    analyser::{Analyser, Known},
    scale::{Note, Outcome, Pooled},
};

/// Measurements of pictures of a call, by their names.
pub(super) type Measured = BTreeMap<String, Outcome>;

/// Measures a few of `inputs`, spread over all, until they agree. A given pitch needs no measurement.
///
/// # Errors
/// Those of the models; unreadable pictures are skipped, and reported when their turn comes.
pub(super) fn share(analyser: &mut Analyser, inputs: &[Input], how: How, stop: &Stop) -> Result<Measured> {
    let mut latest = None;
    let shared = analyser.share_scale(inputs.len(), |at| {
        let input = inputs.get(at).filter(|_| !stop.is_raised());
        latest = input;
        let picture = input.and_then(|input| Picture::read(input, how).ok());
        Ok(picture.filter(|picture| picture.metadata.um_per_px.is_none()).map(|picture| picture.rgb))
    });
    let shared = shared.map_err(|e| match latest {
        Some(input) => e.at(&input.path),
        None => e,
    })?;
    if let Some(Pooled { cell_px, agreeing: (agreeing, of) }) = shared.pooled {
        log::info!("red cells of {cell_px:.1} px in {agreeing} of {of} measured pictures");
    }
    let named = |(at, outcome): (usize, Outcome)| Some((inputs.get(at)?.name.clone(), outcome));
    Ok(shared.measured.into_iter().filter_map(named).collect())
}

/// Analyses a picture; the result is the analyser's latest one. Returns how its own scale compares with the shared one.
///
/// # Errors
/// Those of the analysis.
pub(super) fn analyse(
    analyser: &mut Analyser,
    input: &Input,
    picture: &Picture,
    measured: &Measured,
) -> Result<Option<Note>> {
    let known = Known {
        placement: picture.placement,
        um_per_px: picture.metadata.um_per_px,
        measured: measured.get(&input.name).copied(),
    };
    Ok(analyser.analyse_known(&picture.rgb, &known).map_err(|e| e.at(&input.path))?.note())
}
