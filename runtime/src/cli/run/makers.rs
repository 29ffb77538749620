//! How the stages of a run are made, at the start and after a failure.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    RunArgs,
    analyst::{CliAnalyst, Last},
    control::ControlWatch,
    drift::DriftWatch,
    lines::Tally,
    measured::Measuring,
    recorder::CliRecorder,
};
use crate::{
    camera::{FrameSource, Pacing, open::open},
    cli::{budget::fit::Fit, seen::SeenFields, session::Session, voice::Voice},
    error::Error,
    page::board::Board,
    run::{Makers, analysis::Analyst, recording::Recorder, shared::Shared, work::Making},
};
use bloodseg_bundles::tried::TriedPipeline;
use bloodseg_records::{
    count::Summary, kept_pictures::KeptPictures, run_info::RunInfo, run_log::RunLog, validation::Validation,
};
use bloodseg_vision::scale::{Learning, Scaler};

/// See the module documentation.
#[derive(Debug)]
pub(super) struct CliMakers<'a> {
    shared: Arc<Shared>,
    session: &'a Session,
    args: &'a RunArgs,
    out: &'a Path,
    info: RunInfo,
    target_um_per_px: f64,
    /// The first analyst, which was loaded before anything else.
    pipeline: Option<TriedPipeline>,
    tally: Arc<Mutex<Tally>>,
    /// What the first analyst starts with.
    pub(super) scaler: Option<Scaler>,
    /// Memory limits for frames; applied again to a source that is reopened.
    fit: Fit,
    /// Prints one line per frame.
    voice: Voice,
    /// Where each analysis is shown.
    pub(super) page: Option<Arc<Board>>,
    /// What the run has seen so far.
    pub(super) seen: Arc<Mutex<SeenFields>>,
    /// The history of the run's measured figures.
    drift: Arc<Mutex<DriftWatch>>,
    /// Its control slides.
    control: Arc<Mutex<ControlWatch>>,
}

impl<'a> CliMakers<'a> {
    pub(super) fn new(
        shared: &Arc<Shared>,
        session: &'a Session,
        args: &'a RunArgs,
        out: &'a Path,
        info: RunInfo,
        (pipeline, fit): (TriedPipeline, Fit),
        voice: Voice,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            target_um_per_px: pipeline.um_per_px(),
            pipeline: Some(pipeline),
            tally: Arc::default(),
            scaler: None,
            fit,
            voice,
            page: None,
            seen: Arc::new(Mutex::new(SeenFields::new(out, args.goal()))),
            drift: Arc::new(Mutex::new(DriftWatch::of(out))),
            control: Arc::new(Mutex::new(ControlWatch::of(out, control_slides(session, args)))),
            session,
            args,
            out,
            info,
        }
    }

    /// Sets the counts of a person to correct by.
    pub(super) fn correct_by(&self, validation: Option<Validation>) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).correct_by(validation);
    }

    /// Totals of the sample under the lens.
    pub(super) fn summary(&self) -> Option<Summary> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).count().summary()
    }

    /// Collects the totals for the end of the run.
    pub(super) fn tally(&self) -> Tally {
        std::mem::take(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Those of the command line and of the config.
fn control_slides(session: &Session, args: &RunArgs) -> Vec<String> {
    args.control_slides.iter().chain(&session.config.quality.control_slides).cloned().collect()
}

impl Makers for CliMakers<'_> {
    fn source(&mut self) -> Making<Box<dyn FrameSource>> {
        let (name, config, wish) = (self.args.source.clone(), self.session.config.clone(), self.args.wish());
        let (target_um_per_px, fit) = (self.target_um_per_px, self.fit);
        Box::new(move || {
            let mut source = open(&name, &config, wish)?;
            source.resample_to(target_um_per_px)?;
            fit.hold(source.as_mut())?;
            Ok(source)
        })
    }

    fn analyst(&mut self, _why: Option<&Error>) -> Making<Box<dyn Analyst>> {
        let (session, shared, target_um_per_px) =
            (self.session.clone(), Arc::clone(&self.shared), self.target_um_per_px);
        let (first, tally, page) = (self.pipeline.take(), Arc::clone(&self.tally), self.page.clone());
        let (any_quality, every, out) = (self.args.any_quality, self.args.save_every, self.out.to_owned());
        // A folder ends, a camera does not.
        let most_bytes = (self.shared.pacing == Pacing::Live).then(|| self.session.config.output.most_picture_bytes());
        let (is_restart, fit, measured) = (first.is_none(), self.fit, self.scaler.take());
        let (seen, drift, control) = (Arc::clone(&self.seen), Arc::clone(&self.drift), Arc::clone(&self.control));
        Box::new(move || {
            let pipeline = match first {
                Some(pipeline) => pipeline,
                None => session.tried_pipeline()?,
            };
            pipeline.check_pitch(target_um_per_px)?;
            let pictures = KeptPictures::new(&out, every, most_bytes);
            let live = shared.pacing == Pacing::Live;
            let mut scaler = measured.unwrap_or_else(|| Scaler::new(any_quality, Learning::FromEach { live }));
            scaler.limit(fit.analysed_most_px);
            let needs_scale = fit.needs_scale;
            let last = Last::default();
            let analyst = CliAnalyst {
                shared,
                pipeline,
                any_quality,
                scaler,
                needs_scale,
                pictures,
                tally,
                page,
                seen,
                drift,
                control,
                measuring: Measuring::default(),
                last,
            };
            analyst.correct_by_models();
            // A model may have been installed in between. A restarted stage is an event, and the record of it names the
            // models.
            if is_restart {
                analyst.report_models();
            }
            Ok(Box::new(analyst))
        })
    }

    fn recorder(&mut self) -> Making<Box<dyn Recorder>> {
        let records = &self.session.config.records;
        let (retention, tables) = (records.retention(), records.tables);
        let (voice, quiet) = (self.voice.clone(), self.session.quiet);
        let (out, info) = (self.out.to_owned(), self.info.clone());
        let (shared, tally) = (Arc::clone(&self.shared), Arc::clone(&self.tally));
        Box::new(move || {
            let log = Some(RunLog::open(&out, &info, &retention, tables, Arc::clone(&shared.clock))?);
            Ok(Box::new(CliRecorder { shared, log, voice, quiet, tally }))
        })
    }
}
