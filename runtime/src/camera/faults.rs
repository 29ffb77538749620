//! A faulty source for tests: a seeded wrapper around a real one.

use std::time::Duration;

use image::imageops;

use super::{FrameSource, Need, Next, Pacing, counters::CameraCounters};
use crate::error::Result;
use bloodseg_smear::draw::Draw;
use bloodseg_vision::frame::Frame;

/// How often each fault occurs; shares from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Faults {
    /// Frames that never arrive.
    pub lost: f64,
    /// Frames that arrive late.
    pub delayed: f64,
    /// The delay.
    pub delay: Duration,
    /// Truncated frames.
    pub torn: f64,
}

/// A source whose frames are lost, delayed and torn.
#[derive(Debug)]
pub struct Faulty<S> {
    source: S,
    faults: Faults,
    draw: Draw,
    held: Option<(Frame, Duration)>,
}

impl<S: FrameSource> Faulty<S> {
    /// Wraps a source; the same seed gives the same faults.
    pub fn new(source: S, faults: Faults, seed: u64) -> Self {
        Self { source, faults, draw: Draw::new(seed, 200), held: None }
    }
}

impl<S: FrameSource> FrameSource for Faulty<S> {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn describe(&self) -> String {
        format!("{}, with faults", self.source.describe())
    }

    fn pacing(&self) -> Pacing {
        self.source.pacing()
    }

    fn frame_size_px(&self) -> Option<(u32, u32)> {
        self.source.frame_size_px()
    }

    fn need(&self) -> Need {
        self.source.need()
    }

    fn hold_to(&mut self, need: Need) {
        self.source.hold_to(need);
    }

    fn um_per_px(&self) -> Option<f64> {
        self.source.um_per_px()
    }

    fn needs_scale(&self) -> bool {
        self.source.needs_scale()
    }

    fn shrink_to(&mut self, most_px: u64) -> Result<()> {
        self.source.shrink_to(most_px)
    }

    fn resample_to(&mut self, um_per_px: f64) -> Result<()> {
        self.source.resample_to(um_per_px)
    }

    fn go_on_after(&mut self, frames: u64, unreadable: u64) {
        self.source.go_on_after(frames, unreadable);
    }

    fn is_away(&self) -> bool {
        self.source.is_away()
    }

    fn counters(&self) -> Option<CameraCounters> {
        self.source.counters()
    }

    fn next_frame(&mut self, now: Duration) -> Result<Next> {
        if let Some((frame, due)) = self.held.take() {
            if now < due {
                self.held = Some((frame, due));
                return Ok(Next::Wait(due));
            }
            return Ok(Next::Frame(frame));
        }
        let mut frame = match self.source.next_frame(now)? {
            Next::Frame(frame) => frame,
            other => return Ok(other),
        };
        if self.draw.chance(self.faults.lost) {
            return Ok(Next::Wait(now));
        }
        if self.draw.chance(self.faults.torn) {
            let (width, height) = frame.picture.dimensions();
            frame.picture = imageops::crop_imm(&*frame.picture, 0, 0, width, height / 2).to_image().into();
        }
        if self.draw.chance(self.faults.delayed) {
            let due = now + self.faults.delay;
            self.held = Some((frame, due));
            return Ok(Next::Wait(due));
        }
        Ok(Next::Frame(frame))
    }
}
