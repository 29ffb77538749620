//! Collects a few frames from a source, for commands other than `run`.

use std::{
    thread,
    time::{Duration, Instant},
};

use image::RgbImage;

use crate::{
    camera::{FrameSource, Next},
    error::{Error, Result},
};

/// A source without frames for this long is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest single sleep.
const NAP: Duration = Duration::from_millis(100);

/// Passes up to `count` frames to `use_frame`; returns how many there were. Unreadable frames are skipped.
///
/// # Errors
/// Those of the source and of `use_frame`, and [`Error::Source`] if no frame arrives for 20 s or none is readable.
pub(super) fn take(
    source: &mut dyn FrameSource,
    count: u32,
    mut use_frame: impl FnMut(&RgbImage) -> Result<()>,
) -> Result<u32> {
    let (start, mut last, mut taken) = (Instant::now(), Instant::now(), 0);
    while taken < count {
        match source.next_frame(start.elapsed())? {
            Next::Frame(frame) => {
                use_frame(&frame.picture)?;
                taken += 1;
                last = Instant::now();
            }
            Next::Unreadable(error) => log::warn!("frame skipped: {error}"),
            Next::Wait(until) => thread::sleep(until.saturating_sub(start.elapsed()).min(NAP)),
            Next::End => break,
        }
        if last.elapsed() > PATIENCE {
            return Err(none(source, format!("no frame for {} s", PATIENCE.as_secs())));
        }
    }
    if taken == 0 { Err(none(source, "no readable frame".to_owned())) } else { Ok(taken) }
}

fn none(source: &dyn FrameSource, found: String) -> Error {
    Error::frames(source.name().to_owned(), found, "See the warnings; check the camera")
}
