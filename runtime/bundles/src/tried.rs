//! The pipeline of a run whose models may be on trial: its first frames decide whether they are confirmed. See
//! [`crate::slots`].

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    bundle::Contents,
    error::{Error, ErrorKind, Result},
    slots::{
        Active, Running, Slots,
        state::Place,
        trial::{Next, Trial, Tried},
    },
};
use bloodseg_vision::{
    error,
    model::{manifest::Manifest, store::Models},
    pipeline::{Analysis, Pipeline},
};

/// How a run loads its models, and how it reports a rollback.
pub trait Loader: fmt::Debug + Send {
    /// Loads both models.
    ///
    /// # Errors
    /// [`Error::Bundle`] if one cannot run, or fails its golden input.
    fn load(&self, models: &Models) -> Result<Pipeline>;

    /// Reports a rollback immediately.
    fn say(&self, words: &str);
}

/// A pipeline, and the state of the trial.
#[derive(Debug)]
pub struct TriedPipeline {
    loader: Box<dyn Loader>,
    /// `None` if a rollback could not load the previous models.
    pipeline: Option<Pipeline>,
    watched: Option<Watched>,
    /// Of the running super-resolution and segmentation models.
    manifests: [Manifest; 2],
    /// The validation in their bundle, which corrects their counts.
    validation: Option<String>,
    pitch_um_per_px: f64,
    /// Why models were rolled back, for the records.
    left: Vec<String>,
}

#[derive(Debug)]
struct Watched {
    slots: Slots,
    running: Running,
    trial: Trial,
}

impl TriedPipeline {
    /// A pipeline of models that are not on trial.
    ///
    /// # Errors
    /// Those of the loader.
    pub fn fixed(models: &Models, loader: Box<dyn Loader>) -> Result<Self> {
        let pipeline = loader.load(models)?;
        Ok(Self::of(pipeline, (manifests(models), None), None, Vec::new(), loader))
    }

    /// A pipeline of the active models of `slots`; rolls back from models that cannot be loaded.
    ///
    /// # Errors
    /// [`Error::Bundle`] if none can be loaded, [`Error::Vision`] if the start of the run cannot be recorded.
    pub fn from_slots(slots: Slots, loader: Box<dyn Loader>) -> Result<Self> {
        let mut left = Vec::new();
        let active = slots.begin_run()?;
        if let Some(reason) = &active.running.fell_back {
            leave(loader.as_ref(), &mut left, &active.running, reason);
        }
        let (pipeline, running, of_models) = load(loader.as_ref(), &slots, active, &mut left)?;
        let watched = running.on_trial.then(|| Watched { slots, running, trial: Trial::default() });
        Ok(Self::of(pipeline, of_models, watched, left, loader))
    }

    fn of(
        pipeline: Pipeline,
        (manifests, validation): OfModels,
        watched: Option<Watched>,
        left: Vec<String>,
        loader: Box<dyn Loader>,
    ) -> Self {
        let pitch_um_per_px = pipeline.pitch().um_per_px;
        Self { loader, pipeline: Some(pipeline), watched, manifests, validation, pitch_um_per_px, left }
    }

    /// The manifests of the running models: super-resolution, segmentation.
    pub fn manifests(&self) -> &[Manifest; 2] {
        &self.manifests
    }

    /// The text of the validation in the bundle of the running models.
    pub fn validation(&self) -> Option<&str> {
        self.validation.as_deref()
    }

    /// Reasons for rollbacks since the last call.
    pub fn take_left(&mut self) -> Vec<String> {
        std::mem::take(&mut self.left)
    }

    /// The analysis of the last frame.
    pub fn latest(&self) -> Option<&Analysis> {
        self.pipeline.as_ref().and_then(Pipeline::latest)
    }

    /// The pipeline.
    ///
    /// # Errors
    /// [`Error::Vision`] if a rollback could not load the previous models.
    pub fn pipeline(&mut self) -> Result<&mut Pipeline> {
        self.pipeline.as_mut().ok_or_else(|| Error::internal("models", "none are loaded"))
    }

    /// Rejects models with another pitch, in micrometres per pixel, than the source was opened for.
    ///
    /// # Errors
    /// [`Error::Bundle`].
    pub fn check_pitch(&self, um_per_px: f64) -> Result<()> {
        let now = self.um_per_px();
        if now == um_per_px {
            return Ok(());
        }
        let name = self.manifests.each_ref().map(|model| format!("{} {}", model.name, model.version));
        let found = format!("a pitch of {now} um, while the source was opened for {um_per_px} um");
        Err(Error::bundle(name.join(", "), found, "the same pitch", "Restart the run: these models are active now"))
    }

    /// Pitch of the frames that the models were trained on, in micrometres per pixel.
    pub fn um_per_px(&self) -> f64 {
        self.pitch_um_per_px
    }

    /// Analyses a frame with `analyse`, which stores the result in the pipeline. If models on trial fail, the previous
    /// ones analyse it. With `any_quality`, frames with any verdict count for models on trial.
    ///
    /// # Errors
    /// Those of `analyse`; [`Error::Bundle`] if the previous models have another pitch, for which the source must be
    /// opened again.
    pub fn analyse(
        &mut self,
        any_quality: bool,
        mut analyse: impl FnMut(&mut Pipeline) -> error::Result<()>,
    ) -> Result<&Analysis> {
        self.analyse_by(any_quality, |pipeline| Ok(analyse(pipeline)?))?;
        self.latest().ok_or_else(|| Error::internal("analysis", "there is no result"))
    }

    fn analyse_by(&mut self, any_quality: bool, mut analyse: impl FnMut(&mut Pipeline) -> Result<()>) -> Result<()> {
        if self.watched.is_none() {
            return analyse(self.pipeline()?);
        }
        let pipeline = self.pipeline()?;
        let done = catch_unwind(AssertUnwindSafe(|| analyse(pipeline)))
            .unwrap_or_else(|_| Err(Error::internal("analysis", "a panic under models on trial")));
        let counted = || self.latest().is_some_and(|analysis| analysis.quality.verdict.is_counted(any_quality));
        let tried = match &done {
            Ok(()) if counted() => Tried::Counted,
            Ok(()) => Tried::Looked,
            Err(error) if error.kind() == ErrorKind::Vision(error::ErrorKind::Input) => Tried::Refused,
            Err(error) => Tried::Broke(error.to_string()),
        };
        let Some(watched) = &mut self.watched else { return done };
        match watched.trial.frame(tried) {
            Next::GoOn => done,
            Next::Confirm => {
                match watched.slots.confirm(&watched.running) {
                    Ok(()) => {
                        log::info!("models {} are confirmed", watched.running);
                        self.watched = None;
                    }
                    // The trial continues: the next good frames try again.
                    Err(error) => {
                        log::warn!("models {} cannot be confirmed: {error}", watched.running);
                        watched.trial = Trial::default();
                    }
                }
                done
            }
            Next::GoBack(reason) => {
                self.fall_back(&reason)?;
                analyse(self.pipeline()?)
            }
        }
    }

    fn fall_back(&mut self, reason: &str) -> Result<()> {
        let Some(Watched { slots, running, .. }) = self.watched.take() else { return Ok(()) };
        let active = slots.fall_back(&running, reason)?;
        leave(self.loader.as_ref(), &mut self.left, &active.running, reason);
        // The budget does not cover two pipelines at a time.
        self.pipeline = None;
        let (pipeline, _, of_models) = load(self.loader.as_ref(), &slots, active, &mut self.left)?;
        let before = self.um_per_px();
        self.pitch_um_per_px = pipeline.pitch().um_per_px;
        (self.manifests, self.validation) = of_models;
        self.pipeline = Some(pipeline);
        self.check_pitch(before)
    }

    /// The run ends in an orderly way: an unfinished trial continues with the next start, and this start does not count.
    pub fn end(&mut self) {
        if let Some(Watched { slots, running, .. }) = self.watched.take()
            && let Err(error) = slots.ended_well(&running)
        {
            log::warn!("{error}");
        }
    }
}

/// An orderly drop takes the start back, so that a run refused for its folder, budget, address or records does not count
/// against the trial. A killed process does not get here, so its start stays counted.
impl Drop for TriedPipeline {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}

/// The manifests of models, and the validation of their counts.
type OfModels = ([Manifest; 2], Option<String>);

/// Loads models and runs their golden inputs; rolls back from those that fail.
fn load(
    loader: &dyn Loader,
    slots: &Slots,
    mut active: Active,
    left: &mut Vec<String>,
) -> Result<(Pipeline, Running, OfModels)> {
    loop {
        log::info!("models {}", active.running);
        let loaded = catch_unwind(AssertUnwindSafe(|| loader.load(&active.contents.models)))
            .unwrap_or_else(|_| Err(Error::internal("models", "a panic while they were loaded")));
        match loaded {
            Ok(pipeline) => {
                let Contents { models, validation } = active.contents;
                return Ok((pipeline, active.running, (manifests(&models), validation)));
            }
            Err(error) if active.running.place == Place::BuiltIn => return Err(error),
            Err(error) => {
                let reason = error.to_string();
                active = slots.fall_back(&active.running, &reason)?;
                leave(loader, left, &active.running, &reason);
            }
        }
    }
}

fn manifests(models: &Models) -> [Manifest; 2] {
    [models.ssr.manifest.clone(), models.unet.manifest.clone()]
}

fn leave(loader: &dyn Loader, left: &mut Vec<String>, running: &Running, reason: &str) {
    let words = format!("rolled back from the installed models: {reason}; running models {running}");
    loader.say(&words);
    left.push(words);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use image::{Rgb, RgbImage};

    use super::*;
    use crate::{limits::MIN_TRIAL_FRAMES, slots::tests::accepted};

    #[derive(Debug)]
    struct Plain;

    impl Loader for Plain {
        fn load(&self, models: &Models) -> Result<Pipeline> {
            Ok(Pipeline::load(models)?)
        }

        fn say(&self, _words: &str) {}
    }

    /// Slots with "1" confirmed and "2" on trial.
    fn bench() -> (tempfile::TempDir, Slots) {
        let folder = tempfile::tempdir().unwrap();
        let slots = Slots::open(folder.path());
        slots.install(&accepted("1", None)).unwrap();
        slots.confirm(&slots.begin_run().unwrap().running).unwrap();
        slots.install(&accepted("2", None)).unwrap();
        (folder, slots)
    }

    fn begin(slots: Slots) -> TriedPipeline {
        TriedPipeline::from_slots(slots, Box::new(Plain)).unwrap()
    }

    fn active(folder: &tempfile::TempDir) -> (String, Option<u32>, Option<String>) {
        let state = Slots::open(folder.path()).state().unwrap();
        let version = state.origin(state.active).unwrap().unet_version.clone();
        (version, state.trial_starts, state.went_back.map(|back| back.reason))
    }

    fn analyse_any(pipeline: &mut Pipeline) -> error::Result<()> {
        pipeline.analyse_any(&picture()).map(|_| ())
    }

    fn picture() -> RgbImage {
        RgbImage::from_pixel(64, 64, Rgb([200; 3]))
    }

    #[test]
    fn only_counted_frames_confirm_models() {
        let (folder, slots) = bench();
        let mut tried = begin(slots);
        assert_eq!(active(&folder), ("2".into(), Some(1), None));
        for _ in 0..2 * MIN_TRIAL_FRAMES {
            assert!(
                !tried
                    .analyse(false, |pipeline| pipeline.analyse(&picture()).map(|_| ()))
                    .unwrap()
                    .quality
                    .verdict
                    .is_good()
            );
        }
        for counted in 0..MIN_TRIAL_FRAMES {
            assert_eq!(active(&folder).1, Some(1), "after {counted}");
            tried.analyse(true, analyse_any).unwrap();
        }
        assert_eq!(active(&folder), ("2".into(), None, None));
        tried.end();
        assert_eq!(active(&folder), ("2".into(), None, None));
    }

    #[test]
    fn failed_confirmation_is_retried_and_trial_continues() {
        let (folder, slots) = bench();
        let mut tried = begin(slots);
        // The new state is written next to the old one: a folder at that path is in the way.
        let in_the_way = folder.path().join("state.toml.new");
        std::fs::create_dir(&in_the_way).unwrap();
        for _ in 0..MIN_TRIAL_FRAMES {
            tried.analyse(true, analyse_any).unwrap();
        }
        assert_eq!(active(&folder), ("2".into(), Some(1), None));
        assert!(tried.watched.is_some(), "the trial continues");
        std::fs::remove_dir(&in_the_way).unwrap();
        for _ in 0..MIN_TRIAL_FRAMES {
            assert_eq!(active(&folder).1, Some(1));
            tried.analyse(true, analyse_any).unwrap();
        }
        assert_eq!(active(&folder), ("2".into(), None, None));
        assert!(tried.watched.is_none());
    }

    #[test]
    fn orderly_end_takes_trial_start_back() {
        let (folder, slots) = bench();
        let mut tried = begin(slots);
        tried.end();
        assert_eq!(active(&folder), ("2".into(), Some(0), None));
    }

    #[test]
    fn failed_or_panicked_models_are_replaced_within_the_frame() {
        let faults: [fn() -> Result<()>; 2] =
            [|| Err(Error::bundle("unet", "it broke", "it runs", "")), || panic!("on purpose")];
        for (fault, wanted) in faults.into_iter().zip(["it broke", "panic"]) {
            let (folder, slots) = bench();
            let mut tried = begin(slots);
            tried.analyse(true, analyse_any).unwrap();
            let validation = tried.validation().map(str::to_owned);
            let mut calls = 0;
            let done = tried.analyse_by(true, |pipeline| {
                calls += 1;
                if calls == 1 { fault() } else { Ok(pipeline.analyse_any(&picture()).map(|_| ())?) }
            });
            done.unwrap();
            assert_eq!((tried.latest().unwrap().tiles, calls), (1, 2));
            assert!(tried.take_left()[0].contains(wanted) && tried.take_left().is_empty());
            let (version, trial, reason) = active(&folder);
            assert_eq!((version.as_str(), trial), ("1", None));
            assert_eq!(tried.manifests()[1].version.as_str(), "1");
            assert_eq!((validation.as_deref(), tried.validation()), (Some("2"), Some("1")));
            assert!(reason.unwrap().contains(wanted));
            // Confirmed models are not on trial: their errors are those of the run.
            assert!(tried.analyse_by(true, |_| Err(Error::internal("test", "later"))).is_err());
            assert_eq!(active(&folder).0, "1");
        }
    }

    #[test]
    fn orderly_drop_does_not_count_as_trial_start() {
        let (folder, _) = bench();
        let slots = || Slots::open(folder.path());
        for _ in 0..3 * crate::limits::MAX_TRIAL_STARTS {
            let tried = begin(slots());
            assert_eq!(active(&folder), ("2".into(), Some(1), None));
            // For example, another run holds the results folder.
            drop(tried);
            assert_eq!(active(&folder), ("2".into(), Some(0), None));
        }
        // A process that dies releases nothing.
        std::mem::forget(begin(slots()));
        std::mem::forget(begin(slots()));
        assert_eq!(active(&folder), ("2".into(), Some(2), None));
    }

    #[test]
    fn rejects_models_with_pitch_other_than_source() {
        let (_folder, slots) = bench();
        let tried = begin(slots);
        tried.check_pitch(tried.um_per_px()).unwrap();
        let refused = tried.check_pitch(2.0 * tried.um_per_px()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Bundle);
        assert!(refused.to_string().contains("Restart the run"), "{refused}");
    }

    #[test]
    fn mostly_refused_frames_roll_back_models() {
        let (folder, slots) = bench();
        let mut tried = begin(slots);
        for _ in 0..=MIN_TRIAL_FRAMES / 2 {
            assert_eq!(active(&folder).0, "2");
            let refused =
                tried.analyse(false, |pipeline| pipeline.analyse(&RgbImage::new(0, 0)).map(|_| ())).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Vision(error::ErrorKind::Input));
        }
        let (version, _, reason) = active(&folder);
        assert_eq!((version.as_str(), reason.as_deref()), ("1", Some("11 frames refused and 0 counted")));
    }
}
