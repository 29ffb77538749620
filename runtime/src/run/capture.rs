//! The first stage: frames from the source to the queue, at the source's own pace.

use std::{sync::Arc, time::Duration};

use super::{
    Counts, Ended,
    shared::Shared,
    state::Stage,
    work::{Step, Work},
};
use crate::{
    camera::{FrameSource, Next, Pacing, counters::CameraCounters},
    run::limits::{LOGGED_IN_A_ROW, REFUSED_IN_A_ROW},
};

/// See the module documentation.
#[derive(Debug)]
pub struct Capture {
    shared: Arc<Shared>,
    generation: u32,
    source: Box<dyn FrameSource>,
    most_frames: Option<u64>,
    unreadable_in_a_row: u64,
    /// Counters of the earlier sources.
    before: Option<CameraCounters>,
}

impl Capture {
    /// Takes over from the previous capture thread, as the thread with this number.
    pub fn new(
        shared: &Arc<Shared>,
        generation: u32,
        mut source: Box<dyn FrameSource>,
        most_frames: Option<u64>,
    ) -> Self {
        let Counts { captured, unreadable, .. } = shared.counts();
        source.go_on_after(captured, unreadable);
        Self {
            generation,
            before: shared.camera(),
            shared: Arc::clone(shared),
            source,
            most_frames,
            unreadable_in_a_row: 0,
        }
    }

    fn show(&self) {
        let counters = self.source.counters().map(|counters| counters + self.before.unwrap_or_default());
        // Unusable frames count like no frames.
        let useless = self.source.pacing() == Pacing::Live && self.unreadable_in_a_row >= REFUSED_IN_A_ROW;
        self.shared.set_camera(counters, useless || self.source.is_away());
    }
}

impl Work for Capture {
    fn step(&mut self, patience: Duration) -> Step {
        let shared = &self.shared;
        if !shared.turn(Stage::Capture, self.generation) {
            return Step::Retired;
        }
        if self.most_frames.is_some_and(|most| shared.counts().captured >= most) {
            return Step::Finished(Some(Ended::EnoughFrames));
        }
        if shared.stop.is_raised() {
            return Step::Finished(Some(Ended::Stopped));
        }
        // One frame waits while another is analysed; photographs may be large.
        if self.source.pacing() == Pacing::Lossless && !shared.frames.empty_within(patience) {
            return Step::Again;
        }
        let next = self.source.next_frame(shared.now());
        // It may have hung for minutes while another thread took its place.
        if !shared.counts_on(Stage::Capture, self.generation) {
            return Step::Retired;
        }
        self.show();
        match next {
            Ok(Next::Frame(mut frame)) => {
                self.unreadable_in_a_row = 0;
                frame.number = shared.captured_one();
                shared.frames.push(frame, Pacing::Live);
                Step::Again
            }
            Ok(Next::Wait(due)) => Step::Nap(due),
            Ok(Next::Unreadable(error)) => {
                shared.unreadable_one();
                self.unreadable_in_a_row += 1;
                let in_a_row = self.unreadable_in_a_row;
                // A camera with a bad cable must not fill the log; every unreadable picture of a folder is named.
                if self.source.pacing() == Pacing::Lossless || in_a_row <= LOGGED_IN_A_ROW || in_a_row.is_power_of_two()
                {
                    log::warn!("frame skipped: {error}");
                }
                Step::Again
            }
            Ok(Next::End) => Step::Finished(Some(Ended::SourceEnded)),
            Err(error) => Step::Finished(Some(Ended::Broke(error))),
        }
    }
}
