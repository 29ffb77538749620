//! The recorder of a run: the tables, and a line a frame on stdout.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    super::print,
    lines::{self, Tally},
};
use crate::{
    records::{frame_record::FrameRecord, run_log::RunLog},
    run::recording::Recorder,
};

/// See the module.
#[derive(Debug)]
pub(super) struct CliRecorder {
    pub(super) log: Option<RunLog>,
    pub(super) quiet: bool,
    pub(super) tally: Arc<Mutex<Tally>>,
}

impl CliRecorder {
    fn tally(&self, note: impl FnOnce(&mut Tally)) {
        note(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Recorder for CliRecorder {
    fn keep(&mut self, record: &FrameRecord) -> bool {
        let kept = match self.log.as_mut().map(|log| log.record(record)) {
            Some(Err(error)) => {
                log::error!("frame {} is not kept: {error}", record.number);
                false
            }
            Some(Ok(())) => true,
            None => false,
        };
        self.tally(|tally| tally.add(record));
        if !self.quiet {
            print::line(lines::frame(record, kept));
        }
        kept
    }

    fn refused(&mut self, number: u64, name: &str, why: &str) {
        print::problem(format_args!("frame {number} ({name}): {why}"));
    }

    fn happened(&mut self, _kind: &str, _words: &str) {}

    fn end(&mut self) {
        let ended = self.log.take().map_or(Ok(()), RunLog::end);
        self.tally(|tally| tally.tables = ended);
    }
}
