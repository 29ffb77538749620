//! Outlines and shading on an input that is finer than the super-resolved picture. Pixel steps would be visible there, so
//! outlines connect the midpoints of pixel edges.

use image::{Rgb, RgbImage};

use crate::{
    cells::{
        Labels,
        outline::{STEPS, walk},
    },
    frame::specimen::OUTSIDE,
    geometry::SCALE,
    pictures::{HATCH_PX, Look, Looks, SHADE, SHADE_PX, UNSUPPORTED},
    pipeline::Analysis,
    placement::Placement,
};

/// Pixels of the longer side per pixel of line width.
const SIDE_A_LINE_PX: u32 = 1000;

/// Draws on `picture`, on which the analysed picture has this placement.
pub(super) fn draw(picture: &mut RgbImage, placement: &Placement, analysis: &Analysis, looks: &Looks) {
    let line_px = line_px(picture, placement);
    shade(picture, placement, analysis, line_px);
    // Unsupported cells last, so that their outlines are on top.
    for doubted in [false, true] {
        each_cell(&analysis.labels, |label, first| {
            let look = looks.get(&label).copied().unwrap_or_default();
            if look.is_doubted == doubted {
                Cell { labels: &analysis.labels, label, first, line_px, look }.draw(picture, placement);
            }
        });
    }
}

/// Line width in pixels: proportional to the picture, but limited by the size of the cells.
fn line_px(picture: &RgbImage, placement: &Placement) -> u32 {
    let (width, height) = picture.dimensions();
    let by_size = (width.max(height) + SIDE_A_LINE_PX / 2) / SIDE_A_LINE_PX;
    let by_cells = (2.0 * placement.input_px_per_sr_px()) as u32;
    by_size.min(by_cells).max(1)
}

/// Diagonal lines over areas without specimen.
fn shade(picture: &mut RgbImage, placement: &Placement, analysis: &Analysis, line_px: u32) {
    let mask = &analysis.outside.mask;
    if analysis.outside.px == 0 {
        return;
    }
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        if (x + y) % (SHADE_PX as u32 * line_px) < line_px
            && let Some([x, y]) = on_sr([x, y], placement)
            && mask.get_pixel_checked(x / SCALE, y / SCALE).is_some_and(|kind| kind.0[0] == OUTSIDE)
        {
            *pixel = SHADE;
        }
    }
}

/// The super-resolved pixel below the centre of a pixel.
fn on_sr([x, y]: [u32; 2], placement: &Placement) -> Option<[u32; 2]> {
    let [x, y] = placement.on_sr_px([f64::from(x) + 0.5, f64::from(y) + 0.5]);
    (x >= 0.0 && y >= 0.0).then_some([x as u32, y as u32])
}

/// Every label with its first pixel, which determines the order of labels.
fn each_cell(labels: &Labels, mut cell: impl FnMut(u16, (u32, u32))) {
    let mut next = 1;
    for (x, y, label) in labels.enumerate_pixels() {
        if label.0[0] == next {
            cell(next, (x, y));
            let Some(after) = next.checked_add(1) else { return };
            next = after;
        }
    }
}

/// One cell to be drawn.
struct Cell<'a> {
    labels: &'a Labels,
    label: u16,
    first: (u32, u32),
    line_px: u32,
    look: Look,
}

impl Cell<'_> {
    fn draw(&self, picture: &mut RgbImage, placement: &Placement) {
        let mut middles = Vec::new();
        let mut at = [f64::from(self.first.0), f64::from(self.first.1)];
        let ([left, top, right, bottom], _) = walk(self.labels, self.label, self.first, |heading| {
            let (dx, dy) = STEPS[usize::from(heading)];
            let step = [dx as f64, dy as f64];
            let middle = [at[0] + step[0] / 2.0, at[1] + step[1] / 2.0];
            middles.push(self.is_edge(middle).then_some(middle));
            at = [at[0] + step[0], at[1] + step[1]];
        });
        let colour = self.look.colour();
        if self.look.is_doubted {
            let corners = [[left, top], [right, bottom]].map(|corner| placement.on_input_px(corner.map(f64::from)));
            self.hatch(picture, placement, corners);
        }
        let points: Vec<Option<[f64; 2]>> =
            (0..middles.len()).map(|at| smoothed(&middles, at).map(|middle| placement.on_input_px(middle))).collect();
        for (at, from) in points.iter().enumerate() {
            let to = points.get(at + 1).or(points.first()).copied().flatten();
            if let Some((from, to)) = from.zip(to) {
                line(picture, from, to, f64::from(self.line_px), colour);
            }
        }
    }

    /// Whether a point of the outline is a real edge: at the border of the analysed area the cell may continue.
    fn is_edge(&self, [x, y]: [f64; 2]) -> bool {
        let inside = |at: f64, side: u32| at > 0.0 && at < f64::from(side);
        inside(x, self.labels.width()) && inside(y, self.labels.height())
    }

    fn hatch(&self, picture: &mut RgbImage, placement: &Placement, corners: [[f64; 2]; 2]) {
        for_each_in(picture, corners, |[x, y], pixel| {
            if (x + y) % (HATCH_PX * self.line_px) < self.line_px
                && let Some([x, y]) = on_sr([x, y], placement)
                && self.labels.get_pixel_checked(x, y).is_some_and(|label| label.0[0] == self.label)
            {
                *pixel = UNSUPPORTED;
            }
        });
    }
}

/// Number of midpoints averaged on each side.
const SMOOTH: usize = 2;

/// The midpoint with this index, averaged with its neighbours if the edge continues on both sides.
fn smoothed(middles: &[Option<[f64; 2]>], at: usize) -> Option<[f64; 2]> {
    let own = middles.get(at).copied().flatten()?;
    let (count, mut sum) = (2 * SMOOTH + 1, [0.0; 2]);
    for step in 0..count {
        let near = middles.get((at + middles.len() + step - SMOOTH.min(middles.len())) % middles.len());
        let Some(near) = near.copied().flatten() else { return Some(own) };
        sum = [sum[0] + near[0], sum[1] + near[1]];
    }
    Some(sum.map(|sum| sum / count as f64))
}

/// A line with round ends: pixels whose centre is within half of `width_px`.
fn line(picture: &mut RgbImage, from: [f64; 2], to: [f64; 2], width_px: f64, colour: Rgb<u8>) {
    // Slightly more than half, so that thin lines have no gaps.
    let reach = (width_px / 2.0).max(0.5_f64.sqrt());
    let corners = [
        [from[0].min(to[0]) - reach, from[1].min(to[1]) - reach],
        [from[0].max(to[0]) + reach, from[1].max(to[1]) + reach],
    ];
    let way = [to[0] - from[0], to[1] - from[1]];
    let length = way[0] * way[0] + way[1] * way[1];
    for_each_in(picture, corners, |[x, y], pixel| {
        let off = [f64::from(x) + 0.5 - from[0], f64::from(y) + 0.5 - from[1]];
        let along = if length > 0.0 { ((off[0] * way[0] + off[1] * way[1]) / length).clamp(0.0, 1.0) } else { 0.0 };
        let [dx, dy] = [off[0] - along * way[0], off[1] - along * way[1]];
        if dx * dx + dy * dy <= reach * reach {
            *pixel = colour;
        }
    });
}

/// The pixels of a box that lie on the picture.
fn for_each_in(picture: &mut RgbImage, [from, to]: [[f64; 2]; 2], mut with: impl FnMut([u32; 2], &mut Rgb<u8>)) {
    let (width, height) = picture.dimensions();
    let span = |from: f64, to: f64, most: u32| (from.max(0.0) as u32)..(to.max(0.0).ceil() as u32).min(most);
    for y in span(from[1], to[1], height) {
        for x in span(from[0], to[0], width) {
            with([x, y], picture.get_pixel_mut(x, y));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use image::{GrayImage, Luma};

    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        cells::Kind,
        pictures::{OUTLINE, PLATELET_OUTLINE},
    };

    const GROUND: Rgb<u8> = Rgb([200, 190, 195]);

    /// An analysis with the given labels, of which half of the area is outside if `is_half`.
    fn analysis(labels: Labels, is_half: bool) -> Analysis {
        let (width, height) = (labels.width() / SCALE, labels.height() / SCALE);
        let mut analysis = Analysis { labels, ..Analysis::default() };
        analysis.outside.mask =
            GrayImage::from_fn(width, height, |x, _| Luma([if is_half && x < width / 2 { OUTSIDE } else { 0 }]));
        analysis.outside.px = u64::from(is_half) * u64::from(width / 2 * height);
        analysis
    }

    fn disk(radius: f64) -> Labels {
        Labels::from_fn(80, 60, |x, y| {
            Luma([u16::from((f64::from(x) + 0.5 - 40.0).hypot(f64::from(y) + 0.5 - 30.0) < radius)])
        })
    }

    #[test]
    fn outline_is_closed_ring_at_cell_on_input() {
        // 20x15 analysed pixels of 9.2 input pixels each, from (3, 5) on.
        let placement = Placement { scale: 9.2, start_px: [3.0, 5.0] };
        let mut picture = RgbImage::from_pixel(200, 150, GROUND);
        draw(&mut picture, &placement, &analysis(disk(15.0), false), &Looks::new());
        let centre = placement.on_input_px([40.0, 30.0]);
        let radius = 15.0 * 2.3;
        let far = |(x, y): (u32, u32)| (f64::from(x) + 0.5 - centre[0]).hypot(f64::from(y) + 0.5 - centre[1]);
        let drawn: Vec<f64> =
            picture.enumerate_pixels().filter(|(_, _, p)| **p == OUTLINE).map(|(x, y, _)| far((x, y))).collect();
        assert!(drawn.len() > 200 && drawn.iter().all(|far| (far - radius).abs() < 3.0), "{}", drawn.len());
        // It is closed: no path leads from the centre to the corner.
        let mut reached = vec![(centre[0] as u32, centre[1] as u32)];
        let mut seen: BTreeSet<(u32, u32)> = reached.iter().copied().collect();
        while let Some((x, y)) = reached.pop() {
            for next in [(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)] {
                if far(next) < radius + 10.0 && *picture.get_pixel(next.0, next.1) != OUTLINE && seen.insert(next) {
                    reached.push(next);
                }
            }
        }
        assert!(seen.into_iter().all(|at| far(at) < radius));
    }

    #[test]
    fn border_of_analysed_area_is_not_outlined() {
        let placement = Placement { scale: 8.0, start_px: [0.0; 2] };
        let mut picture = RgbImage::from_pixel(160, 120, GROUND);
        let labels = Labels::from_fn(80, 60, |x, y| Luma([u16::from(x < 30 && y < 60)]));
        draw(&mut picture, &placement, &analysis(labels, false), &Looks::new());
        let drawn: BTreeSet<u32> =
            picture.enumerate_pixels().filter(|(_, _, pixel)| **pixel == OUTLINE).map(|(x, _, _)| x).collect();
        assert!(!drawn.is_empty() && drawn.iter().all(|x| x.abs_diff(60) <= 1), "{drawn:?}");
    }

    #[test]
    fn unsupported_cell_is_hatched_and_outside_is_shaded() {
        let placement = Placement { scale: 12.0, start_px: [0.0; 2] };
        let mut picture = RgbImage::from_pixel(240, 180, GROUND);
        draw(
            &mut picture,
            &placement,
            &analysis(disk(12.0), true),
            &Looks::from([(1, Look { is_doubted: true, ..Look::default() })]),
        );
        let count = |colour, columns: std::ops::Range<u32>| {
            picture.enumerate_pixels().filter(|(x, _, pixel)| columns.contains(x) && **pixel == colour).count()
        };
        assert_eq!(count(OUTLINE, 0..240), 0);
        assert!(count(UNSUPPORTED, 0..240) > 800);
        assert_eq!(count(SHADE, 120..240), 0);
        let shaded = count(SHADE, 0..80);
        assert!((80 * 180 / 10..80 * 180 / 7).contains(&shaded), "{shaded}");
    }

    #[test]
    fn platelets_have_their_own_colour() {
        let placement = Placement { scale: 12.0, start_px: [0.0; 2] };
        let mut picture = RgbImage::from_pixel(240, 180, GROUND);
        let looks = Looks::from([(1, Look { kind: Kind::Platelet, is_doubted: false })]);
        draw(&mut picture, &placement, &analysis(disk(12.0), false), &looks);
        let has = |colour| picture.pixels().any(|pixel| *pixel == colour);
        assert!(has(PLATELET_OUTLINE) && !has(OUTLINE) && !has(UNSUPPORTED));
    }

    #[test]
    fn line_width_grows_with_picture_but_is_limited_by_cell_size() {
        let wide = |width, scale| line_px(&RgbImage::new(width, 10), &Placement { scale, start_px: [0.0; 2] });
        assert_eq!([wide(100, 8.0), wide(640, 8.0), wide(4000, 8.0), wide(4000, 4.1)], [1, 1, 4, 2]);
    }
}
