//! How the stages of a run are made, at first and when one has to be made anew.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    super::{session::Session, trial::TriedPipeline},
    RunArgs,
    analyst::CliAnalyst,
    lines::Tally,
    recorder::CliRecorder,
};
use crate::{
    camera::{FrameSource, open::open},
    error::{Error, Result},
    page::board::Board,
    records::{kept_pictures::KeptPictures, run_info::RunInfo, run_log::RunLog},
    run::{Makers, analysis::Analyst, recording::Recorder, shared::Shared},
};

/// See the module.
#[derive(Debug)]
pub(super) struct CliMakers<'a> {
    shared: Arc<Shared>,
    session: &'a Session,
    args: &'a RunArgs,
    out: &'a Path,
    info: RunInfo,
    target_um_per_px: f64,
    /// The first one, which was loaded before anything else.
    pipeline: Option<TriedPipeline>,
    tally: Arc<Mutex<Tally>>,
    /// Where each analysis is shown.
    pub(super) page: Option<Arc<Board>>,
}

impl<'a> CliMakers<'a> {
    pub(super) fn new(
        shared: &Arc<Shared>,
        session: &'a Session,
        args: &'a RunArgs,
        out: &'a Path,
        info: RunInfo,
        mut pipeline: TriedPipeline,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            target_um_per_px: pipeline.pipeline().pitch().um_per_px,
            pipeline: Some(pipeline),
            tally: Arc::default(),
            page: None,
            session,
            args,
            out,
            info,
        }
    }

    /// What there is to tell at the end.
    pub(super) fn tally(&self) -> Tally {
        std::mem::take(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Makers for CliMakers<'_> {
    fn source(&mut self) -> Result<Box<dyn FrameSource>> {
        let mut source = open(&self.args.source, &self.session.config, self.args.wish())?;
        source.resample_to(self.target_um_per_px)?;
        Ok(source)
    }

    fn analyst(&mut self, _why: Option<&Error>) -> Result<Box<dyn Analyst>> {
        let pipeline = match self.pipeline.take() {
            Some(pipeline) => pipeline,
            None => TriedPipeline::begin(self.session)?,
        };
        Ok(Box::new(CliAnalyst {
            shared: Arc::clone(&self.shared),
            pipeline,
            any_quality: self.args.any_quality,
            pictures: KeptPictures::new(self.out, self.args.save_every),
            tally: Arc::clone(&self.tally),
            page: self.page.clone(),
        }))
    }

    fn recorder(&mut self) -> Result<Box<dyn Recorder>> {
        let records = &self.session.config.records;
        let clock = Arc::clone(&self.shared.clock);
        let log = RunLog::open(self.out, &self.info, &records.retention(), records.tables, clock)?;
        Ok(Box::new(CliRecorder {
            shared: Arc::clone(&self.shared),
            log: Some(log),
            quiet: self.session.quiet,
            tally: Arc::clone(&self.tally),
        }))
    }
}
