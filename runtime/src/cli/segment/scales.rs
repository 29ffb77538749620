//! The scale that the pictures of a call share.

use std::collections::BTreeMap;

use super::picture::{How, Picture};
use crate::{cli::inputs::Input, error::Result, run::stop::Stop};
use bloodseg_vision::{
    pipeline::Pipeline,
    placement::{PitchSource, Scaled},
    scale::{self, Learning, Note, Outcome, Pooled, Scaler},
};

/// The scales of the pictures of a call.
#[derive(Debug)]
pub(super) struct Scales {
    given_um_per_px: Option<f64>,
    scaler: Scaler,
    /// Measurements so far, by the names of the pictures.
    measured: BTreeMap<String, Outcome>,
}

impl Scales {
    /// Measures a few of `inputs`, spread over all, until they agree. A given pitch needs no measurement.
    ///
    /// # Errors
    /// Those of the models; unreadable pictures are skipped, and reported when their turn comes.
    pub(super) fn begin(
        pipeline: &mut Pipeline,
        inputs: &[Input],
        how: How,
        given_um_per_px: Option<f64>,
        any_quality: bool,
        stop: &Stop,
    ) -> Result<Self> {
        let (mut scaler, mut measured) = (Scaler::new(any_quality, Learning::Probed), BTreeMap::new());
        let mut probes = scale::probes(if given_um_per_px.is_some() { 0 } else { inputs.len() }).into_iter();
        while let Some(input) = probes.next().and_then(|at| inputs.get(at)) {
            if scaler.is_settled() || stop.is_raised() {
                break;
            }
            let Ok(picture) = Picture::read(input, how) else { continue };
            if picture.metadata.um_per_px.is_some() {
                continue;
            }
            let outcome = scaler.probe(pipeline, &picture.rgb).map_err(|e| e.at(&input.path))?;
            measured.insert(input.name.clone(), outcome);
        }
        if let Some(Pooled { cell_px, agreeing: (agreeing, of) }) = scaler.settle() {
            log::info!("red cells of {cell_px:.1} px in {agreeing} of {of} measured pictures");
        }
        Ok(Self { given_um_per_px, scaler, measured })
    }

    /// Analyses a picture at its scale; the result is the pipeline's latest analysis.
    ///
    /// # Errors
    /// Those of the analysis.
    pub(super) fn analyse(&mut self, pipeline: &mut Pipeline, input: &Input, picture: &Picture) -> Result<()> {
        let origin = origin(self.given_um_per_px, picture);
        let measured = self.measured.get(&input.name).copied();
        let note = self.scaler.analyse(pipeline, &picture.rgb, &origin, measured).map_err(|e| e.at(&input.path))?;
        if let Some(Note::Outlier { own_px, pool_px }) = note {
            log::warn!(
                "{}: red cells of {own_px:.1} px, others {pool_px:.1} px; analysed at its own scale",
                input.name
            );
        }
        Ok(())
    }
}

/// What is known about a picture: a given pitch takes precedence over that of its file.
pub(super) fn origin(given_um_per_px: Option<f64>, picture: &Picture) -> Scaled {
    let source = if given_um_per_px.is_some() { PitchSource::Given } else { PitchSource::Metadata };
    let known = Scaled::as_it_is(given_um_per_px.or(picture.metadata.um_per_px), source);
    Scaled { placement: picture.placement, ..known }
}
