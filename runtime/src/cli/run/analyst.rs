//! The analyst of a run: the pipeline, and the pictures that it leaves.

use std::sync::{Arc, Mutex, PoisonError};

use super::lines::Tally;
use crate::{
    camera::Frame,
    error::Result,
    page::board::Board,
    pipeline::{Analysis, Pipeline},
    records::kept_pictures::KeptPictures,
    run::{analysis::Analyst, shared::Shared},
};

/// See the module.
#[derive(Debug)]
pub(super) struct CliAnalyst {
    pub(super) pipeline: Pipeline,
    pub(super) any_quality: bool,
    pub(super) pictures: KeptPictures,
    pub(super) tally: Arc<Mutex<Tally>>,
    pub(super) page: Option<(Arc<Board>, Arc<Shared>)>,
    pub(super) latest: Option<Analysis>,
}

impl Analyst for CliAnalyst {
    fn analyse(&mut self, frame: &Frame) -> Result<(&Analysis, bool)> {
        let pipeline = &mut self.pipeline;
        let analysis =
            if self.any_quality { pipeline.analyse_any(&frame.picture) } else { pipeline.analyse(&frame.picture) }?;
        self.pictures.see(frame, &analysis);
        let counted = self.any_quality || analysis.quality.verdict.is_good();
        if let Some((board, run)) = &self.page {
            board.publish(frame, &analysis, counted, run.clock.wall(), run.clock.elapsed());
        }
        Ok((self.latest.insert(analysis), counted))
    }

    fn end(&mut self) {
        let overlay = self.latest.as_ref().and_then(|latest| self.pictures.end(latest));
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).overlay = overlay;
    }
}
