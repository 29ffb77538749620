//! The pipeline of a run, whose models may be new ones from a slot: what they do with the first frames decides whether they
//! stay. See [`crate::model::slots`].

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::RgbImage;

use super::{print, session::Session};
use crate::{
    error::{Error, Result},
    frame::quality::Verdict,
    model::{
        slots::{
            Active, Running, Slots,
            state::Place,
            trial::{Next, Trial, Tried},
        },
        store::Models,
    },
    page::facts::{ModelCard, cards},
    pipeline::{Analysis, Pipeline},
    records::run_info::ModelInfo,
};

/// A pipeline, and what is watched while its models are on trial.
#[derive(Debug)]
pub(super) struct TriedPipeline {
    session: Session,
    /// None where models were left, and those before them could not be loaded.
    pipeline: Option<Pipeline>,
    watched: Option<Watched>,
    /// The models of the pipeline.
    models: Named,
    pitch_um_per_px: f64,
    /// Why models were left, for the records.
    left: Vec<String>,
}

/// Both models, for the records and for the page.
type Named = (Vec<ModelInfo>, Vec<ModelCard>);

#[derive(Debug)]
struct Watched {
    slots: Slots,
    running: Running,
    trial: Trial,
}

impl TriedPipeline {
    /// Loads the models of the session. Those of a slot that cannot be loaded are left for the previous ones.
    pub(super) fn begin(session: &Session) -> Result<Self> {
        let session = session.clone();
        let mut left = Vec::new();
        let Some(slots) = session.slots_in_use() else {
            let models = session.models()?;
            let pipeline = session.load(&models)?;
            let pitch_um_per_px = pipeline.pitch().um_per_px;
            let models = named(&models);
            return Ok(Self { pipeline: Some(pipeline), session, watched: None, models, pitch_um_per_px, left });
        };
        let active = slots.begin_run()?;
        if let Some(reason) = &active.running.fell_back {
            tell(&mut left, &active.running, reason);
        }
        let (pipeline, running, models) = load(&session, &slots, active, &mut left)?;
        let watched = running.on_trial.then(|| Watched { slots, running, trial: Trial::default() });
        let pitch_um_per_px = pipeline.pitch().um_per_px;
        Ok(Self { session, pipeline: Some(pipeline), watched, models, pitch_um_per_px, left })
    }

    /// The models that run.
    pub(super) fn models(&self) -> Vec<ModelInfo> {
        self.models.0.clone()
    }

    /// What they say of themselves.
    pub(super) fn cards(&self) -> Vec<ModelCard> {
        self.models.1.clone()
    }

    /// Why models were left since the last question.
    pub(super) fn take_left(&mut self) -> Vec<String> {
        std::mem::take(&mut self.left)
    }

    /// The analysis of the last frame.
    pub(super) fn latest(&self) -> Option<&Analysis> {
        self.pipeline.as_ref().and_then(Pipeline::latest)
    }

    /// The pipeline itself.
    ///
    /// # Errors
    /// [`Error::Internal`] after models were left and those before them could not be loaded.
    pub(super) fn pipeline(&mut self) -> Result<&mut Pipeline> {
        self.pipeline.as_mut().ok_or_else(|| Error::internal("models", "none are loaded"))
    }

    /// Refuses models of another pitch than the source was opened for, in micrometres a pixel.
    ///
    /// # Errors
    /// [`Error::Model`].
    pub(super) fn check_pitch(&self, um_per_px: f64) -> Result<()> {
        let now = self.um_per_px();
        if now == um_per_px {
            return Ok(());
        }
        let name = self.models.0.iter().map(|model| format!("{} {}", model.name, model.version)).collect::<Vec<_>>();
        let found = format!("a pitch of {now} um, while the source was opened for {um_per_px} um");
        Err(Error::model(name.join(", "), found, "the same pitch", "Start again: these models are active now"))
    }

    /// Pitch of the frames that the models were trained on, in micrometres a pixel.
    pub(super) fn um_per_px(&self) -> f64 {
        self.pitch_um_per_px
    }

    /// Analyses a frame. Where models on trial fail, the previous ones analyse it.
    ///
    /// # Errors
    /// Those of the analysis; and [`Error::Model`] when the previous models have another pitch, for which the source would
    /// have to be opened anew.
    pub(super) fn analyse(&mut self, picture: &RgbImage, any_quality: bool) -> Result<&Analysis> {
        self.analyse_by(any_quality, |pipeline| {
            if any_quality { pipeline.analyse_any(picture) } else { pipeline.analyse(picture) }.map(|_| ())
        })?;
        self.latest().ok_or_else(|| Error::internal("analysis", "it is done and not there"))
    }

    fn analyse_by(&mut self, any_quality: bool, mut analyse: impl FnMut(&mut Pipeline) -> Result<()>) -> Result<()> {
        if self.watched.is_none() {
            return analyse(self.pipeline()?);
        }
        let pipeline = self.pipeline()?;
        let done = catch_unwind(AssertUnwindSafe(|| analyse(pipeline)))
            .unwrap_or_else(|_| Err(Error::internal("analysis", "a panic under models on trial")));
        let good = || self.latest().is_some_and(|analysis| analysis.quality.verdict == Verdict::Good);
        let tried = match &done {
            Ok(()) if any_quality || good() => Tried::Counted,
            Ok(()) => Tried::Looked,
            Err(Error::Picture { .. } | Error::Input { .. }) => Tried::Refused,
            Err(error) => Tried::Broke(error.to_string()),
        };
        let Some(watched) = &mut self.watched else { return done };
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
                analyse(self.pipeline()?)
            }
        }
    }

    fn go_back(&mut self, reason: &str) -> Result<()> {
        let Some(Watched { slots, running, .. }) = self.watched.take() else { return Ok(()) };
        let active = slots.go_back(&running, reason)?;
        tell(&mut self.left, &active.running, reason);
        // Two pipelines at a time are not in the budget.
        self.pipeline = None;
        let (pipeline, _, models) = load(&self.session, &slots, active, &mut self.left)?;
        let before = self.um_per_px();
        (self.pitch_um_per_px, self.models) = (pipeline.pitch().um_per_px, models);
        self.pipeline = Some(pipeline);
        self.check_pitch(before)
    }

    /// The run ends by its own will: a trial that is not over goes on with the next start, as if this one had not been.
    pub(super) fn end(&mut self) {
        if let Some(Watched { slots, running, .. }) = self.watched.take()
            && let Err(error) = slots.ended_well(&running)
        {
            log::warn!("{error}");
        }
    }
}

/// Loads models and runs their golden inputs; those that fail are left for the previous ones.
fn load(
    session: &Session,
    slots: &Slots,
    mut active: Active,
    left: &mut Vec<String>,
) -> Result<(Pipeline, Running, Named)> {
    loop {
        log::info!("models {}", active.running);
        let loaded = catch_unwind(AssertUnwindSafe(|| session.load(&active.models)))
            .unwrap_or_else(|_| Err(Error::internal("models", "a panic while they were loaded")));
        match loaded {
            Ok(pipeline) => return Ok((pipeline, active.running, named(&active.models))),
            Err(error) if active.running.place == Place::BuiltIn => return Err(error),
            Err(error) => {
                let reason = error.to_string();
                active = slots.go_back(&active.running, &reason)?;
                tell(left, &active.running, &reason);
            }
        }
    }
}

fn named(models: &Models) -> Named {
    let infos = vec![ModelInfo::of("ssr", &models.ssr.manifest), ModelInfo::of("unet", &models.unet.manifest)];
    (infos, cards(models))
}

fn tell(left: &mut Vec<String>, running: &Running, reason: &str) {
    let words = format!("the installed models were left: {reason}; models {running} run instead");
    print::problem(&words);
    left.push(words);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use clap::Parser;
    use image::Rgb;

    use super::*;
    use crate::{cli::args::Args, limits::MODEL_TRIAL_FRAMES, model::slots::tests::accepted};

    /// Slots with "1" confirmed and "2" on trial, and a session that runs them.
    fn bench() -> (tempfile::TempDir, Session) {
        let folder = tempfile::tempdir().unwrap();
        let slots = Slots::open(folder.path());
        slots.install(&accepted("1", None)).unwrap();
        slots.confirm(&slots.begin_run().unwrap().running).unwrap();
        slots.install(&accepted("2", None)).unwrap();
        let args = ["bloodseg", "--slots", folder.path().to_str().unwrap(), "run", "demo"];
        let session = Session::begin(&Args::parse_from(args)).unwrap();
        (folder, session)
    }

    fn active(folder: &tempfile::TempDir) -> (String, Option<u32>, Option<String>) {
        let state = Slots::open(folder.path()).state().unwrap();
        let version = state.origin(state.active).unwrap().unet_version.clone();
        (version, state.trial_starts, state.went_back.map(|back| back.reason))
    }

    fn picture() -> RgbImage {
        RgbImage::from_pixel(64, 64, Rgb([200; 3]))
    }

    #[test]
    fn frames_that_are_counted_confirm_and_others_do_not() {
        let (folder, session) = bench();
        let mut tried = TriedPipeline::begin(&session).unwrap();
        assert_eq!(active(&folder), ("2".into(), Some(1), None));
        for _ in 0..2 * MODEL_TRIAL_FRAMES {
            assert!(!tried.analyse(&picture(), false).unwrap().quality.verdict.is_good());
        }
        for counted in 0..MODEL_TRIAL_FRAMES {
            assert_eq!(active(&folder).1, Some(1), "after {counted}");
            tried.analyse(&picture(), true).unwrap();
        }
        assert_eq!(active(&folder), ("2".into(), None, None));
        tried.end();
        assert_eq!(active(&folder), ("2".into(), None, None));
    }

    #[test]
    fn an_end_before_that_takes_the_start_back() {
        let (folder, session) = bench();
        let mut tried = TriedPipeline::begin(&session).unwrap();
        tried.end();
        assert_eq!(active(&folder), ("2".into(), Some(0), None));
    }

    #[test]
    fn an_engine_that_fails_or_panics_is_replaced_within_the_frame() {
        let faults: [fn() -> Result<()>; 2] =
            [|| Err(Error::model("unet", "it broke", "it runs", "")), || panic!("on purpose")];
        for (fault, wanted) in faults.into_iter().zip(["it broke", "panic"]) {
            let (folder, session) = bench();
            let mut tried = TriedPipeline::begin(&session).unwrap();
            tried.analyse(&picture(), true).unwrap();
            let mut calls = 0;
            let done = tried.analyse_by(true, |pipeline| {
                calls += 1;
                if calls == 1 { fault() } else { pipeline.analyse_any(&picture()).map(|_| ()) }
            });
            done.unwrap();
            assert_eq!((tried.latest().unwrap().tiles, calls), (1, 2));
            assert!(tried.take_left()[0].contains(wanted) && tried.take_left().is_empty());
            let (version, trial, reason) = active(&folder);
            assert_eq!((version.as_str(), trial), ("1", None));
            assert_eq!((tried.models()[1].version.as_str(), tried.cards()[1].version.as_str()), ("1", "1"));
            assert!(reason.unwrap().contains(wanted));
            // Those that were confirmed are not tried: their errors are the run's.
            assert!(tried.analyse_by(true, |_| Err(Error::internal("test", "later"))).is_err());
            assert_eq!(active(&folder).0, "1");
        }
    }

    #[test]
    fn models_of_another_pitch_than_the_source_was_opened_for_are_refused() {
        let (_folder, session) = bench();
        let tried = TriedPipeline::begin(&session).unwrap();
        tried.check_pitch(tried.um_per_px()).unwrap();
        let refused = tried.check_pitch(2.0 * tried.um_per_px()).unwrap_err();
        assert_eq!(refused.exit_code(), 4);
        assert!(refused.to_string().contains("Start again"), "{refused}");
    }

    #[test]
    fn models_whose_frames_are_mostly_refused_are_left() {
        let (folder, session) = bench();
        let mut tried = TriedPipeline::begin(&session).unwrap();
        for _ in 0..=MODEL_TRIAL_FRAMES / 2 {
            assert_eq!(active(&folder).0, "2");
            assert_eq!(tried.analyse(&RgbImage::new(0, 0), false).unwrap_err().exit_code(), 3);
        }
        let (version, _, reason) = active(&folder);
        assert_eq!((version.as_str(), reason.as_deref()), ("1", Some("11 frames refused and 0 counted")));
    }
}
