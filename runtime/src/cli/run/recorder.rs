//! The recorder of a run: stores records, and prints a line per frame once its record is safe.

use std::sync::{Arc, Mutex, PoisonError};

use super::lines::{FrameLine, Tally};
use crate::{
    cli::voice::Voice,
    run::{recording::Recorder, shared::Shared},
};
use bloodseg_records::{
    frame_record::FrameRecord,
    keeper::Kept,
    run_log::{RunEnd, RunLog, Tables},
};

/// See the module documentation.
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
        let lost = self.shared.counts().not_kept;
        let kept = self.log.as_mut().is_some_and(|log| {
            log.lost_by_run(lost);
            log.record(record) == Kept::Durable
        });
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
        let models = self.tally.lock().unwrap_or_else(PoisonError::into_inner).models.take();
        if let Some(log) = &mut self.log {
            if let Some(models) = models {
                log.models(models);
            }
            log.event(kind, words);
        }
    }

    fn end(&mut self) {
        let Some(mut log) = self.log.take() else { return };
        let counters = log.end(self.shared.why(), self.shared.counts().not_kept);
        // Printed before the tables are made: they may take longer than the run waits for its threads.
        self.tally(|tally| tally.end = Some(RunEnd { counters, tables: Tables::CutShort }));
        let tables = log.tables(&|| self.shared.stop.is_raised());
        self.tally(|tally| tally.end = Some(RunEnd { counters, tables }));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::fixture::{noon, record, run};
    use crate::{
        camera::Pacing,
        run::{limits::RECORD_QUEUE_LEN, shared::Message, stop::Stop},
    };
    use bloodseg_clock::{Clock, VirtualClock};
    use bloodseg_records::store::{read::Records, retention::Retention};

    #[test]
    fn frames_lost_before_the_recorder_are_counted_in_the_records() {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(VirtualClock::at(noon()));
        let shared = Arc::new(Shared::new(Arc::new(Stop::default()), Arc::clone(&clock), Pacing::Live));
        let retention = Retention { most_bytes: 1 << 30, most_age_ms: None, oldest_make_room: false };
        let log = RunLog::open(folder.path(), &run(None), &retention, false, clock).unwrap();
        let tally = Arc::default();
        let mut recorder =
            CliRecorder { shared: Arc::clone(&shared), log: Some(log), voice: Voice::begin(), quiet: true, tally };
        for number in 1..=RECORD_QUEUE_LEN as u64 + 3 {
            shared.record(record(number, 1));
        }
        while let Some(Message::Frame(record)) = shared.records.take() {
            assert!(recorder.keep(&record));
        }
        recorder.end();
        let records = Records::open(folder.path()).unwrap();
        assert_eq!(records.run(1).unwrap().unwrap().not_kept, 3);
        let (events, _) = records.events(1, 9).unwrap();
        assert!(
            matches!(&events[..], [event] if event.kind == "not-kept" && event.text.starts_with("3 frames")),
            "{events:?}"
        );
    }
}
