//! The loop of a live run: source -> queue -> analysis -> records.
//!
//! Two threads: one captures, the calling one analyses and records. Every frame that the source delivers ends
//! in one of three ways, so that `captured = analysed + dropped + failed` holds at the end of every run.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use image::RgbImage;

use super::{
    Analysis, Pipeline,
    queue::{FrameQueue, Popped},
    stop::Stop,
};
use crate::{
    camera::{Frame, FrameSource, Next, Pacing},
    error::{Error, Result},
    limits::{LOGGED_IN_A_ROW, LONGEST_NAP, MAX_FRAME_PX},
};

/// Frames, by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Delivered by the source.
    pub captured: u64,
    /// Analysed and recorded.
    pub analysed: u64,
    /// Dropped because newer ones had come, or because the run was stopped.
    pub dropped: u64,
    /// Torn, too large, or refused by the analysis.
    pub failed: u64,
    /// Never became frames: the source could not read them. Not among the captured.
    pub unreadable: u64,
}

/// Why a run ended.
#[derive(Debug)]
pub enum Ended {
    /// The source has no more frames.
    SourceEnded,
    /// As many frames were captured as were asked for.
    EnoughFrames,
    /// A stop was asked for.
    Stopped,
    /// The source was lost, or the records could not be written.
    Broke(Error),
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// Frames, by how they ended.
    pub counts: Counts,
    /// Why it ended.
    pub ended: Ended,
}

/// What becomes of a frame; `record` is called for each.
#[derive(Debug)]
pub enum Event<'a> {
    /// Analysed; with the number of frames dropped so far.
    Analysed(Frame, &'a Analysis, u64),
    /// Could not be analysed; the run goes on.
    Failed(Frame, Error),
    /// No frame came for a second, and the capturing thread is known to live: the sign of life of an idle run.
    Idle,
}

/// What a run asks for each picture; the answer is looked at before the next question.
pub trait Analyse {
    /// Analyses a picture.
    ///
    /// # Errors
    /// Those of the analysis.
    fn analyse(&mut self, picture: &RgbImage) -> Result<&Analysis>;
}

/// A pipeline, and whether it counts cells whatever the verdict says.
#[derive(Debug)]
pub struct Analyser<'a> {
    /// The pipeline.
    pub pipeline: &'a mut Pipeline,
    /// Whether frames that are not good are counted too.
    pub any_quality: bool,
}

impl Analyse for Analyser<'_> {
    fn analyse(&mut self, picture: &RgbImage) -> Result<&Analysis> {
        if self.any_quality { self.pipeline.analyse_any(picture) } else { self.pipeline.analyse(picture) }
    }
}

/// Runs a source until it ends, `most_frames` are captured, or `stop` is raised.
///
/// A frame that the analysis refuses ([`Error::Picture`], [`Error::Input`]) is counted and left out; any other
/// error of the analysis, and any error of `record`, ends the run. After a stop, frames that wait are dropped;
/// after the last frame they are still analysed.
pub fn run(
    source: &mut dyn FrameSource,
    most_frames: Option<u64>,
    stop: &Stop,
    analysis: &mut impl Analyse,
    mut record: impl FnMut(Event<'_>) -> Result<()>,
) -> Outcome {
    let queue = FrameQueue::new();
    // The record of an analysis may break the run; the capturing thread must not take that for the user's stop.
    let enough = Stop::default();
    let (captured, unreadable, turns) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let mut counts = Counts::default();
    let size_px = source.frame_size_px();
    let mut broke = None;
    let ended = thread::scope(|scope| {
        let capturing = scope.spawn(|| {
            // Closes the queue even when a source panics, so that the analysis never waits for ever.
            let _close = CloseOnDrop(&queue);
            capture(source, most_frames, &queue, [stop, &enough], [&captured, &unreadable, &turns])
        });
        let mut turns_before = 0;
        loop {
            let frame = match queue.pop_within(LONGEST_NAP) {
                Popped::Frame(frame) => frame,
                Popped::Closed => break,
                Popped::Nothing => {
                    let turns_now = turns.load(Ordering::Relaxed);
                    if turns_now != turns_before
                        && let Err(error) = record(Event::Idle)
                    {
                        broke = Some(error);
                        enough.raise();
                        queue.abandon();
                    }
                    turns_before = turns_now;
                    continue;
                }
            };
            let event = match check(&frame, size_px).and_then(|()| analysis.analyse(&frame.picture)) {
                Ok(analysis) => {
                    counts.analysed += 1;
                    Ok(Event::Analysed(frame, analysis, queue.dropped()))
                }
                Err(error @ (Error::Picture { .. } | Error::Input { .. })) => {
                    counts.failed += 1;
                    Ok(Event::Failed(frame, error))
                }
                Err(error) => {
                    counts.failed += 1;
                    Err(error)
                }
            };
            if let Err(error) = event.and_then(&mut record) {
                broke = Some(error);
                enough.raise();
            }
            if stop.is_raised() || broke.is_some() {
                queue.abandon();
            }
        }
        capturing.join().unwrap_or_else(|_| Ended::Broke(Error::internal("capture", "the source panicked")))
    });
    counts.captured = captured.into_inner();
    counts.unreadable = unreadable.into_inner();
    counts.dropped = queue.dropped();
    Outcome { counts, ended: broke.map_or(ended, Ended::Broke) }
}

struct CloseOnDrop<'a>(&'a FrameQueue);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Brings frames from the source to the queue, at the source's own pace.
fn capture(
    source: &mut dyn FrameSource,
    most_frames: Option<u64>,
    queue: &FrameQueue,
    stops: [&Stop; 2],
    [captured, unreadable, turns]: [&AtomicU64; 3],
) -> Ended {
    let start = Instant::now();
    let pacing = source.pacing();
    let mut in_a_row = 0_u64;
    loop {
        turns.fetch_add(1, Ordering::Relaxed);
        if most_frames.is_some_and(|most| captured.load(Ordering::Relaxed) >= most) {
            return Ended::EnoughFrames;
        }
        if stops.iter().any(|stop| stop.is_raised()) {
            queue.abandon();
            return Ended::Stopped;
        }
        match source.next_frame(start.elapsed()) {
            Ok(Next::Frame(frame)) => {
                captured.fetch_add(1, Ordering::Relaxed);
                in_a_row = 0;
                queue.push(frame, pacing);
            }
            Ok(Next::Wait(due)) => {
                stops[0].sleep(due.saturating_sub(start.elapsed()).min(LONGEST_NAP));
            }
            Ok(Next::Unreadable(error)) => {
                unreadable.fetch_add(1, Ordering::Relaxed);
                in_a_row += 1;
                // A camera with a bad cable must not fill the log; a folder's pictures are named each.
                if pacing == Pacing::Lossless || in_a_row <= LOGGED_IN_A_ROW || in_a_row.is_power_of_two() {
                    log::warn!("frame left out: {error}");
                }
            }
            Ok(Next::End) => return Ended::SourceEnded,
            Err(error) => return Ended::Broke(error),
        }
    }
}

/// Whether a frame is whole and of a size that is analysed.
fn check(frame: &Frame, size_px: Option<(u32, u32)>) -> Result<()> {
    let (width, height) = frame.picture.dimensions();
    if let Some((whole_width, whole_height)) = size_px
        && (width, height) != (whole_width, whole_height)
    {
        let found = format!("a torn frame of {width}x{height} pixels");
        return Err(Error::picture(found, format!("{whole_width}x{whole_height}"), "Check the camera's cable"));
    }
    if u64::from(width) * u64::from(height) > MAX_FRAME_PX {
        let found = format!("a frame of {width}x{height} pixels");
        return Err(Error::picture(found, format!("at most {MAX_FRAME_PX} pixels"), "Choose a smaller frame size"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
