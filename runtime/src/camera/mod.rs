//! Sources of frames: cameras, a folder replayed, the simulated `demo`.
//!
//! A source never reads the clock and never sleeps: the time comes in as an argument, and a source that has
//! nothing yet says from when on it will. So tests run hours of camera in no time.

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

/// What a source has at the moment.
#[derive(Debug)]
pub enum Next {
    /// A frame.
    Frame(Frame),
    /// Nothing before this time; ask again then.
    Wait(Duration),
    /// Something that should have been a frame; the source goes on with the next one.
    Unreadable(Error),
    /// No more frames, ever.
    End,
}

/// What happens when frames come faster than they are analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pacing {
    /// Frames come when they come: the oldest waiting one is dropped.
    Live,
    /// The source waits: every frame is analysed.
    Lossless,
}

/// What a config has to name so that a camera gives the same frames again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sensor {
    /// The device file.
    pub device: PathBuf,
    /// Width and height of its frames in pixels, before a region is cut out.
    pub size_px: (u32, u32),
}

/// What the frames of a source take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Width and height of the largest, in pixels.
    pub frame_px: (u32, u32),
    /// Width and height of the largest at the scale of the models, where that is known.
    pub analysed_px: Option<(u32, u32)>,
    /// Most bytes of the heap that making one takes, beyond what the source has all the time and the frame itself.
    pub making_bytes: u64,
}

impl Need {
    /// Frames of one size that cost nothing to make.
    pub fn of([width, height]: [u32; 2]) -> Self {
        Self { frame_px: (width, height), analysed_px: Some((width, height)), making_bytes: 0 }
    }
}

impl Default for Need {
    /// One tile that costs nothing to make.
    fn default() -> Self {
        Self::of([TILE_PX; 2])
    }
}

/// Where frames come from.
pub trait FrameSource: fmt::Debug + Send {
    /// Short name, as the user gave it.
    fn name(&self) -> &str;

    /// One line on what it is, for the user.
    fn describe(&self) -> String;

    /// Whether its frames are files of a person, each of which counts; a camera now and then has a torn one.
    fn is_of_files(&self) -> bool {
        false
    }

    /// Whether it can wait.
    fn pacing(&self) -> Pacing;

    /// Width and height of every whole frame in pixels, where the source knows; others are torn.
    fn frame_size_px(&self) -> Option<(u32, u32)> {
        None
    }

    /// What its frames take: what memory is reckoned with before a run. A folder reads the header of each picture.
    fn need(&self) -> Need {
        self.frame_size_px().map_or_else(Need::default, |(width, height)| Need::of([width, height]))
    }

    /// From now on, frames that need more than was reckoned with are unreadable, where the source could have such.
    fn hold_to(&mut self, _need: Need) {}

    /// Edge of a pixel of its input in the specimen, in micrometres, where the source knows: of the sensor, of the files.
    fn um_per_px(&self) -> Option<f64> {
        None
    }

    /// Whether its frames have to be brought to the scale of the models; else they are analysed as they are.
    fn needs_scale(&self) -> bool {
        false
    }

    /// How many pictures it has, of a source that can show each before its turn.
    fn pictures(&self) -> usize {
        0
    }

    /// Shows a picture before its turn, counted from 0, with what is known of it.
    ///
    /// # Errors
    /// Those of reading it.
    fn peek(&self, _at: usize) -> Result<(RgbImage, Scaled)> {
        Err(Error::internal("source", "it shows nothing before its turn"))
    }

    /// Asks a source whose frames it can shrink on their way to keep them to so many pixels each.
    ///
    /// # Errors
    /// [`Error::Source`] when the frames would have no pixels.
    fn shrink_to(&mut self, _most_px: u64) -> Result<()> {
        Ok(())
    }

    /// Asks a source that knows the pitch of its frames to resample them to another, in micrometres a pixel, above 0.
    /// Others leave their frames as they are.
    ///
    /// # Errors
    /// [`Error::Source`] when the frames would have no pixels or too many.
    fn resample_to(&mut self, _um_per_px: f64) -> Result<()> {
        Ok(())
    }

    /// The sensor behind it, of a camera.
    fn sensor(&self) -> Option<Sensor> {
        None
    }

    /// Goes on where the one before it broke, which delivered so many frames, and others that were unreadable: no two frames
    /// of a run may have one name, and no picture of a folder comes twice.
    fn go_on_after(&mut self, _frames: u64, _unreadable: u64) {}

    /// Whether its device is away at the moment.
    fn is_away(&self) -> bool {
        false
    }

    /// What it went through, where it counts that.
    fn counters(&self) -> Option<CameraCounters> {
        None
    }

    /// The next frame, if there is one at `now`, the time since the run began.
    /// Returns soon: at most one frame is read or rendered a call.
    ///
    /// # Errors
    /// [`Error::Source`] when the source is lost. A single bad frame is [`Next::Unreadable`] instead.
    fn next_frame(&mut self, now: Duration) -> Result<Next>;
}

/// When frames are due, at a steady rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clockwork {
    period: Duration,
    due: Duration,
}

impl Clockwork {
    /// A frame every `1 / fps` seconds; `fps` above 0 (absurd values are brought into reach).
    pub(crate) fn new(fps: f64) -> Self {
        Self { period: Duration::from_secs_f64(1.0 / fps.clamp(1e-3, 1e4)), due: Duration::ZERO }
    }

    /// Time from frame to frame.
    pub(crate) fn period(&self) -> Duration {
        self.period
    }

    /// Nothing when a frame is due at `now`, which is then taken; else the time to wait for.
    /// Who comes late gets one frame, not all that were missed.
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
    fn clockwork_keeps_its_beat_and_forgets_what_was_missed() {
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
