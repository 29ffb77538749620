//! How the stages of a run are made, at first and when one has to be made anew.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use super::{super::session::Session, RunArgs, analyst::CliAnalyst, lines::Tally, recorder::CliRecorder};
use crate::{
    camera::{
        FrameSource,
        open::{Wish, open},
    },
    error::{Error, Result},
    page::board::Board,
    pipeline::Pipeline,
    records::{kept_pictures::KeptPictures, run_log::RunLog},
    run::{Makers, analysis::Analyst, recording::Recorder, shared::Shared},
};

/// See the module.
#[derive(Debug)]
pub(super) struct CliMakers<'a> {
    session: &'a Session,
    args: &'a RunArgs,
    wish: Wish,
    out: &'a Path,
    started_utc: String,
    um_per_px: Option<f64>,
    target_um_per_px: f64,
    /// The first one, which was loaded before anything else.
    pipeline: Option<Pipeline>,
    tally: Arc<Mutex<Tally>>,
    /// Where each analysis is shown, and whose clock it is stamped by.
    pub(super) page: Option<(Arc<Board>, Arc<Shared>)>,
}

impl<'a> CliMakers<'a> {
    pub(super) fn new(
        session: &'a Session,
        args: &'a RunArgs,
        wish: Wish,
        out: &'a Path,
        started_utc: String,
        um_per_px: Option<f64>,
        pipeline: Pipeline,
    ) -> Self {
        Self {
            target_um_per_px: pipeline.pitch().um_per_px,
            pipeline: Some(pipeline),
            tally: Arc::default(),
            page: None,
            session,
            args,
            wish,
            out,
            started_utc,
            um_per_px,
        }
    }

    /// What there is to tell at the end.
    pub(super) fn tally(&self) -> Tally {
        std::mem::take(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Makers for CliMakers<'_> {
    fn source(&mut self) -> Result<Box<dyn FrameSource>> {
        let mut source = open(&self.args.source, &self.session.config, self.wish)?;
        source.resample_to(self.target_um_per_px)?;
        Ok(source)
    }

    fn analyst(&mut self, _why: Option<&Error>) -> Result<Box<dyn Analyst>> {
        let pipeline = match self.pipeline.take() {
            Some(pipeline) => pipeline,
            None => self.session.pipeline()?,
        };
        Ok(Box::new(CliAnalyst {
            pipeline,
            any_quality: self.args.any_quality,
            pictures: KeptPictures::new(self.out, self.args.save_every),
            tally: Arc::clone(&self.tally),
            page: self.page.clone(),
            latest: None,
        }))
    }

    fn recorder(&mut self) -> Result<Box<dyn Recorder>> {
        let log = RunLog::open(self.out, &self.started_utc, self.um_per_px)?;
        Ok(Box::new(CliRecorder { log: Some(log), quiet: self.session.quiet, tally: Arc::clone(&self.tally) }))
    }
}
