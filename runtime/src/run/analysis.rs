//! The second stage: frames to cells.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    queue::Popped,
    shared::{Message, Shared},
    state::Stage,
    work::{Step, Work},
};
use crate::{
    camera::Pacing,
    error::{Error, ErrorKind, Result},
};
use bloodseg_records::{
    field::{Field, Seen},
    frame_record::FrameRecord,
    sample::Sample,
};
use bloodseg_vision::{frame::Frame, pipeline::Analysis};

/// Analyses the frames of a run.
pub trait Analyst: Send + fmt::Debug {
    /// Analyses a frame, and returns whether its cells were counted.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] rejects only this frame. After any other error the analyst is unusable and is replaced.
    fn analyse(&mut self, frame: &Frame) -> Result<(&Analysis, bool)>;

    /// The sample of the frame that was analysed last.
    fn sample(&self) -> Option<Arc<Sample>> {
        None
    }

    /// What that frame shows that earlier ones did not, and for each cell whether it was counted before.
    fn field(&self) -> Option<(Field, &[Seen])> {
        None
    }

    /// There will be no more frames.
    fn end(&mut self) {}
}

/// See the module documentation.
#[derive(Debug)]
pub struct Analysing {
    shared: Arc<Shared>,
    generation: u32,
    analyst: Box<dyn Analyst>,
    /// Width and height of every complete frame in pixels, if the source knows.
    size_px: Option<(u32, u32)>,
}

impl Analysing {
    /// Takes over from the previous analysis thread, as the thread with this number.
    pub fn new(shared: &Arc<Shared>, generation: u32, analyst: Box<dyn Analyst>, size_px: Option<(u32, u32)>) -> Self {
        Self { generation, shared: Arc::clone(shared), analyst, size_px }
    }

    fn analyse(&mut self, frame: &Frame) -> Result<FrameRecord> {
        check(frame, self.size_px)?;
        let (analysis, counted) = self.analyst.analyse(frame)?;
        let (dropped, at) = (self.shared.frames.dropped(), self.shared.clock.wall());
        let spare = self.shared.spares.take();
        let mut record = FrameRecord::of(frame.number, &frame.name, analysis, counted, dropped, at, spare);
        record.sample = self.analyst.sample();
        if let Some((field, seen)) = self.analyst.field() {
            record.field = Some(field);
            record.seen.extend_from_slice(seen);
        }
        Ok(record)
    }
}

impl Work for Analysing {
    fn step(&mut self, patience: Duration) -> Step {
        if !self.shared.turn(Stage::Analysis, self.generation) {
            return Step::Retired;
        }
        // Recorded frames are analysed no faster than their records are written; with a live source the analysis
        // continues, and the oldest record is not kept.
        if self.shared.pacing == Pacing::Lossless && !self.shared.records.room_within(patience) {
            return Step::Again;
        }
        let frame = match self.shared.frames.pop_within(patience) {
            Popped::Item(frame) => frame,
            Popped::Nothing => return Step::Idle,
            Popped::Closed => {
                self.analyst.end();
                return Step::Finished(None);
            }
        };
        self.shared.take_in_hand();
        match self.analyse(&frame) {
            Ok(record) => {
                self.shared.put_down(true);
                self.shared.record(record);
                Step::Again
            }
            Err(error) if error.kind() == ErrorKind::Input => {
                self.shared.put_down(false);
                let refused = Message::Refused(frame.number, frame.name.to_string(), error.to_string());
                // Not every one of many consecutive refusals is reported.
                let _ = self.shared.records.offer(refused);
                Step::Again
            }
            Err(error) => {
                self.shared.put_down(false);
                Step::Broke(error)
            }
        }
    }
}

/// Whether a frame is complete.
fn check(frame: &Frame, size_px: Option<(u32, u32)>) -> Result<()> {
    let (width, height) = frame.picture.dimensions();
    if let Some((whole_width, whole_height)) = size_px
        && (width, height) != (whole_width, whole_height)
    {
        let found = format!("an incomplete frame of {width}x{height} pixels");
        return Err(Error::picture(found, format!("{whole_width}x{whole_height}"), "Check the camera's cable"));
    }
    Ok(())
}
