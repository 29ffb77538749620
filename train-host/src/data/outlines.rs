//! Outlines of cells from boxes or points: an ellipse in each box, intersected with what is darker than the glass.
//!
//! A pixel belongs to the cell in whose ellipse it lies deepest. Pixels as bright as the glass and connected to it
//! outside the cells belong to none; a pallor is not connected and belongs to its cell. Dark pixels without a cell are
//! ignored if they may be an unlabelled cell.

use image::{GrayImage, Luma, RgbImage};
use imageproc::region_labelling::{Connectivity, connected_components};

use super::{
    field::{Labelled, class},
    labs::Laboratory,
};
use bloodseg_evaluate::marks::{Kind, Mark, Rectangle, Shape};

/// Pixels within this scaled ellipse belong to their cell, where 1 is the ellipse itself, unless the glass cuts them off.
const OUTER: f64 = 1.07;
/// Dark pixels up to here that are not part of the cell are ignored, because the outline may be wrong there.
const DOUBTFUL: f64 = 1.3;
/// Position of the threshold between the density of the glass and that of the cell.
const THRESHOLD: f64 = 0.4;
/// A dark unlabelled object larger than this, in areas of a red cell, may be a cell.
const MAYBE_CELL: f64 = 0.2;
/// Smaller ones are always dirt.
const DIRT: f64 = 0.01;
/// A white cell is wider than this many red cells; a narrower box may be a mislabelled red cell.
const WHITE_OVER_RED: f64 = 1.25;

struct Ellipse {
    x: f64,
    y: f64,
    across: f64,
    down: f64,
    class: u8,
    /// The glass can reach into the ellipse up to here, in radii.
    inner: f64,
}

impl Ellipse {
    fn of(mark: &Mark, about: &Laboratory, (width, height): (f64, f64)) -> Self {
        let whole = about.red_cell_px;
        match mark.shape {
            Shape::Point(x, y) => {
                let radius = whole * 0.6;
                Self { x, y, across: radius, down: radius, class: class_of(mark.kind), inner: 0.4 }
            }
            Shape::Box(rectangle) => {
                let r = completed(rectangle, (width, height), mark.kind, whole);
                let (wide, high) = r.size();
                let doubtful = mark.kind == Kind::White
                    && !about.kinds.contains(&Kind::Platelet)
                    && (wide * high).sqrt() < WHITE_OVER_RED * whole;
                Self {
                    x: (r.x0 + r.x1) / 2.0,
                    y: (r.y0 + r.y1) / 2.0,
                    across: wide / 2.0 / about.box_over_cell,
                    down: high / 2.0 / about.box_over_cell,
                    class: if doubtful { class::CELL } else { class_of(mark.kind) },
                    inner: if mark.kind == Kind::White { 0.8 } else { 0.5 },
                }
            }
        }
    }

    /// Distance from the centre, 1 on the ellipse.
    fn radius(&self, x: u32, y: u32) -> f64 {
        let (x, y) = ((f64::from(x) + 0.5 - self.x) / self.across, (f64::from(y) + 0.5 - self.y) / self.down);
        x.hypot(y)
    }
}

fn class_of(kind: Kind) -> u8 {
    match kind {
        Kind::Red => class::RED,
        Kind::White => class::WHITE,
        Kind::Platelet => class::PLATELET,
    }
}

/// The box as it would be without the picture's border: square, or in a corner as large as a typical cell of the kind.
fn completed(mut r: Rectangle, (width, height): (f64, f64), kind: Kind, red_cell_px: f64) -> Rectangle {
    let usual = match kind {
        Kind::Red => red_cell_px,
        Kind::White => 1.7 * red_cell_px,
        Kind::Platelet => 0.0,
    };
    let (left, right) = (r.x0 <= 2.0, r.x1 >= width - 2.0);
    let (upper, lower) = (r.y0 <= 2.0, r.y1 >= height - 2.0);
    let (wide, high) = r.size();
    let (cut_across, cut_down) = (left != right, upper != lower);
    let target = match (cut_across, cut_down) {
        (true, true) => (usual, usual),
        (true, false) => (high, 0.0),
        (false, true) => (0.0, wide),
        (false, false) => (0.0, 0.0),
    };
    if target.0 > wide {
        if left { r.x0 = r.x1 - target.0 } else { r.x1 = r.x0 + target.0 }
    }
    if target.1 > high {
        if upper { r.y0 = r.y1 - target.1 } else { r.y1 = r.y0 + target.1 }
    }
    r
}

/// The cells of a picture, numbered in order of their labels from 1, and the class of each pixel; see [`class`].
pub fn outlines(picture: &RgbImage, marks: &[Mark], about: &Laboratory) -> (Labelled, GrayImage) {
    let (width, height) = picture.dimensions();
    let size = (f64::from(width), f64::from(height));
    let ellipses: Vec<Ellipse> = marks.iter().map(|mark| Ellipse::of(mark, about, size)).collect();
    let (nearest, radii) = owners(&ellipses, width, height);
    let dark = darkness(picture, &nearest, &radii, &ellipses);
    let glass = open_glass(&dark, &nearest, &radii, &ellipses, (width, height));
    let mut labels = Labelled::new(width, height);
    let mut classes = GrayImage::new(width, height);
    let mut loose = GrayImage::new(width, height);
    for (at, (label, class)) in labels.iter_mut().zip(classes.iter_mut()).enumerate() {
        let owner = nearest[at];
        if owner > 0 && radii[at] <= OUTER && !glass[at] {
            (*label, *class) = (owner, ellipses[owner as usize - 1].class);
        } else if dark[at] && owner > 0 {
            *class = class::IGNORED;
        } else if dark[at] {
            loose.as_mut()[at] = 255;
        }
    }
    ignore_loose(&loose, about, &mut classes);
    (labels, classes)
}

/// The ellipse in which each pixel lies deepest, numbered from 1, 0 beyond [`DOUBTFUL`]; and its depth.
fn owners(ellipses: &[Ellipse], width: u32, height: u32) -> (Vec<u32>, Vec<f64>) {
    let pixels = width as usize * height as usize;
    let (mut nearest, mut radii) = (vec![0; pixels], vec![f64::INFINITY; pixels]);
    for (ellipse, number) in ellipses.iter().zip(1..) {
        let span = |centre: f64, reach: f64, side: u32| {
            let reach = reach * DOUBTFUL;
            let clamp = |at: f64| at.clamp(0.0, f64::from(side)) as u32;
            clamp((centre - reach).floor())..clamp((centre + reach).ceil())
        };
        for y in span(ellipse.y, ellipse.down, height) {
            for x in span(ellipse.x, ellipse.across, width) {
                let (at, radius) = (y as usize * width as usize + x as usize, ellipse.radius(x, y));
                if radius <= DOUBTFUL && radius < radii[at] {
                    (nearest[at], radii[at]) = (number, radius);
                }
            }
        }
    }
    (nearest, radii)
}

/// Whether each pixel is darker than the glass.
fn darkness(picture: &RgbImage, nearest: &[u32], radii: &[f64], ellipses: &[Ellipse]) -> Vec<bool> {
    let outside: Vec<&image::Rgb<u8>> =
        picture.pixels().zip(nearest).filter(|(_, owner)| **owner == 0).map(|(pixel, _)| pixel).collect();
    let all = outside.len() * 50 < nearest.len();
    // Of the glass; if almost none is visible, the brightest pixels of the picture.
    let share = if all { 0.97 } else { 0.7 };
    let level = |channel: usize| -> f64 {
        let mut levels: Vec<u8> = match all {
            true => picture.pixels().map(|pixel| pixel.0[channel]).collect(),
            false => outside.iter().map(|pixel| pixel.0[channel]).collect(),
        };
        levels.sort_unstable();
        let at = (levels.len() as f64 * share) as usize;
        f64::from(levels.get(at).copied().unwrap_or(255))
    };
    let ground = [level(0), level(1), level(2)];
    let density: Vec<f64> = picture
        .pixels()
        .map(|pixel| {
            let of = |channel: usize| ((ground[channel] + 1.0) / (f64::from(pixel.0[channel]) + 1.0)).ln();
            0.2 * of(0) + 0.6 * of(1) + 0.2 * of(2)
        })
        .collect();
    let inside = |only_red: bool| -> Vec<f64> {
        let cells = density.iter().zip(nearest).zip(radii).filter(|((_, owner), radius)| {
            **owner > 0 && **radius < 0.9 && (!only_red || ellipses[**owner as usize - 1].class == class::RED)
        });
        cells.map(|((density, _), _)| *density).collect()
    };
    let mut cells = inside(true);
    if cells.is_empty() {
        cells = inside(false);
    }
    cells.sort_by(f64::total_cmp);
    let of_cells = cells.get(cells.len() / 2).copied().unwrap_or(0.3);
    let threshold = (THRESHOLD * of_cells).max(0.03);
    density.into_iter().map(|density| density > threshold).collect()
}

/// Bright pixels connected to the glass outside all cells; they reach into an ellipse up to its [`Ellipse::inner`].
fn open_glass(
    dark: &[bool],
    nearest: &[u32],
    radii: &[f64],
    ellipses: &[Ellipse],
    (width, height): (u32, u32),
) -> Vec<bool> {
    let (width, height) = (width as usize, height as usize);
    let mut glass = vec![false; dark.len()];
    let mut queue: Vec<usize> = (0..dark.len()).filter(|at| !dark[*at] && radii[*at] > OUTER).collect();
    queue.iter().for_each(|at| glass[*at] = true);
    while let Some(at) = queue.pop() {
        let (x, y) = (at % width, at / width);
        let beside = [
            (x > 0, at.wrapping_sub(1)),
            (x + 1 < width, at + 1),
            (y > 0, at.wrapping_sub(width)),
            (y + 1 < height, at + width),
        ];
        for (_, next) in beside.into_iter().filter(|(there, _)| *there) {
            let open = match nearest[next] {
                0 => true,
                owner => radii[next] > ellipses[owner as usize - 1].inner,
            };
            if !glass[next] && !dark[next] && open {
                glass[next] = true;
                queue.push(next);
            }
        }
    }
    glass
}

/// Ignores dark unlabelled objects that may be unlabelled cells.
fn ignore_loose(loose: &GrayImage, about: &Laboratory, classes: &mut GrayImage) {
    let pieces = connected_components(loose, Connectivity::Eight, Luma([0]));
    let mut areas_px = vec![0_u32; pieces.iter().max().map_or(0, |most| *most as usize) + 1];
    pieces.iter().for_each(|piece| areas_px[*piece as usize] += 1);
    let red_px = std::f64::consts::FRAC_PI_4 * about.red_cell_px.powi(2);
    let everything_has_a_label = about.complete && about.kinds.contains(&Kind::Platelet);
    let least = red_px * if everything_has_a_label { MAYBE_CELL } else { DIRT };
    for (class, piece) in classes.iter_mut().zip(pieces.iter()) {
        if *piece > 0 && f64::from(areas_px[*piece as usize]) >= least {
            *class = class::IGNORED;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(complete: bool) -> Laboratory {
        Laboratory {
            red_cell_px: 20.0,
            box_over_cell: 1.0,
            kinds: Kind::ALL.to_vec(),
            complete,
            usual_share: 1.0,
            licence: String::new(),
        }
    }

    fn disc(x: u32, y: u32, cx: f64, cy: f64, radius: f64) -> bool {
        (f64::from(x) + 0.5 - cx).hypot(f64::from(y) + 0.5 - cy) <= radius
    }

    /// A ring with a pallor at (30, 30), a cell that overlaps it at (46, 30), and an unlabelled one at (80, 80).
    fn picture() -> RgbImage {
        RgbImage::from_fn(100, 100, |x, y| {
            let pallor = disc(x, y, 30.0, 30.0, 4.0);
            let cell = disc(x, y, 30.0, 30.0, 10.0) || disc(x, y, 46.0, 30.0, 10.0) || disc(x, y, 80.0, 80.0, 10.0);
            image::Rgb(if cell && !pallor { [180, 120, 140] } else { [235, 235, 235] })
        })
    }

    fn marked() -> Vec<Mark> {
        let at = |x: f64, y: f64| Rectangle { x0: x - 10.0, y0: y - 10.0, x1: x + 10.0, y1: y + 10.0 };
        let of = |rectangle| Mark { kind: Kind::Red, shape: Shape::Box(rectangle) };
        vec![of(at(30.0, 30.0)), of(at(46.0, 30.0))]
    }

    #[test]
    fn cells_include_pallor_and_split_overlap_without_glass() {
        let (labels, classes) = outlines(&picture(), &marked(), &about(true));
        let of = |x, y| (labels.get_pixel(x, y).0[0], classes.get_pixel(x, y).0[0]);
        assert_eq!(
            [of(30, 30), of(22, 30), of(36, 30), of(40, 30), of(54, 30)].map(|(label, _)| label),
            [1, 1, 1, 2, 2]
        );
        assert_eq!(of(38, 15), (0, class::BACKGROUND));
        assert_eq!(of(30, 30).1, class::RED);
        // The gap below the overlap is glass although both boxes contain it.
        assert_eq!(of(38, 38).0, 0);
    }

    #[test]
    fn unlabelled_cell_is_ignored() {
        for complete in [true, false] {
            let (labels, classes) = outlines(&picture(), &marked(), &about(complete));
            assert_eq!((labels.get_pixel(80, 80).0[0], classes.get_pixel(80, 80).0[0]), (0, class::IGNORED));
        }
    }

    #[test]
    fn point_takes_dark_area_and_cut_box_is_completed() {
        let point = Mark { kind: Kind::White, shape: Shape::Point(80.0, 80.0) };
        let (labels, classes) = outlines(&picture(), &[point], &about(false));
        assert_eq!((labels.get_pixel(88, 80).0[0], labels.get_pixel(95, 80).0[0]), (1, 0));
        assert_eq!(classes.get_pixel(80, 80).0[0], class::WHITE);
        let cut = Rectangle { x0: 0.0, y0: 40.0, x1: 6.0, y1: 60.0 };
        let whole = completed(cut, (100.0, 100.0), Kind::Red, 20.0);
        assert_eq!((whole.x0, whole.x1, whole.y0), (-14.0, 6.0, 40.0));
    }
}
