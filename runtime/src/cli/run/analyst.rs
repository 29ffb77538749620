//! The analyst of a run: the pipeline, and the pictures that it leaves.

use std::sync::{Arc, Mutex, PoisonError};

use super::lines::Tally;
use crate::{
    camera::Frame,
    error::Result,
    pipeline::{Analysis, Pipeline},
    records::kept_pictures::KeptPictures,
    run::analysis::Analyst,
};

/// See the module.
#[derive(Debug)]
pub(super) struct CliAnalyst {
    pub(super) pipeline: Pipeline,
    pub(super) any_quality: bool,
    pub(super) pictures: KeptPictures,
    pub(super) tally: Arc<Mutex<Tally>>,
}

impl Analyst for CliAnalyst {
    fn analyse(&mut self, frame: &Frame) -> Result<(&Analysis, bool)> {
        let pipeline = &mut self.pipeline;
        let analysis =
            if self.any_quality { pipeline.analyse_any(&frame.picture) } else { pipeline.analyse(&frame.picture) }?;
        self.pictures.see(frame, analysis);
        let counted = self.any_quality || analysis.quality.verdict.is_good();
        Ok((analysis, counted))
    }

    fn end(&mut self) {
        let overlay = self.pipeline.latest().and_then(|latest| self.pictures.end(latest));
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).overlay = overlay;
    }
}
