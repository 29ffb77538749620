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
use bloodseg_vision::{
    frame::Frame,
    pipeline::Analysis,
    scale::{Note, Pooled, Scaler},
};

/// See the module.
#[derive(Debug)]
pub(super) struct CliAnalyst {
    pub(super) shared: Arc<Shared>,
    pub(super) pipeline: TriedPipeline,
    pub(super) any_quality: bool,
    /// Brings frames to the scale of the models.
    pub(super) scaler: Scaler,
    /// Whether that is done at all.
    pub(super) needs_scale: bool,
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

    /// What a frame says of the scale is in the log; that all share one, or another, is an event of the run.
    fn tell_scale(&mut self, frame: &Frame, note: Note) {
        match note {
            Note::Outlier { own_px, pool_px } => log::warn!(
                "frame {} ({}): red cells of {own_px:.1} px, others have {pool_px:.1} px; analysed at a scale of its own",
                frame.number,
                frame.name
            ),
            Note::Settled(Pooled { cell_px, agreeing: (agreeing, of) }) => {
                let words = format!("red cells of {cell_px:.1} px in {agreeing} of {of} frames that were measured");
                log::info!("{words}");
                self.shared.happened("scale", words);
            }
            Note::Moved { from_px, to_px } => {
                let words = format!("red cells of {to_px:.1} px where there were cells of {from_px:.1} px");
                log::warn!("{words}: the magnification was changed");
                self.shared.happened("scale", words);
            }
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
        let Self { pipeline, scaler, needs_scale, any_quality, .. } = self;
        let mut note = None;
        let done = pipeline.analyse(*any_quality, |pipeline| {
            if *needs_scale {
                note = scaler.analyse(pipeline, &frame.picture, &frame.origin, None)?;
                return Ok(());
            }
            scaler.as_it_is(pipeline, &frame.picture, &frame.origin)
        });
        let done = done.map(|_| ());
        self.tell_left();
        done?;
        if let Some(note) = note {
            self.tell_scale(frame, note);
        }
        let analysis = self.pipeline.latest().ok_or_else(|| Error::internal("analysis", "it is done and not there"))?;
        let disk_answers = self.shared.state() != State::Degraded(Reason::RecordsStand);
        self.pictures.see(frame, analysis, disk_answers);
        let counted = analysis.quality.verdict.is_counted(self.any_quality);
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
