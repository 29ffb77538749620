//! Measures a flat field from frames of an empty, evenly lit field, and rejects others.

use image::RgbImage;

use super::{FlatField, NODE_PX, ONE, nodes};
use crate::{
    error::{Error, Result},
    frame::{
        quality::{self, Verdict},
        resize::shrink_area_rgb,
    },
};

/// Minimum brightness of the darkest part of the field relative to the brightest.
const LEAST_EVENNESS: f64 = 0.4;

/// Maximum share of clipped pixels, which carry no information about the lamp.
const MOST_CLIPPED_SHARE: f64 = 0.01;

/// Maximum relative change of brightness between frames; a greater one means an unsteady lamp.
const MOST_FLICKER: f64 = 0.1;

/// Longer side of the picture that is checked, in pixels: downscaled, so that noise and dust do not matter.
const JUDGED_PX: u32 = 160;

const EXPECTED: &str = "an empty, evenly lit field";

/// Averages frames of one size block by block; holds no full-size sum.
#[derive(Debug)]
pub struct FlatFieldMeter {
    size_px: (u32, u32),
    /// Sums over blocks of 16x16 pixels, R G B.
    sums: Vec<u64>,
    frames: u32,
    /// Mean level of the first frame.
    first_mean: f64,
}

impl FlatFieldMeter {
    /// A meter for frames of `width_px` x `height_px`.
    pub fn new(width_px: u32, height_px: u32) -> Self {
        let cells = width_px.div_ceil(NODE_PX) as usize * height_px.div_ceil(NODE_PX) as usize;
        Self { size_px: (width_px, height_px), sums: vec![0; 3 * cells], frames: 0, first_mean: 0.0 }
    }

    /// Number of frames so far.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// [`Error::Picture`] if it is not an empty field, is dark, clipped, or differs in brightness or size from the first.
    pub fn add(&mut self, frame: &RgbImage) -> Result<()> {
        let (width, height) = frame.dimensions();
        if (width, height) != self.size_px || width == 0 || height == 0 {
            let expected = format!("{}x{}, like the first", self.size_px.0, self.size_px.1);
            return Err(Error::picture(format!("a frame of {width}x{height} pixels"), expected, ""));
        }
        check_empty(frame)?;
        let levels: u64 = frame.as_raw().iter().map(|level| u64::from(*level)).sum();
        let mean = levels as f64 / frame.as_raw().len() as f64;
        if self.frames == 0 {
            self.first_mean = mean;
        } else if (mean / self.first_mean - 1.0).abs() > MOST_FLICKER {
            return Err(Error::picture(
                format!("an unsteady lamp: mean level {mean:.0} after {:.0}", self.first_mean),
                EXPECTED,
                "Let the lamp warm up, and set exposure_us and gain to disable the camera's automatic control",
            ));
        }
        let across = width.div_ceil(NODE_PX) as usize;
        for (y, row) in frame.as_raw().chunks_exact(3 * width as usize).enumerate() {
            let first = y / NODE_PX as usize * across;
            for (x, pixel) in row.chunks_exact(3).enumerate() {
                let cell = 3 * (first + x / NODE_PX as usize);
                for (sum, level) in self.sums.iter_mut().skip(cell).zip(pixel) {
                    *sum += u64::from(*level);
                }
            }
        }
        self.frames += 1;
        Ok(())
    }

    /// The flat field of all frames.
    ///
    /// # Errors
    /// [`Error::Picture`] for an unevenly lit field, or without frames.
    pub fn finish(&self) -> Result<FlatField> {
        let (width, height) = self.size_px;
        let (across, down) = (nodes(width), nodes(height));
        let mut fields: Vec<u64> = (0..down)
            .flat_map(|y| (0..across).flat_map(move |x| (0..3).map(move |channel| (x, y, channel))))
            .map(|(x, y, channel)| self.around(x, y, channel))
            .collect();
        // Outermost nodes have blocks on one side only: extrapolate from the two nodes next to them.
        for row in fields.chunks_exact_mut(3 * across) {
            (0..3).for_each(|channel| straighten(row, channel, 3, across));
        }
        (0..3 * across).for_each(|column| straighten(&mut fields, column, 3 * across, down));
        let brightest = |channel: usize| fields.iter().skip(channel).step_by(3).copied().max().unwrap_or(0);
        let (most, least) = ([0, 1, 2].map(brightest), fields.iter().copied().min().unwrap_or(0));
        if least == 0 {
            return Err(Error::picture("a field with black areas", EXPECTED, "Switch the lamp on"));
        }
        let evenness = (0..3).map(|channel| {
            let darkest = fields.iter().skip(channel).step_by(3).copied().min().unwrap_or(0);
            darkest as f64 / most[channel] as f64
        });
        let evenness = evenness.fold(1.0, f64::min);
        if evenness < LEAST_EVENNESS {
            return Err(Error::picture(
                format!(
                    "an uneven field: its darkest part has {:.0} % of the light of its brightest",
                    evenness * 100.0
                ),
                format!("at least {:.0} %", LEAST_EVENNESS * 100.0),
                "Centre the lamp and the condenser, or set a smaller frame size",
            ));
        }
        let gain = |(at, field): (usize, &u64)| (most[at % 3] * u64::from(ONE) / field) as u16;
        FlatField::new(self.size_px, self.frames, fields.iter().enumerate().map(gain).collect())
            .ok_or_else(|| Error::internal("flat_field", "gains out of range"))
    }

    /// The mean level at a node, times 2^16, interpolated between the centres of the blocks that meet there.
    fn around(&self, x: usize, y: usize, channel: usize) -> u64 {
        let (width, height) = self.size_px;
        let across = width.div_ceil(NODE_PX) as usize;
        let (mut sum, mut weights) = (0, 0);
        for (row, high, row_weight) in near(y, height) {
            for (column, wide, column_weight) in near(x, width) {
                let level = self.sums.get(3 * (row * across + column) + channel).copied().unwrap_or(0) << 16;
                let weight = row_weight * column_weight;
                sum += level / (wide * high * u64::from(self.frames.max(1))) * weight;
                weights += weight;
            }
        }
        sum / weights.max(1)
    }
}

/// The blocks on both sides of a node, each with its width in pixels and its weight. The last block of a side may be
/// narrower, which moves its centre closer. At the ends there is only one.
fn near(node: usize, side_px: u32) -> impl Iterator<Item = (usize, u64, u64)> {
    let cells = side_px.div_ceil(NODE_PX) as usize;
    let wide = move |cell: usize| u64::from(NODE_PX.min(side_px.saturating_sub(cell as u32 * NODE_PX))).max(1);
    let before = node.checked_sub(1).map(|cell| (cell, wide(cell), wide(node)));
    let after = (node < cells).then(|| (node, wide(node), u64::from(NODE_PX)));
    before.into_iter().chain(after)
}

/// Extrapolates the first and the last of `count` values, each `stride` apart, from their neighbours.
fn straighten(values: &mut [u64], first: usize, stride: usize, count: usize) {
    if count < 4 {
        return;
    }
    let place = |at: usize| first + at * stride;
    for (end, next, third) in [(0, 1, 2), (count - 1, count - 2, count - 3)] {
        if let (Some(&next), Some(&third)) = (values.get(place(next)), values.get(place(third)))
            && let Some(end) = values.get_mut(place(end))
        {
            *end = (2 * next).saturating_sub(third).max(1);
        }
    }
}

/// Whether a frame shows nothing but light.
fn check_empty(frame: &RgbImage) -> Result<()> {
    let (width, height) = frame.dimensions();
    let shrink = f64::from(width.max(height)) / f64::from(JUDGED_PX);
    let side = |px: u32| ((f64::from(px) / shrink.max(1.0)).round() as u32).max(1);
    let quality = quality::judge(&shrink_area_rgb(frame, side(width), side(height))?);
    let clipped = frame.as_raw().iter().filter(|level| **level == 255).count() as f64 / frame.as_raw().len() as f64;
    if clipped > MOST_CLIPPED_SHARE {
        let found = format!("an over-exposed field: {:.0} % of it is white", clipped * 100.0);
        return Err(Error::picture(found, EXPECTED, "Dim the lamp, or lower exposure_us or gain"));
    }
    match quality.verdict {
        Verdict::Empty => Ok(()),
        Verdict::UnderExposed => {
            Err(Error::picture(quality.reason(), EXPECTED, "Switch the lamp on, or raise exposure_us or gain"))
        }
        _ => Err(Error::picture(
            format!("a field that is not empty (contrast {:.1} levels)", quality.contrast_levels),
            format!("{EXPECTED} (contrast below {} levels)", quality::LEAST_CONTRAST_LEVELS),
            "Move to a place without cells, or remove the slide",
        )),
    }
}
