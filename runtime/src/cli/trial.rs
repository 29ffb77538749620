//! The pipeline of a run, whose models may be new ones from a slot: what they do with the first frames decides whether they
//! stay. See [`crate::model::slots`].

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::RgbImage;

use super::{print, session::Session};
use crate::{
    error::{Error, Result},
    frame::quality::Verdict,
    model::slots::{
        Active, Running, Slots,
        state::Place,
        trial::{Next, Trial, Tried},
    },
    pipeline::{Analysis, Pipeline},
};

/// A pipeline, and what is watched while its models are on trial.
pub(super) struct TriedPipeline<'s> {
    session: &'s Session,
    pipeline: Pipeline,
    watched: Option<Watched>,
}

struct Watched {
    slots: Slots,
    running: Running,
    trial: Trial,
}

impl<'s> TriedPipeline<'s> {
    /// Loads the models of the session. Those of a slot that cannot be loaded are left for the previous ones.
    pub(super) fn begin(session: &'s Session) -> Result<Self> {
        let Some(slots) = session.slots_in_use() else {
            return Ok(Self { session, pipeline: session.pipeline()?, watched: None });
        };
        let active = slots.begin_run()?;
        if let Some(reason) = &active.running.fell_back {
            tell(&active.running, reason);
        }
        let (pipeline, running) = load(session, &slots, active)?;
        let watched = running.on_trial.then(|| Watched { slots, running, trial: Trial::default() });
        Ok(Self { session, pipeline, watched })
    }

    /// The pipeline itself.
    pub(super) fn pipeline(&mut self) -> &mut Pipeline {
        &mut self.pipeline
    }

    /// Analyses a frame. Where models on trial fail, the previous ones analyse it.
    ///
    /// # Errors
    /// Those of the analysis; and [`Error::Model`] when the previous models have another pitch, for which the source would
    /// have to be opened anew.
    pub(super) fn analyse(&mut self, picture: &RgbImage, any_quality: bool) -> Result<Analysis> {
        let Some(watched) = &mut self.watched else { return analyse(&mut self.pipeline, picture, any_quality) };
        let done = catch_unwind(AssertUnwindSafe(|| analyse(&mut self.pipeline, picture, any_quality)))
            .unwrap_or_else(|_| Err(Error::internal("analysis", "a panic under models on trial")));
        let tried = match &done {
            Ok(analysis) if any_quality || analysis.quality.verdict == Verdict::Good => Tried::Counted,
            Ok(_) => Tried::Looked,
            Err(Error::Picture { .. } | Error::Input { .. }) => Tried::Refused,
            Err(error) => Tried::Broke(error.to_string()),
        };
        match watched.trial.frame(tried) {
            Next::GoOn => done,
            Next::Confirm => {
                if let Err(error) = watched.slots.confirm(&watched.running) {
                    log::warn!("models {} cannot be confirmed: {error}", watched.running);
                }
                log::info!("models {} are confirmed", watched.running);
                self.watched = None;
                done
            }
            Next::GoBack(reason) => {
                self.go_back(&reason)?;
                analyse(&mut self.pipeline, picture, any_quality)
            }
        }
    }

    fn go_back(&mut self, reason: &str) -> Result<()> {
        let Some(Watched { slots, running, .. }) = self.watched.take() else { return Ok(()) };
        let active = slots.go_back(&running, reason)?;
        tell(&active.running, reason);
        let (pipeline, running) = load(self.session, &slots, active)?;
        let (before, now) = (self.pipeline.pitch().um_per_px, pipeline.pitch().um_per_px);
        if before != now {
            let found = format!("a pitch of {now} um, while the source was opened for {before} um");
            return Err(Error::model(running, found, "the same pitch", "Start again: the previous models are active"));
        }
        self.pipeline = pipeline;
        Ok(())
    }

    /// The run ends by its own will: a trial that is not over goes on with the next start, as if this one had not been.
    pub(super) fn end(self) {
        if let Some(Watched { slots, running, .. }) = self.watched
            && let Err(error) = slots.ended_well(&running)
        {
            log::warn!("{error}");
        }
    }
}

/// Loads models and runs their golden inputs; those that fail are left for the previous ones.
fn load(session: &Session, slots: &Slots, mut active: Active) -> Result<(Pipeline, Running)> {
    loop {
        log::info!("models {}", active.running);
        let loaded = catch_unwind(AssertUnwindSafe(|| session.load(&active.models)))
            .unwrap_or_else(|_| Err(Error::internal("models", "a panic while they were loaded")));
        match loaded {
            Ok(pipeline) => return Ok((pipeline, active.running)),
            Err(error) if active.running.place == Place::BuiltIn => return Err(error),
            Err(error) => {
                let reason = error.to_string();
                active = slots.go_back(&active.running, &reason)?;
                tell(&active.running, &reason);
            }
        }
    }
}

fn tell(running: &Running, reason: &str) {
    print::problem(format_args!("the installed models were left: {reason}; models {running} run instead"));
}

fn analyse(pipeline: &mut Pipeline, picture: &RgbImage, any_quality: bool) -> Result<Analysis> {
    if any_quality { pipeline.analyse_any(picture) } else { pipeline.analyse(picture) }
}
