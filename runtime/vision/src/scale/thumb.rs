//! A downscaled picture: where it is lit, and where it shows the most.
//!
//! Black areas that touch the picture's border are not specimen: the field stop of an eyepiece, the corners of a rotated
//! or stitched picture, transparency. They must be taken neither for cells nor for contrast.

use image::{Rgb, RgbImage};

use crate::{error::Result, frame::resize::shrink_area_rgb};

/// Longer side of the downscaled picture in pixels.
const SIDE_PX: u32 = 320;

/// Most bytes per pixel of it while it is analysed: nine planes of numbers, with room to grow.
const BYTES_PER_PX: u64 = 96;

/// Black is darker than this share of the brightest 5 %.
const BLACK_SHARE: f64 = 0.15;

/// Black is always darker than this, in levels: sensors add a few.
const BLACK_LEVELS: f64 = 4.0;

/// Black areas smaller than this share of the picture belong to it: for example, a nucleus at the border.
const LEAST_UNLIT_SHARE: f64 = 0.002;

/// Width of the rim of black areas that is excluded too, in pixels of the downscaled picture.
const RIM_PX: usize = 2;

/// The share of lit pixels that are darker than the ground, per channel.
const GROUND_SHARE: f64 = 0.8;

/// Edges are clipped at this quantile of the lit pixels, so that the nuclei of white cells do not dominate.
const STEEP_SHARE: f64 = 0.9;

/// Window positions tried per side.
const PLACES: usize = 9;

/// The downscaled picture.
#[derive(Debug)]
pub(super) struct Thumb {
    /// Its width in pixels.
    pub(super) width: usize,
    /// Its height in pixels.
    pub(super) height: usize,
    /// Picture pixels per pixel, at least 1.
    pub(super) shrink: f64,
    /// The green levels, in which cells have the most contrast: haemoglobin and eosin absorb green.
    pub(super) green: Vec<f64>,
    /// Whether a pixel is lit.
    pub(super) lit: Vec<bool>,
    /// The colour of the ground.
    pub(super) ground: Rgb<u8>,
    /// Sums of edges and of lit pixels above and to the left: `width + 1` per row.
    edges: Vec<f64>,
    lit_sums: Vec<f64>,
}

/// Most heap bytes for downscaling and analysing any picture.
pub(super) const MAX_BYTES: u64 = (SIDE_PX as u64 + 1) * (SIDE_PX as u64 + 1) * BYTES_PER_PX;

impl Thumb {
    /// Downscales a picture and analyses it.
    ///
    /// # Errors
    /// Internal errors of the resize.
    pub(super) fn of(picture: &RgbImage) -> Result<Self> {
        let (width, height) = picture.dimensions();
        let shrink = (f64::from(width.max(height)) / f64::from(SIDE_PX)).max(1.0);
        let side = |px: u32| ((f64::from(px) / shrink).round() as u32).max(1);
        let shrunk = (shrink > 1.0).then(|| shrink_area_rgb(picture, side(width), side(height))).transpose()?;
        let small = shrunk.as_ref().unwrap_or(picture);
        let (width, height) = (small.width() as usize, small.height() as usize);
        let lit = lit(small);
        let green: Vec<f64> = small.pixels().map(|pixel| f64::from(pixel.0[1])).collect();
        let edges = summed(&edges(&green, &lit, width), width);
        let ones: Vec<f64> = lit.iter().map(|lit| f64::from(u8::from(*lit))).collect();
        let channel = |at: usize| {
            let levels = small.pixels().zip(&lit).filter(|(_, lit)| **lit).map(|(pixel, _)| f64::from(pixel.0[at]));
            share(levels.collect(), GROUND_SHARE) as u8
        };
        let ground = Rgb([channel(0), channel(1), channel(2)]);
        Ok(Self { width, height, shrink, green, ground, lit_sums: summed(&ones, width), lit, edges })
    }

    /// Whether the whole picture is lit.
    pub(super) fn all_lit(&self) -> bool {
        self.lit.iter().all(|lit| *lit)
    }

    /// Whether the picture is lit at a point in its own pixels.
    pub(super) fn lit_at(&self, x_px: f64, y_px: f64) -> bool {
        let place = |at_px: f64, side: usize| ((at_px / self.shrink).max(0.0) as usize).min(side.saturating_sub(1));
        let at = place(y_px, self.height) * self.width + place(x_px, self.width);
        self.lit.get(at).copied().unwrap_or(false)
    }

    /// The upper left corner of the window of the picture, in its pixels, that shows the most: the sum of edges times the
    /// lit share. The first one in raster order if several are equal.
    pub(super) fn window(&self, picture_px: (u32, u32), window_px: (u32, u32)) -> (u32, u32) {
        let side = |px: u32, most: usize| ((f64::from(px) / self.shrink).round() as usize).clamp(1, most);
        let (across, down) = (side(window_px.0, self.width), side(window_px.1, self.height));
        let mut best = (f64::NEG_INFINITY, 0, 0);
        for y in places(self.height - down) {
            for x in places(self.width - across) {
                let lit = self.sum(&self.lit_sums, x, y, across, down) / (across * down) as f64;
                let score = self.sum(&self.edges, x, y, across, down) * lit;
                if score > best.0 {
                    best = (score, x, y);
                }
            }
        }
        let start = |at: usize, whole: u32, window: u32| {
            ((at as f64 * self.shrink).round() as u32).min(whole.saturating_sub(window))
        };
        (start(best.1, picture_px.0, window_px.0), start(best.2, picture_px.1, window_px.1))
    }

    fn sum(&self, sums: &[f64], x: usize, y: usize, across: usize, down: usize) -> f64 {
        let at = |x: usize, y: usize| sums.get(y * (self.width + 1) + x).copied().unwrap_or_default();
        at(x + across, y + down) - at(x, y + down) - at(x + across, y) + at(x, y)
    }
}

/// Possible positions of a window with this much room.
fn places(room: usize) -> impl Iterator<Item = usize> {
    let count = PLACES.min(room + 1);
    (0..count).map(move |at| (at * room + (count - 1) / 2) / (count - 1).max(1))
}

/// Sums of everything above and to the left of each pixel corner.
fn summed(values: &[f64], width: usize) -> Vec<f64> {
    let mut sums = vec![0.0; width + 1];
    for row in values.chunks_exact(width) {
        let above = sums.len() - (width + 1);
        let mut along = 0.0;
        sums.push(0.0);
        for (x, value) in row.iter().enumerate() {
            along += value;
            let up = sums.get(above + x + 1).copied().unwrap_or_default();
            sums.push(up + along);
        }
    }
    sums
}

/// The steepness of lit pixels, clipped at the steepest tenth.
fn edges(levels: &[f64], lit: &[bool], width: usize) -> Vec<f64> {
    let height = levels.len() / width;
    let level = |x: usize, y: usize| levels.get(y * width + x).copied().unwrap_or_default();
    let slope = |at: usize, side: usize, level: &dyn Fn(usize) -> f64| {
        let (before, after) = (at.saturating_sub(1), (at + 1).min(side - 1));
        if after > before { (level(after) - level(before)) / (after - before) as f64 } else { 0.0 }
    };
    let steep = |(at, lit): (usize, &bool)| {
        let (x, y) = (at % width, at / width);
        let (dx, dy) = (slope(x, width, &|x| level(x, y)), slope(y, height, &|y| level(x, y)));
        if *lit { dx.hypot(dy) } else { 0.0 }
    };
    let mut found: Vec<f64> = lit.iter().enumerate().map(steep).collect();
    let most = share(found.iter().zip(lit).filter(|(_, lit)| **lit).map(|(edge, _)| *edge).collect(), STEEP_SHARE);
    found.iter_mut().for_each(|edge| *edge = edge.min(most));
    found
}

/// Which pixels are lit.
fn lit(small: &RgbImage) -> Vec<bool> {
    let (width, height) = (small.width() as usize, small.height() as usize);
    let levels: Vec<f64> =
        small.pixels().map(|pixel| pixel.0.iter().map(|level| f64::from(*level)).sum::<f64>() / 3.0).collect();
    let black = (BLACK_SHARE * share(levels.clone(), 0.95)).max(BLACK_LEVELS);
    let mut waits: Vec<bool> = levels.iter().map(|level| *level < black).collect();
    let mut lit = vec![true; levels.len()];
    let least = LEAST_UNLIT_SHARE * levels.len() as f64;
    for start in 0..levels.len() {
        let (x, y) = (start % width, start / width);
        let on_border = x == 0 || y == 0 || x + 1 == width || y + 1 == height;
        if !on_border || !waits[start] {
            continue;
        }
        let area = flood(&mut waits, width, start);
        if area.len() as f64 >= least {
            area.into_iter().for_each(|at| grow(&mut lit, width, at));
        }
    }
    lit
}

/// Collects the waiting pixels connected to `start`.
fn flood(waits: &mut [bool], width: usize, start: usize) -> Vec<usize> {
    let mut area = vec![start];
    waits[start] = false;
    let mut next = 0;
    while let Some(&at) = area.get(next) {
        next += 1;
        let x = at % width;
        let beside =
            [(x > 0).then(|| at - 1), (x + 1 < width).then_some(at + 1), at.checked_sub(width), Some(at + width)];
        for to in beside.into_iter().flatten() {
            if waits.get(to) == Some(&true) {
                waits[to] = false;
                area.push(to);
            }
        }
    }
    area
}

/// Marks a pixel and the rim around it as unlit.
fn grow(lit: &mut [bool], width: usize, at: usize) {
    let (x, y) = (at % width, at / width);
    let columns = x.saturating_sub(RIM_PX)..(x + RIM_PX + 1).min(width);
    for row in lit.chunks_exact_mut(width).skip(y.saturating_sub(RIM_PX)).take(y.min(RIM_PX) + RIM_PX + 1) {
        row[columns.clone()].fill(false);
    }
}

/// The quantile `share` (0 to 1) of the values; 0 if there are none.
fn share(mut values: Vec<f64>, share: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let (_, found, _) = values.select_nth_unstable_by((last as f64 * share).round() as usize, f64::total_cmp);
    *found
}
