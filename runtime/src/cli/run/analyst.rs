//! The analyst of a run: the pipeline, and the pictures it saves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    control::ControlWatch,
    drift::DriftWatch,
    info,
    lines::Tally,
    measured::{Measuring, Values},
};
use crate::{
    cli::{corrections, seen::SeenFields},
    error::{Error, Result},
    page::{board::Board, facts::cards},
    run::{
        analysis::Analyst,
        shared::Shared,
        state::{Reason, State},
    },
};
use bloodseg_bundles::tried::TriedPipeline;
use bloodseg_records::{
    field::{Field, FieldState, Seen},
    kept_pictures::KeptPictures,
    sample::Sample,
};
use bloodseg_vision::{
    frame::Frame,
    pipeline::Analysis,
    scale::{Note, Pooled, Scaler},
};

/// See the module documentation.
#[derive(Debug)]
pub(super) struct CliAnalyst {
    pub(super) shared: Arc<Shared>,
    pub(super) pipeline: TriedPipeline,
    pub(super) any_quality: bool,
    /// Resizes frames to the scale of the models.
    pub(super) scaler: Scaler,
    /// Whether frames are resized at all.
    pub(super) needs_scale: bool,
    pub(super) pictures: KeptPictures,
    pub(super) tally: Arc<Mutex<Tally>>,
    pub(super) page: Option<Arc<Board>>,
    /// What the run has seen so far.
    pub(super) seen: Arc<Mutex<SeenFields>>,
    /// The history of its measured figures.
    pub(super) drift: Arc<Mutex<DriftWatch>>,
    /// Its control slides.
    pub(super) control: Arc<Mutex<ControlWatch>>,
    /// Measures fields for both.
    pub(super) measuring: Measuring,
    /// The frame that was analysed last.
    pub(super) last: Last,
}

/// What is known about a frame in addition to its analysis.
#[derive(Debug, Default)]
pub(super) struct Last {
    sample: Option<Arc<Sample>>,
    field: Option<Field>,
    cells: Vec<Seen>,
}

impl CliAnalyst {
    /// Corrects counts by the validation in the bundle of the running models, if any.
    pub(super) fn correct_by_models(&self) {
        lock(&self.seen).models_correct_by(corrections::of_running(self.pipeline.validation()));
    }

    /// The models in use can differ from those the run began with.
    pub(super) fn report_models(&self) {
        lock(&self.tally).models = Some(info::models(self.pipeline.manifests()));
        if let Some(board) = &self.page {
            board.set_models(cards(self.pipeline.manifests()));
        }
    }

    /// How a frame compares with the scale is only logged; a scale that all frames share, or a new one, is an event of
    /// the run.
    fn report_scale(&mut self, frame: &Frame, note: Note) {
        match note {
            Note::Outlier { own_px, pool_px } => log::warn!(
                "frame {} ({}): red cells of {own_px:.1} px, others {pool_px:.1} px; analysed at its own scale",
                frame.number,
                frame.name
            ),
            Note::Settled(Pooled { cell_px, agreeing: (agreeing, of) }) => {
                let words = format!("red cells of {cell_px:.1} px in {agreeing} of {of} measured frames");
                log::info!("{words}");
                self.shared.happened("scale", words);
            }
            Note::Moved { from_px, to_px } => {
                let words = format!("red cells of {to_px:.1} px after cells of {from_px:.1} px");
                log::warn!("{words}: the magnification changed");
                self.shared.happened("scale", words);
            }
        }
    }

    /// Why a model was rolled back is an event of the run.
    fn report_left(&mut self) {
        let left = self.pipeline.take_left();
        if !left.is_empty() {
            self.report_models();
            self.correct_by_models();
        }
        for words in left {
            self.shared.happened("models left", words);
        }
    }
}

impl Analyst for CliAnalyst {
    fn analyse(&mut self, frame: &Frame) -> Result<(&Analysis, bool)> {
        let sample = lock(&self.seen).look_up_sample();
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
        self.report_left();
        done?;
        if let Some(note) = note {
            self.report_scale(frame, note);
        }
        let analysis =
            self.pipeline.latest().ok_or_else(|| Error::internal("analysis", "finished without a result"))?;
        let disk_answers = self.shared.state() != State::Degraded(Reason::RecordsStand);
        self.pictures.see(frame, analysis, disk_answers);
        let counted = analysis.quality.verdict.is_counted(self.any_quality);
        let mut seen = lock(&self.seen);
        self.last.field = seen.see(frame.number, analysis, counted);
        self.last.cells.clear();
        self.last.cells.extend_from_slice(seen.cells());
        if self.last.field.is_some_and(|field| field.state == FieldState::New) {
            let values = self.measuring.values(analysis);
            let name = sample.as_deref().map(|sample| sample.name.as_str());
            compare(&self.shared, &self.control, &self.drift, name, values);
        }
        if let Some(board) = &self.page {
            board.publish(frame, analysis, counted, self.shared.clock.wall(), self.shared.clock.elapsed());
        }
        let models = self.pipeline.manifests().each_ref().map(|model| model.sha256.clone());
        self.shared.set_answer(
            sample.as_deref().map(|sample| sample.name.as_str()),
            seen.count().summary(),
            seen.corrected(&models),
        );
        if let Some(words) = seen.reached()
            && !self.shared.stop.raise()
        {
            self.shared.happened("enough", words.clone());
            lock(&self.tally).reached = Some(words);
        }
        drop(seen);
        self.last.sample = sample;
        Ok((analysis, counted))
    }

    fn sample(&self) -> Option<Arc<Sample>> {
        self.last.sample.clone()
    }

    fn field(&self) -> Option<(Field, &[Seen])> {
        self.last.field.map(|field| (field, self.last.cells.as_slice()))
    }

    fn end(&mut self) {
        lock(&self.drift).save();
        lock(&self.control).end(|words| {
            log::info!("control: {words}");
            self.shared.happened("control", words);
        });
        self.pipeline.end();
        self.report_left();
        let overlay = self.pipeline.latest().and_then(|latest| self.pictures.end(latest));
        lock(&self.tally).overlay = overlay;
    }
}

/// Compares the values of a distinct field with the history of the run, or of the control slide under the lens.
fn compare(
    shared: &Shared,
    control: &Mutex<ControlWatch>,
    drift: &Mutex<DriftWatch>,
    sample: Option<&str>,
    values: Values,
) {
    let mut control = lock(control);
    let happened = |kind: &'static str, words: String| {
        log::warn!("{kind}: {words}");
        shared.happened(kind, words);
    };
    match sample.filter(|_| control.is_control(sample)) {
        Some(slide) => {
            control.see(slide, &values, |words| happened("control", words));
            shared.set_drifted(control.differing());
        }
        None => {
            control.end(|words| happened("control", words));
            let mut drift = lock(drift);
            drift.see(values, |words| happened("drift", words));
            shared.set_drifted(drift.drifted());
        }
    }
}

// Counts are consistent even if a thread panicked while holding the lock: a frame is added in one step.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
