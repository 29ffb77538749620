//! Sources of frames: cameras, a replayed folder, the simulated `demo`.
//!
//! A source never reads the clock and never sleeps: time is an argument, and a source without a frame says when to ask
//! again. So tests simulate hours of camera in no time.

pub mod counters;
pub mod demo;
pub mod device;
pub mod faults;
pub mod folder;
pub mod intake;
pub mod limits;
pub mod link;
pub mod live;
pub mod open;

use std::{fmt, path::PathBuf, time::Duration};

use image::RgbImage;

use crate::error::{Error, Result};
use bloodseg_vision::{frame::Frame, geometry::TILE_PX, placement::Scaled};
use counters::CameraCounters;

/// The current output of a source.
#[derive(Debug)]
pub enum Next {
    /// A frame.
    Frame(Frame),
    /// Nothing before this time; ask again then.
    Wait(Duration),
    /// A frame that could not be read; the source continues with the next one.
    Unreadable(Error),
    /// No more frames.
    End,
}

/// What happens if frames come faster than they are analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pacing {
    /// Frames keep arriving: the oldest queued one is dropped.
    Live,
    /// The source waits: every frame is analysed.
    Lossless,
}

/// The config that gives the same camera frames again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sensor {
    /// The device file.
    pub device: PathBuf,
    /// Width and height of its frames in pixels, before cropping to a region.
    pub size_px: (u32, u32),
}

/// The sizes and memory needs of a source's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Width and height of the largest, in pixels.
    pub frame_px: (u32, u32),
    /// Width and height of the largest at the scale of the models, if known.
    pub analysed_px: Option<(u32, u32)>,
    /// Maximum heap bytes for producing one, beyond the source's permanent memory and the frame itself.
    pub making_bytes: u64,
}

impl Need {
    /// Frames of one size without a production cost.
    pub fn of([width, height]: [u32; 2]) -> Self {
        Self { frame_px: (width, height), analysed_px: Some((width, height)), making_bytes: 0 }
    }
}

impl Default for Need {
    /// One tile without a production cost.
    fn default() -> Self {
        Self::of([TILE_PX; 2])
    }
}

/// Where frames come from.
pub trait FrameSource: fmt::Debug + Send {
    /// Short name, as the user gave it.
    fn name(&self) -> &str;

    /// One-line description for the user.
    fn describe(&self) -> String;

    /// Whether its frames are files, each of which matters; a camera occasionally delivers a torn frame.
    fn is_of_files(&self) -> bool {
        false
    }

    /// Whether it can wait.
    fn pacing(&self) -> Pacing;

    /// Width and height of every complete frame in pixels, if the source knows; others are torn.
    fn frame_size_px(&self) -> Option<(u32, u32)> {
        None
    }

    /// The needs of its frames, for computing the memory before a run. A folder reads the header of each picture.
    fn need(&self) -> Need {
        self.frame_size_px().map_or_else(Need::default, |(width, height)| Need::of([width, height]))
    }

    /// From now on, frames that need more than the budget assumes are unreadable, if the source can have such.
    fn hold_to(&mut self, _need: Need) {}

    /// Edge of an input pixel in the specimen, in micrometres, if the source knows: of the sensor or of the files.
    fn um_per_px(&self) -> Option<f64> {
        None
    }

    /// Whether its frames must be scaled for the models; otherwise they are analysed as they are.
    fn needs_scale(&self) -> bool {
        false
    }

    /// Number of pictures, for a source with random access.
    fn pictures(&self) -> usize {
        0
    }

    /// Reads a picture out of turn, counted from 0, with its placement and pitch.
    ///
    /// # Errors
    /// Those of reading it.
    fn peek(&self, _at: usize) -> Result<(RgbImage, Scaled)> {
        Err(Error::internal("source", "it has no random access"))
    }

    /// Asks a source that can shrink its frames to limit them to this many pixels each.
    ///
    /// # Errors
    /// [`Error::Source`] if the frames would have no pixels.
    fn shrink_to(&mut self, _most_px: u64) -> Result<()> {
        Ok(())
    }

    /// Asks a source that knows the pitch of its frames to resample them to another, in micrometres per pixel, above 0.
    /// Others leave their frames unchanged.
    ///
    /// # Errors
    /// [`Error::Source`] if the frames would have no pixels or too many.
    fn resample_to(&mut self, _um_per_px: f64) -> Result<()> {
        Ok(())
    }

    /// The sensor of a camera.
    fn sensor(&self) -> Option<Sensor> {
        None
    }

    /// Continues after an earlier source that delivered this many frames, and others that were unreadable, so that frame
    /// names and pictures are not repeated.
    fn go_on_after(&mut self, _frames: u64, _unreadable: u64) {}

    /// Whether its device is currently missing.
    fn is_away(&self) -> bool {
        false
    }

    /// Its counters, if it has any.
    fn counters(&self) -> Option<CameraCounters> {
        None
    }

    /// The next frame at `now`, the time since the run began. Returns soon: at most one frame is read or rendered per
    /// call.
    ///
    /// # Errors
    /// [`Error::Source`] if the source is lost. A single bad frame is [`Next::Unreadable`] instead.
    fn next_frame(&mut self, now: Duration) -> Result<Next>;
}

/// A steady frame rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clockwork {
    period: Duration,
    due: Duration,
}

impl Clockwork {
    /// A frame every `1 / fps` seconds; `fps` above 0 (implausible values are clamped).
    pub(crate) fn new(fps: f64) -> Self {
        Self { period: Duration::from_secs_f64(1.0 / fps.clamp(1e-3, 1e4)), due: Duration::ZERO }
    }

    /// Time from frame to frame.
    pub(crate) fn period(&self) -> Duration {
        self.period
    }

    /// `None` if a frame is due at `now`, which is then consumed; otherwise the time to wait for. Missed frames are not
    /// made up for.
    pub(crate) fn take(&mut self, now: Duration) -> Option<Duration> {
        if now < self.due {
            return Some(self.due);
        }
        self.due += self.period;
        if self.due <= now {
            self.due = now + self.period;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clockwork_keeps_rate_and_drops_missed_frames() {
        let ms = Duration::from_millis;
        let mut clock = Clockwork::new(10.0);
        assert_eq!(clock.take(ms(0)), None);
        assert_eq!(clock.take(ms(1)), Some(ms(100)));
        assert_eq!(clock.take(ms(130)), None);
        assert_eq!(clock.take(ms(131)), Some(ms(200)));
        assert_eq!(clock.take(ms(1000)), None);
        assert_eq!(clock.take(ms(1000)), Some(ms(1100)));
    }
}
