//! The analyst of a run: the pipeline, and the pictures that it leaves.

use std::sync::{Arc, Mutex, PoisonError};

use super::{info, lines::Tally};
use crate::{
    error::{Error, Result},
    page::{board::Board, facts::cards},
    run::{
        analysis::Analyst,
        shared::Shared,
        state::{Reason, State},
    },
};
use bloodseg_bundles::tried::TriedPipeline;
use bloodseg_records::kept_pictures::KeptPictures;
use bloodseg_vision::{frame::Frame, pipeline::Analysis};

/// See the module.
#[derive(Debug)]
pub(super) struct CliAnalyst {
    pub(super) shared: Arc<Shared>,
    pub(super) pipeline: TriedPipeline,
    pub(super) any_quality: bool,
    pub(super) pictures: KeptPictures,
    pub(super) tally: Arc<Mutex<Tally>>,
    pub(super) page: Option<Arc<Board>>,
}

impl CliAnalyst {
    /// Others may run than the run began with.
    pub(super) fn tell_models(&self) {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).models =
            Some(info::models(self.pipeline.manifests()));
        if let Some(board) = &self.page {
            board.set_models(cards(self.pipeline.manifests()));
        }
    }

    /// Why models were left is an event of the run.
    fn tell_left(&mut self) {
        let left = self.pipeline.take_left();
        if !left.is_empty() {
            self.tell_models();
        }
        for words in left {
            self.shared.happened("models left", words);
        }
    }
}

impl Analyst for CliAnalyst {
    fn analyse(&mut self, frame: &Frame) -> Result<(&Analysis, bool)> {
        let done = self.pipeline.analyse(&frame.picture, self.any_quality).map(|_| ());
        self.tell_left();
        done?;
        let analysis = self.pipeline.latest().ok_or_else(|| Error::internal("analysis", "it is done and not there"))?;
        let disk_answers = self.shared.state() != State::Degraded(Reason::RecordsStand);
        self.pictures.see(frame, analysis, disk_answers);
        let counted = self.any_quality || analysis.quality.verdict.is_good();
        if let Some(board) = &self.page {
            board.publish(frame, analysis, counted, self.shared.clock.wall(), self.shared.clock.elapsed());
        }
        Ok((analysis, counted))
    }

    fn end(&mut self) {
        self.pipeline.end();
        self.tell_left();
        let overlay = self.pipeline.latest().and_then(|latest| self.pictures.end(latest));
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).overlay = overlay;
    }
}
