//! What the stages of a run share: the queues between them, and what each reports to the others (`tally`, `pulses`).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    Counts,
    answer::Answer,
    pulses::Pulses,
    queue::Queue,
    state::{Reason, Stage, State},
    stop::Stop,
    tally::Tally,
};
use crate::{
    camera::{Pacing, counters::CameraCounters},
    run::limits::{EVENT_QUEUE_LEN, FRAME_QUEUE_LEN, RECORD_POOL_LEN, RECORD_QUEUE_LEN},
};
use bloodseg_clock::Clock;
use bloodseg_records::{count::Summary, frame_record::FrameRecord, validation::Correction};
use bloodseg_statistics::drift::Figure;
use bloodseg_vision::frame::Frame;

/// What goes from the analysis to the records.
// The memory of the queue is allocated once; a box would allocate for every frame.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Message {
    /// An analysed frame.
    Frame(FrameRecord),
    /// A frame that the analysis refused: its number, its name, and why.
    Refused(u64, String, String),
}

/// An event of the run.
#[derive(Debug)]
pub struct Happening {
    /// Its kind, one word.
    pub kind: &'static str,
    /// What happened.
    pub words: String,
}

/// See the module documentation.
#[derive(Debug)]
pub struct Shared {
    /// Frames between the capture and the analysis.
    pub frames: Queue<Frame, FRAME_QUEUE_LEN>,
    /// What is to be recorded.
    pub records: Queue<Message, RECORD_QUEUE_LEN>,
    /// Events to be recorded.
    pub happenings: Queue<Happening, EVENT_QUEUE_LEN>,
    /// Old records, whose memory is reused.
    pub spares: Queue<FrameRecord, RECORD_POOL_LEN>,
    /// The user's stop request.
    pub stop: Arc<Stop>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Whether the source waits for the analysis.
    pub pacing: Pacing,
    began: Duration,
    pulses: Pulses,
    tally: Tally,
    camera: Mutex<Option<CameraCounters>>,
    state: Mutex<State>,
    why: Mutex<&'static str>,
    answer: Mutex<Answer>,
}

impl Shared {
    /// For a run that starts now.
    pub fn new(stop: Arc<Stop>, clock: Arc<dyn Clock>, pacing: Pacing) -> Self {
        Self {
            frames: Queue::new(),
            records: Queue::new(),
            happenings: Queue::new(),
            spares: Queue::new(),
            stop,
            began: clock.elapsed(),
            clock,
            pacing,
            pulses: Pulses::default(),
            tally: Tally::default(),
            camera: Mutex::new(None),
            state: Mutex::new(State::Starting),
            why: Mutex::new("broke off"),
            answer: Mutex::new(Answer::default()),
        }
    }

    /// Time since the start of the run.
    pub fn now(&self) -> Duration {
        self.clock.elapsed().saturating_sub(self.began)
    }

    /// A new thread for `stage`: the number that it reports with each loop.
    pub fn hand_over(&self, stage: Stage) -> u32 {
        self.pulses.hand_over(stage)
    }

    /// Records a heartbeat of thread `generation` of `stage`, and returns whether it is still the current one.
    pub fn turn(&self, stage: Stage, generation: u32) -> bool {
        self.pulses.turn(stage, generation)
    }

    /// Whether thread `generation` of `stage` is the current one.
    pub fn counts_on(&self, stage: Stage, generation: u32) -> bool {
        self.pulses.counts_on(stage, generation)
    }

    /// What was counted so far, and of which sample.
    pub fn answer(&self) -> Answer {
        lock(&self.answer).clone()
    }

    /// Sets what was counted so far.
    pub fn set_answer(&self, sample: Option<&str>, summary: Option<Summary>, corrected: Option<Correction>) {
        let mut answer = lock(&self.answer);
        (answer.summary, answer.corrected) = (summary, corrected);
        if answer.sample.as_deref() != sample {
            answer.sample = sample.map(str::to_owned);
        }
    }

    /// Sets which of [`Figure::ALL`] have drifted.
    pub fn set_drifted(&self, drifted: [bool; Figure::ALL.len()]) {
        lock(&self.answer).drifted = drifted;
    }

    /// Loops of a stage so far.
    pub fn turns(&self, stage: Stage) -> u64 {
        self.pulses.turns(stage)
    }

    /// Frames by how they ended, so far.
    pub fn counts(&self) -> Counts {
        self.tally.counts(self.frames.dropped())
    }

    /// Frames whose records were kept, so far. Those that were analysed and wait for the disk are not included.
    pub fn kept(&self) -> u64 {
        self.tally.kept()
    }

    /// The camera's counters as last reported.
    pub fn camera(&self) -> Option<CameraCounters> {
        *lock(&self.camera)
    }

    /// The state of the run.
    pub fn state(&self) -> State {
        *lock(&self.state)
    }

    /// The most serious problem reported by the stages.
    pub fn problem(&self) -> Option<Reason> {
        self.tally.problem()
    }

    /// Passes an event to the records; if the queue is full, the oldest unwritten event is dropped.
    pub fn happened(&self, kind: &'static str, words: String) {
        self.happenings.push(Happening { kind, words }, Pacing::Live);
    }

    /// Why the run ends, once that is known; until then, that it broke off.
    pub fn why(&self) -> &'static str {
        *lock(&self.why)
    }

    pub(super) fn set_why(&self, why: &'static str) {
        *lock(&self.why) = why;
    }

    pub(super) fn set_state(&self, state: State) {
        *lock(&self.state) = state;
    }

    pub(super) fn set_camera(&self, counters: Option<CameraCounters>, away: bool) {
        *lock(&self.camera) = counters;
        self.tally.set_camera_away(away);
    }

    /// Counts one more frame; returns its number.
    pub(super) fn captured_one(&self) -> u64 {
        self.tally.captured_one()
    }

    pub(super) fn unreadable_one(&self) {
        self.tally.unreadable_one();
    }

    pub(super) fn take_in_hand(&self) {
        self.tally.take_in_hand();
    }

    /// The current frame was analysed, or not. Counts it once, whichever thread reports it.
    pub(super) fn put_down(&self, analysed: bool) {
        self.tally.put_down(analysed);
    }

    /// Passes a record on. If the queue is full and the source does not wait, the oldest is dropped and not kept.
    pub(crate) fn record(&self, record: FrameRecord) {
        if let Some(Message::Frame(_)) = self.records.push(Message::Frame(record), self.pacing) {
            self.tally.not_kept_one();
        }
    }

    /// Counts what waits for a recorder that does not return as not kept.
    pub(super) fn give_up_records(&self) {
        self.records.close();
        while let Some(message) = self.records.take() {
            if matches!(message, Message::Frame(_)) {
                self.tally.not_kept_one();
            }
        }
        self.written(false);
    }

    pub(super) fn take_to_write(&self) {
        self.tally.take_to_write();
    }

    /// The current record was kept, or not. Counts it once, whichever thread reports it.
    pub(super) fn written(&self, kept: bool) {
        self.tally.written(kept);
    }
}

// A thread that panicked while holding a lock left no partial change: every change is one step.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::record;
    use bloodseg_clock::SystemClock;

    #[test]
    fn frames_pushed_out_of_record_queue_count_as_not_kept() {
        let shared = Shared::new(Arc::default(), Arc::new(SystemClock::start()), Pacing::Live);
        assert!(shared.records.offer(Message::Refused(1, String::new(), String::new())));
        for number in 0..RECORD_QUEUE_LEN as u64 {
            shared.record(record(number, 1));
        }
        assert_eq!(shared.counts().not_kept, 0);
        shared.record(record(9, 1));
        assert_eq!(shared.counts().not_kept, 1);
        shared.give_up_records();
        assert_eq!(shared.counts().not_kept, 1 + RECORD_QUEUE_LEN as u64);
    }

    #[test]
    fn kept_frames_are_counted_once_when_written() {
        let shared = Shared::new(Arc::default(), Arc::new(SystemClock::start()), Pacing::Live);
        let mut seen = Vec::new();
        // Whether each was kept; the last is reported twice, as by a thread that returns late.
        for kept in [true, false, true] {
            shared.take_in_hand();
            shared.put_down(true);
            seen.push(shared.kept());
            shared.take_to_write();
            shared.written(kept);
            seen.push(shared.kept());
        }
        shared.written(true);
        seen.push(shared.kept());
        assert_eq!(seen, [0, 1, 1, 1, 1, 2, 2]);
        let Counts { analysed, not_kept, .. } = shared.counts();
        assert_eq!((analysed, not_kept), (3, 1));
    }
}
