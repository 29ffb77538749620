//! The simulated camera: a microscope that moves over a rendered smear.
//!
//! A 64x64 frame covers as much as a reference field of 1200 pixels, so cells have the size that the models were trained
//! on. Everything is in the binary; no file is needed.

use std::{f64::consts::TAU, time::Duration};

use image::{RgbImage, imageops};

use super::{Clockwork, FrameSource, Next, Pacing};
use crate::error::Result;
use bloodseg_smear::{SmearSpec, draw::Draw};
use bloodseg_vision::{
    frame::{Frame, resize::resize_rgb},
    geometry::TILE_PX,
    placement::{PitchSource, Scaled},
};

/// Default frames per second.
pub const DEFAULT_FPS: f64 = 10.0;

/// Smear pixels per reference pixel: a quarter is still almost five times finer than the camera, and fits the memory of a
/// small device.
const SMEAR_SCALE: f64 = 0.25;
/// Size of the rendered smear: 3 by 2 fields of view.
const SMEAR_PX: (u32, u32) = (900, 600);
/// Edge of the camera's field of view on the smear.
const FIELD_PX: u32 = 300;
/// Diameter of a human red cell on a dry smear, in micrometres; defines the pitch of the simulated camera.
const RED_CELL_UM: f64 = 7.5;
/// Period of the stage's movement in frames, in x and in y; coprime, so that the path is long.
const SWAY_FRAMES: (f64, f64) = (397.0, 271.0);
/// Deviation of the sensor's noise, in levels.
const NOISE: f64 = 1.2;

/// The simulated camera.
#[derive(Debug)]
pub struct Demo {
    name: String,
    seed: u64,
    smear: RgbImage,
    um_per_px: f64,
    start: (f64, f64),
    number: u64,
    fps: f64,
    clock: Clockwork,
}

impl Demo {
    /// Renders the smear for `seed`, which takes about a second. Frames for one seed are always the same.
    pub fn new(name: &str, seed: u64, fps: f64) -> Self {
        let mut spec = SmearSpec::field(SMEAR_PX.0, SMEAR_PX.1);
        spec.scale = SMEAR_SCALE;
        spec.heaping = 0.3;
        let reference_px = f64::from(FIELD_PX) / SMEAR_SCALE / f64::from(TILE_PX);
        let mut draw = Draw::new(seed, 100);
        Self {
            name: name.to_owned(),
            seed,
            smear: bloodseg_smear::render_picture(&spec, seed),
            um_per_px: RED_CELL_UM / spec.cell_diameter_px * reference_px,
            start: (draw.angle(), draw.angle()),
            number: 0,
            fps,
            clock: Clockwork::new(fps),
        }
    }

    /// With another pitch than its own, in micrometres per pixel, if given.
    pub fn with_pitch(self, um_per_px: Option<f64>) -> Self {
        Self { um_per_px: um_per_px.unwrap_or(self.um_per_px), ..self }
    }

    /// Upper left corner of the field of frame `number` on the smear, in its pixels.
    fn place_px(&self, number: u64) -> (u32, u32) {
        let sway = |frames: f64, start: f64, room_px: u32| {
            let phase = start + TAU * number as f64 / frames;
            (f64::from(room_px) * (0.5 + 0.5 * phase.sin())).round().clamp(0.0, f64::from(room_px)) as u32
        };
        (
            sway(SWAY_FRAMES.0, self.start.0, SMEAR_PX.0 - FIELD_PX),
            sway(SWAY_FRAMES.1, self.start.1, SMEAR_PX.1 - FIELD_PX),
        )
    }

    fn expose(&self, number: u64) -> Result<RgbImage> {
        let (x, y) = self.place_px(number);
        let field = imageops::crop_imm(&self.smear, x, y, FIELD_PX, FIELD_PX).to_image();
        let mut picture = resize_rgb(&field, TILE_PX, TILE_PX)?;
        let mut draw = Draw::new(self.seed, 1000 + number);
        let lamp = 1.0 + 0.004 * draw.normal();
        for level in picture.iter_mut() {
            *level = (f64::from(*level) * lamp + NOISE * draw.normal()).round().clamp(0.0, 255.0) as u8;
        }
        Ok(picture)
    }
}

impl FrameSource for Demo {
    fn name(&self) -> &str {
        &self.name
    }

    fn describe(&self) -> String {
        format!("simulated camera over a rendered smear, 64x64 px, {} frames/s, seed {}", self.fps, self.seed)
    }

    fn pacing(&self) -> Pacing {
        Pacing::Live
    }

    fn frame_size_px(&self) -> Option<(u32, u32)> {
        Some((TILE_PX, TILE_PX))
    }

    fn um_per_px(&self) -> Option<f64> {
        Some(self.um_per_px)
    }

    fn go_on_after(&mut self, number: u64, _unreadable: u64) {
        self.number = number;
    }

    fn next_frame(&mut self, now: Duration) -> Result<Next> {
        if let Some(due) = self.clock.take(now) {
            return Ok(Next::Wait(due));
        }
        self.number += 1;
        let number = self.number;
        let name = format!("{}_{}_{number:06}", self.name, self.seed);
        let origin = Scaled::as_it_is(Some(self.um_per_px), PitchSource::Given);
        Ok(Next::Frame(Frame { number, name: name.into(), picture: self.expose(number)?.into(), origin }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn frames(demo: &mut Demo, count: u64) -> Vec<RgbImage> {
        (0..count)
            .map(|n| match demo.next_frame(Duration::from_secs(n)).unwrap() {
                Next::Frame(frame) => RgbImage::clone(&frame.picture),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn frames_repeat_for_a_seed_and_move_smoothly() {
        let (mut one, mut two) = (Demo::new("demo", 3, 10.0), Demo::new("demo", 3, 10.0));
        let seen = frames(&mut one, 4);
        assert_eq!(seen, frames(&mut two, 4));
        assert_ne!(seen[0], seen[1]);
        assert!(seen.iter().all(|frame| frame.dimensions() == (64, 64)));
        // At most three low-resolution pixels between frames, but somewhere else after a while.
        for number in 0..1000 {
            let ((ax, ay), (bx, by)) = (one.place_px(number), one.place_px(number + 1));
            assert!(ax.abs_diff(bx) <= 14 && ay.abs_diff(by) <= 14, "{number}");
        }
        assert_ne!(one.place_px(1), one.place_px(60));
    }

    #[test]
    fn frame_shows_dark_cells_on_light_background() {
        let frame = frames(&mut Demo::new("demo", 1, 10.0), 1).remove(0);
        let dark = frame.pixels().filter(|pixel| pixel.0[1] < 190).count();
        assert!((200..3000).contains(&dark), "{dark} of 4096 pixels are dark");
    }

    #[test]
    fn no_frame_before_it_is_due() {
        let mut demo = Demo::new("demo", 1, 4.0);
        frames(&mut demo, 1);
        let next = demo.next_frame(Duration::from_millis(10)).unwrap();
        assert!(matches!(next, Next::Wait(due) if due == Duration::from_millis(250)), "{next:?}");
    }
}
