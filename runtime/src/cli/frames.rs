//! Frames of a source, for commands that want a few of them at a stretch.

use std::{
    thread,
    time::{Duration, Instant},
};

use image::RgbImage;

use crate::{
    camera::{FrameSource, Next},
    error::{Error, Result},
};

/// A source that gives no frame for so long is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest sleep at a stretch.
const NAP: Duration = Duration::from_millis(100);

/// Hands up to `count` frames to `use_frame`; tells how many there were. Frames that cannot be read are left out.
///
/// # Errors
/// Those of the source and of `use_frame`, and [`Error::Source`] when no frame comes for 20 s or there is none at all.
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
            Next::Unreadable(error) => log::warn!("frame left out: {error}"),
            Next::Wait(until) => thread::sleep(until.saturating_sub(start.elapsed()).min(NAP)),
            Next::End => break,
        }
        if last.elapsed() > PATIENCE {
            return Err(none(source, format!("no frame for {} s", PATIENCE.as_secs())));
        }
    }
    if taken == 0 { Err(none(source, "no frame that can be read".to_owned())) } else { Ok(taken) }
}

fn none(source: &dyn FrameSource, found: String) -> Error {
    Error::frames(source.name().to_owned(), found, "The warnings say why; check the camera")
}
