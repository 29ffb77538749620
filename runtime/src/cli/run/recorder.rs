//! The recorder of a run: records, and a line a frame on stdout once they are safe.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    super::voice::Voice,
    lines::{FrameLine, MODELS_LEFT, Tally},
};
use crate::{
    records::{frame_record::FrameRecord, keeper::Kept, run_log::RunLog},
    run::{recording::Recorder, shared::Shared},
};

/// See the module.
#[derive(Debug)]
pub(super) struct CliRecorder {
    pub(super) shared: Arc<Shared>,
    pub(super) log: Option<RunLog>,
    pub(super) voice: Voice,
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
        let kept = self.log.as_mut().is_some_and(|log| log.record(record) == Kept::Durable);
        self.tally(|tally| tally.add(record));
        if !self.quiet {
            self.voice.line(FrameLine(record, kept));
        }
        kept
    }

    fn refused(&mut self, number: u64, name: &str, why: &str) {
        self.voice.problem(format_args!("frame {number} ({name}): {why}"));
    }

    fn happened(&mut self, kind: &str, words: &str) {
        let models =
            if kind == MODELS_LEFT { self.tally.lock().ok().and_then(|mut tally| tally.models.take()) } else { None };
        if let Some(log) = &mut self.log {
            if let Some(models) = models {
                log.models(models);
            }
            log.event(kind, words);
        }
    }

    fn end(&mut self) {
        let Some(log) = self.log.take() else { return };
        let end = log.end(self.shared.why());
        self.tally(|tally| tally.end = Some(end));
    }
}
