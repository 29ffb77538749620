//! One analysis at an assumed size of the red cells, and the size that it finds.

use image::{RgbImage, imageops};

use super::{red_cell_px, thumb::Thumb};
use crate::{
    cells::Cell,
    error::Result,
    frame::resize::resize_rgb,
    geometry::{SCALE, TILE_PX},
    pipeline::{Analysis, Pipeline},
};

/// Diameter of a red cell in pixels of the analysed picture at the usual pitch of models, that of the built-in ones: the
/// median of the training masks of the first.
pub const CELL_PX: f64 = 5.46;

/// A cell that is darker in red than most of the others' area by this many levels has a nucleus: haemoglobin transmits
/// red, the blue stains of nuclei do not.
const NUCLEUS_LEVELS: f64 = 18.0;

/// The share of the cells' area that is darker in red than the reference for nuclei.
const RED_SHARE: f64 = 0.6;

/// Circularities with weight 0 and 1: clumps and fragments are not round.
const ROUND: (f64, f64) = (0.7, 0.95);

/// The same for cells cut by the border.
const CUT_ROUND: (f64, f64) = (0.5, 0.8);

/// Greatest weight of a cell cut by the border.
const CUT_WEIGHT: f64 = 0.5;

/// A cell cut to less than half is narrower than this, minor over major axis: its major axis is a chord.
const LEAST_CUT_ASPECT: f64 = 0.5;

/// The major axis of the ellipse with the moments of half a disc equals that of the disc; by area it would be 3 % more.
const CUT_MAJOR: f64 = 0.97;

/// Exponent of the aspect that reduces the size of an oblong cell: overlapping pairs are oblong and too large.
const OBLONG_POWER: f64 = 0.08;

/// Cells whose centre is closer than this to an unlit area, in diameters, do not count.
const UNLIT_REACH: f64 = 0.6;

/// Points around a cell where the lighting is checked.
const UNLIT_PLACES: u32 = 16;

/// Minimum total weight of the cells for a size.
const LEAST_WEIGHT: f64 = 0.5;

/// The cell size in one analysis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// Weighted median of the diameters, in pixels of the original picture.
    pub cell_px: f64,
    /// Weighted interquartile range over the median.
    pub spread: f64,
    /// Sum of the weights: the equivalent number of complete, round red cells.
    pub cells: f64,
}

/// A cell in one analysis, in pixels of the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) x_px: f64,
    pub(super) y_px: f64,
    /// Diameter of the disc of the same area.
    pub(super) diameter_px: f64,
    pub(super) circularity: f64,
    /// The estimated diameter of the complete, single cell.
    size_px: f64,
    /// Its weight, 0 to 1; 0 for cells known not to be red.
    pub(super) weight: f64,
    /// Whether nothing cuts it.
    pub(super) whole: bool,
}

/// A part of the picture, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub(super) x_px: u32,
    pub(super) y_px: u32,
    pub(super) width_px: u32,
    pub(super) height_px: u32,
}

/// The result of analysing a part of a picture.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) window: Window,
    pub(super) cells: Vec<Seen>,
    pub(super) tiles: u32,
}

impl Look {
    /// Analyses one tile of a picture as if its red cells measured `cell_px`: the window with the most contents or,
    /// within another window, its centre.
    ///
    /// # Errors
    /// Those of the models.
    pub(super) fn at(
        pipeline: &mut Pipeline,
        picture: &RgbImage,
        thumb: &Thumb,
        cell_px: f64,
        within: Option<Window>,
    ) -> Result<Self> {
        let enlarged = red_cell_px(pipeline) / cell_px;
        let window = window(picture, thumb, enlarged, within);
        let side = |px: u32| ((f64::from(px) * enlarged).round() as u32).clamp(1, TILE_PX);
        let looked_at = resize_rgb(&cut(picture, thumb, window), side(window.width_px), side(window.height_px))?;
        let analysis = pipeline.analyse_any(&looked_at)?;
        let factor = |from_px: u32, to_px: u32| f64::from(from_px) / f64::from(to_px);
        let factors = (factor(window.width_px, looked_at.width()), factor(window.height_px, looked_at.height()));
        let mut cells = seen(analysis, factors);
        for cell in &mut cells {
            cell.x_px += f64::from(window.x_px);
            cell.y_px += f64::from(window.y_px);
            if near_unlit(thumb, cell) {
                (cell.weight, cell.whole) = (0.0, false);
            }
        }
        Ok(Self { window, cells, tiles: analysis.tiles })
    }

    /// The size that it finds; `None` without suitable cells.
    pub(super) fn size(&self) -> Option<Size> {
        size(&self.cells)
    }
}

/// The size of the cells of an analysis with `factor` picture pixels per pixel: shows whether the scale of the analysis
/// fits. `None` without suitable cells.
pub fn size_in(analysis: &Analysis, factor: f64) -> Option<Size> {
    size(&seen(analysis, (factor, factor)))
}

fn size(cells: &[Seen]) -> Option<Size> {
    let mut sizes: Vec<(f64, f64)> =
        cells.iter().filter(|cell| cell.weight > 0.0).map(|cell| (cell.size_px, cell.weight)).collect();
    let weight = sizes.iter().map(|(_, weight)| weight).sum();
    if weight < LEAST_WEIGHT {
        return None;
    }
    let mut at = |share| quantile(&mut sizes, share);
    let (low, cell_px, high) = (at(0.25), at(0.5), at(0.75));
    Some(Size { cell_px, spread: (high - low) / cell_px, cells: weight })
}

/// The window that fills a tile when it is enlarged.
fn window(picture: &RgbImage, thumb: &Thumb, enlarged: f64, within: Option<Window>) -> Window {
    let most_px = (f64::from(TILE_PX) / enlarged).clamp(1.0, f64::from(u32::MAX)) as u32;
    let Some(outer) = within else {
        let (width_px, height_px) = (most_px.min(picture.width()), most_px.min(picture.height()));
        let (x_px, y_px) = thumb.window(picture.dimensions(), (width_px, height_px));
        return Window { x_px, y_px, width_px, height_px };
    };
    let (width_px, height_px) = (most_px.min(outer.width_px), most_px.min(outer.height_px));
    let (x_px, y_px) = (outer.x_px + (outer.width_px - width_px) / 2, outer.y_px + (outer.height_px - height_px) / 2);
    Window { x_px, y_px, width_px, height_px }
}

/// A part of the picture with unlit pixels filled with the ground, so that they add no contrast and no cells.
fn cut(picture: &RgbImage, thumb: &Thumb, window: Window) -> RgbImage {
    let Window { x_px, y_px, width_px, height_px } = window;
    let mut part = imageops::crop_imm(picture, x_px, y_px, width_px, height_px).to_image();
    if !thumb.all_lit() {
        for (x, y, pixel) in part.enumerate_pixels_mut() {
            if !thumb.lit_at(f64::from(x_px + x) + 0.5, f64::from(y_px + y) + 0.5) {
                *pixel = thumb.ground;
            }
        }
    }
    part
}

fn near_unlit(thumb: &Thumb, cell: &Seen) -> bool {
    !thumb.all_lit()
        && (0..UNLIT_PLACES).any(|at| {
            let (sin, cos) = (std::f64::consts::TAU * f64::from(at) / f64::from(UNLIT_PLACES)).sin_cos();
            let reach_px = UNLIT_REACH * cell.diameter_px;
            !thumb.lit_at(cell.x_px + reach_px * cos, cell.y_px + reach_px * sin)
        })
}

/// The cells of an analysis, with the size and weight of each; `factors` are picture pixels per analysed pixel, across
/// and down.
fn seen(analysis: &Analysis, factors: (f64, f64)) -> Vec<Seen> {
    let grid = f64::from(SCALE);
    let reds = reds(analysis);
    let nucleus_below = nucleus_below(&analysis.cells, &reds);
    let mean_factor = (factors.0 * factors.1).sqrt() / grid;
    let one = |(cell, red): (&Cell, &f64)| {
        let (size, weight) = size_and_weight(cell);
        Seen {
            x_px: cell.x_px / grid * factors.0,
            y_px: cell.y_px / grid * factors.1,
            diameter_px: cell.equivalent_diameter_px * mean_factor,
            circularity: cell.circularity,
            size_px: size * mean_factor,
            weight: if *red < nucleus_below || !cell.kind.may_be_red() { 0.0 } else { weight },
            whole: !cell.touches_border,
        }
    };
    analysis.cells.iter().zip(&reds).map(one).collect()
}

/// The estimated diameter of the complete, single cell, in pixels of the labels, and its weight.
fn size_and_weight(cell: &Cell) -> (f64, f64) {
    let diameter = cell.equivalent_diameter_px;
    let aspect = (1.0 - cell.eccentricity * cell.eccentricity).max(0.0).sqrt();
    let within = |(none, all): (f64, f64)| ((cell.circularity - none) / (all - none)).clamp(0.0, 1.0);
    if !cell.touches_border {
        return (diameter * aspect.powf(OBLONG_POWER), within(ROUND));
    }
    if aspect < LEAST_CUT_ASPECT || cell.circularity <= ROUND.0 {
        return (diameter, 0.0);
    }
    (CUT_MAJOR * diameter / aspect.sqrt(), CUT_WEIGHT * within(CUT_ROUND))
}

/// Mean red level of each cell.
fn reds(analysis: &Analysis) -> Vec<f64> {
    let most = analysis.cells.iter().map(|cell| usize::from(cell.label)).max().unwrap_or(0);
    let mut sums = vec![(0_u64, 0_u64); most + 1];
    for (label, pixel) in analysis.labels.pixels().zip(analysis.sr.pixels()) {
        if let Some((sum, count)) = sums.get_mut(usize::from(label.0[0])) {
            *sum += u64::from(pixel.0[0]);
            *count += 1;
        }
    }
    let mean = |cell: &Cell| {
        let (sum, count) = sums.get(usize::from(cell.label)).copied().unwrap_or_default();
        sum as f64 / count.max(1) as f64
    };
    analysis.cells.iter().map(mean).collect()
}

/// The red level below which a cell has a nucleus; 0 if there are too few cells to compare.
fn nucleus_below(cells: &[Cell], reds: &[f64]) -> f64 {
    if cells.len() < 3 {
        return 0.0;
    }
    let mut by_area: Vec<(f64, f64)> =
        reds.iter().zip(cells).map(|(red, cell)| (*red, f64::from(cell.area_px))).collect();
    quantile(&mut by_area, RED_SHARE) - NUCLEUS_LEVELS
}

/// The weighted quantile `share` (0 to 1) of values with weights above 0, interpolated at half of each weight. 0 without
/// values.
pub(super) fn quantile(values: &mut [(f64, f64)], share: f64) -> f64 {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wanted = share * values.iter().map(|(_, weight)| weight).sum::<f64>();
    let (mut below, mut before) = (0.0, None::<(f64, f64)>);
    for (value, weight) in values.iter() {
        let place = below + weight / 2.0;
        if place >= wanted {
            return match before {
                Some((at, low)) if place > at => low + (value - low) * (wanted - at) / (place - at),
                _ => *value,
            };
        }
        below += weight;
        before = Some((place, *value));
    }
    before.map_or(0.0, |(_, value)| value)
}
