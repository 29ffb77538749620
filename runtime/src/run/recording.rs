//! The last stage: cells to the disk.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    queue::Popped,
    shared::{Happening, Message, Shared},
    state::Stage,
    work::{Step, Work},
};
use bloodseg_records::frame_record::FrameRecord;

/// Records the frames of a run.
pub trait Recorder: Send + fmt::Debug {
    /// Records a frame, and returns whether it would survive a power failure right now.
    fn keep(&mut self, record: &FrameRecord) -> bool;

    /// A frame was refused by the analysis.
    fn refused(&mut self, number: u64, name: &str, why: &str);

    /// An event of the run.
    fn happened(&mut self, kind: &str, words: &str);

    /// Nothing came for a while.
    fn idle(&mut self) {}

    /// There will be no more.
    fn end(&mut self) {}
}

/// See the module documentation.
#[derive(Debug)]
pub struct Recording {
    shared: Arc<Shared>,
    generation: u32,
    recorder: Box<dyn Recorder>,
}

impl Recording {
    /// Takes over from the previous recording thread, as the thread with this number.
    pub fn new(shared: &Arc<Shared>, generation: u32, recorder: Box<dyn Recorder>) -> Self {
        Self { generation, shared: Arc::clone(shared), recorder }
    }
}

impl Work for Recording {
    fn step(&mut self, patience: Duration) -> Step {
        if !self.shared.turn(Stage::Records, self.generation) {
            return Step::Retired;
        }
        let next = self.shared.records.pop_within(patience);
        while let Some(Happening { kind, words }) = self.shared.happenings.take() {
            self.recorder.happened(kind, &words);
        }
        match next {
            Popped::Item(Message::Frame(record)) => {
                self.shared.take_to_write();
                let kept = self.recorder.keep(&record);
                self.shared.written(kept);
                // There is room for every record that exists.
                let _ = self.shared.spares.offer(record);
                Step::Again
            }
            Popped::Item(Message::Refused(number, name, why)) => {
                self.recorder.refused(number, &name, &why);
                Step::Again
            }
            Popped::Nothing => {
                self.recorder.idle();
                Step::Idle
            }
            Popped::Closed => {
                self.recorder.end();
                Step::Finished(None)
            }
        }
    }
}
