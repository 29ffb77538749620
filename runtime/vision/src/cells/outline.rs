//! Outlines of cells: paths along pixel edges, two bits per step.
//!
//! An outline runs clockwise (y points down) around the cell, from the upper left corner of its first pixel back to it,
//! so the polygon covers exactly the cell's pixels and holes. Pixels that share only a corner are not connected.
//!
//! ```text
//! outline = form x y rest             numbers: 7 bits a byte, least first, the top bit says that more follow
//!   form 0: rest = steps, then the steps, four a byte, the first in the lowest bits: 0 right, 1 down, 2 left, 3 up
//!   form 1: rest = width height       only the box: the outline was too long to be stored
//! ```

use super::{
    Cell, Labels,
    runs::{Run, runs},
};
use crate::cells::limits::{MAX_OUTLINE_STEPS, MAX_OUTLINES_BYTES};

const CHAIN: u8 = 0;
const BOX: u8 = 1;

/// Steps to the right, down, left, up.
pub(crate) const STEPS: [(i64, i64); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

/// Offsets of the two pixels ahead of a corner, for each heading: on the left hand, on the right hand.
const AHEAD: [[(i64, i64); 2]; 4] = [[(0, -1), (0, 0)], [(0, 0), (-1, 0)], [(-1, 0), (-1, -1)], [(-1, -1), (0, -1)]];

/// The outlines of a frame's cells, in the order of the cells. Memory is reused from frame to frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlines {
    bytes: Vec<u8>,
    /// End of each outline in `bytes`.
    ends: Vec<u32>,
    /// First pixel of each cell.
    first: Vec<Option<(u32, u32)>>,
}

impl Outlines {
    /// Traces every cell of `cells` (in order of their labels) in `labels`, replacing earlier outlines.
    pub fn trace(&mut self, labels: &Labels, cells: &[Cell]) {
        self.bytes.clear();
        self.ends.clear();
        self.first.clear();
        self.first.resize(cells.len(), None);
        if !cells.is_empty() {
            self.find_first(labels, cells);
        }
        for at in 0..cells.len() {
            if let (Some(first), Some(cell)) = (self.first[at], cells.get(at)) {
                self.add(labels, cell.label, first);
            }
            self.ends.push(self.bytes.len() as u32);
        }
    }

    /// The outline of the cell with this index; empty for a cell without pixels.
    pub fn get(&self, at: usize) -> &[u8] {
        let Some(&end) = self.ends.get(at) else { return &[] };
        let begin = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.bytes.get(begin as usize..end as usize).unwrap_or(&[])
    }

    fn find_first(&mut self, labels: &Labels, cells: &[Cell]) {
        let width = labels.width().max(1) as usize;
        for (y, row) in (0_u32..).zip(labels.as_raw().chunks_exact(width)) {
            for Run { begin, value: label, .. } in runs(row, 0) {
                let guess = usize::from(label) - 1;
                let index = match cells.get(guess) {
                    Some(cell) if cell.label == label => Some(guess),
                    _ => cells.binary_search_by_key(&label, |cell| cell.label).ok(),
                };
                if let Some(first) = index.and_then(|index| self.first.get_mut(index)) {
                    first.get_or_insert((begin as u32, y));
                }
            }
        }
    }

    fn add(&mut self, labels: &Labels, label: u16, (x, y): (u32, u32)) {
        let room = MAX_OUTLINES_BYTES.saturating_sub(self.bytes.len()).saturating_mul(4);
        let most = MAX_OUTLINE_STEPS.min(u32::try_from(room).unwrap_or(u32::MAX));
        let begin = self.bytes.len();
        self.bytes.push(CHAIN);
        for number in [x, y] {
            put(&mut self.bytes, number);
        }
        let number_at = self.bytes.len();
        let bytes = &mut self.bytes;
        let (mut packed, mut used, mut left_over) = (0_u8, 0, most);
        let ([left, top, right, bottom], count) = walk(labels, label, (x, y), |heading| {
            packed |= heading << used;
            used += 2;
            if used == 8 {
                if left_over >= 4 {
                    bytes.push(packed);
                    left_over -= 4;
                }
                (packed, used) = (0, 0);
            }
        });
        if count > most {
            self.bytes.truncate(begin);
            self.bytes.push(BOX);
            for number in [left, top, right - left, bottom - top] {
                put(&mut self.bytes, number);
            }
            return;
        }
        if used > 0 {
            self.bytes.push(packed);
        }
        // The steps are only counted now; their number precedes them.
        let steps_at = self.bytes.len();
        put(&mut self.bytes, count);
        let number_bytes = self.bytes.len() - steps_at;
        self.bytes[number_at..].rotate_right(number_bytes);
    }
}

/// Walks around the cell whose first pixel in raster order is `first`. Returns the left, top, right and bottom edge, and
/// the number of steps. Calls `step` with the index of each step in [`STEPS`].
pub(crate) fn walk(labels: &Labels, label: u16, first: (u32, u32), mut step: impl FnMut(u8)) -> ([u32; 4], u32) {
    let (width, height, pixels) = (u64::from(labels.width()), u64::from(labels.height()), labels.as_raw());
    let inside = |x: i64, y: i64| {
        // Negative coordinates wrap to large ones.
        let (x, y) = (x as u64, y as u64);
        x < width && y < height && pixels.get((y * width + x) as usize) == Some(&label)
    };
    let start = (i64::from(first.0), i64::from(first.1));
    let ((mut x, mut y), mut heading, mut count) = (start, 0_u8, 0_u32);
    let [mut left, mut top, mut right, mut bottom] = [x, y, x, y];
    loop {
        let (dx, dy) = STEPS[usize::from(heading)];
        (x, y) = (x + dx, y + dy);
        step(heading);
        count = count.saturating_add(1);
        let [on_left, on_right] = AHEAD[usize::from(heading)].map(|(dx, dy)| inside(x + dx, y + dy));
        heading = match (on_left, on_right) {
            (_, false) => (heading + 1) % 4,
            (true, true) => (heading + 3) % 4,
            // Straight on: only turns can extend the bounds.
            (false, true) => continue,
        };
        (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x), bottom.max(y));
        // No pixel lies above or to the left of the first one, so the walk passes its corner once.
        if (x, y) == start {
            break;
        }
    }
    ([left, top, right, bottom].map(|edge| edge as u32), count)
}

/// A decoded polygon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Polygon {
    /// Its corners, clockwise (y points down), without repeating the first, at pixel corners: the first pixel of a
    /// picture spans (0, 0) to (1, 1). Empty if there is no outline.
    pub corners: Vec<[u32; 2]>,
    /// Whether it is only the cell's box.
    pub is_box: bool,
}

impl Polygon {
    /// Decodes an outline, replacing the earlier one. Returns `false` for invalid data, with no corners.
    pub fn read(&mut self, outline: &[u8]) -> bool {
        self.corners.clear();
        self.is_box = false;
        let read = self.try_read(outline).is_some();
        if !read {
            self.corners.clear();
        }
        read
    }

    fn try_read(&mut self, outline: &[u8]) -> Option<()> {
        let (&form, mut rest) = outline.split_first()?;
        let [x, y] = [take(&mut rest)?, take(&mut rest)?];
        if form == BOX {
            let [width, height] = [take(&mut rest)?, take(&mut rest)?];
            let (right, bottom) = (x.checked_add(width)?, y.checked_add(height)?);
            self.is_box = true;
            self.corners.extend([[x, y], [right, y], [right, bottom], [x, bottom]]);
            return (width > 0 && height > 0 && rest.is_empty()).then_some(());
        }
        let count = take(&mut rest)?;
        if form != CHAIN || count > MAX_OUTLINE_STEPS || rest.len() != count.div_ceil(4) as usize {
            return None;
        }
        let (mut place, mut before) = ([i64::from(x), i64::from(y)], None);
        for step in 0..count {
            let heading = rest.get(step as usize / 4)? >> (step % 4 * 2) & 3;
            if before != Some(heading) {
                self.corners.push([u32::try_from(place[0]).ok()?, u32::try_from(place[1]).ok()?]);
            }
            before = Some(heading);
            let (dx, dy) = STEPS[usize::from(heading)];
            place = [place[0] + dx, place[1] + dy];
        }
        (self.corners.len() >= 4 && place == [i64::from(x), i64::from(y)]).then_some(())
    }

    /// Left, top, width and height; `None` without corners.
    pub fn bounds(&self) -> Option<[u32; 4]> {
        let side = |axis: usize| {
            let values = || self.corners.iter().map(move |corner| corner[axis]);
            Some((values().min()?, values().max()?))
        };
        let ((left, right), (top, bottom)) = (side(0)?, side(1)?);
        Some([left, top, right - left, bottom - top])
    }
}

/// Writes a number, 7 bits per byte.
fn put(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads a number of at most 31 bits.
fn take(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u64;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return i32::try_from(number).ok().map(i32::cast_unsigned);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use image::Luma;
    use proptest::prelude::*;

    use super::*;
    use crate::{cells::components, support::CellConsistency};

    fn cell(label: u16) -> Cell {
        Cell {
            label,
            x_px: 0.0,
            y_px: 0.0,
            area_px: 0,
            equivalent_diameter_px: 0.0,
            perimeter_px: 0.0,
            circularity: 0.0,
            eccentricity: 0.0,
            touches_border: false,
            confidence: 0.0,
            consistency: CellConsistency { levels: 0.0, offset_levels: 0.0, input_px: 0.0 },
            kind: Default::default(),
            kind_thousandths: 0,
        }
    }

    fn polygons(labels: &Labels, numbers: &[u16]) -> Vec<Polygon> {
        let cells: Vec<Cell> = numbers.iter().copied().map(cell).collect();
        let mut outlines = Outlines::default();
        outlines.trace(labels, &cells);
        let read = |at| {
            let mut polygon = Polygon::default();
            assert_eq!(polygon.read(outlines.get(at)), !outlines.get(at).is_empty());
            polygon
        };
        (0..cells.len()).map(read).collect()
    }

    /// Area of a clockwise polygon (y points down).
    fn area(corners: &[[u32; 2]]) -> i64 {
        let next = corners.iter().cycle().skip(1);
        let twice: i64 = corners
            .iter()
            .zip(next)
            .map(|(a, b)| i64::from(a[0]) * i64::from(b[1]) - i64::from(b[0]) * i64::from(a[1]))
            .sum();
        twice / 2
    }

    /// Whether a pixel's centre lies inside, by counting the edges to its left.
    fn covers(corners: &[[u32; 2]], x: u32, y: u32) -> bool {
        let next = corners.iter().cycle().skip(1);
        let left = corners
            .iter()
            .zip(next)
            .filter(|(a, b)| a[0] == b[0] && a[0] <= x && a[1].min(b[1]) <= y && y < a[1].max(b[1]));
        left.count() % 2 == 1
    }

    #[test]
    fn traces_corners_of_known_shapes() {
        let labels = Labels::from_raw(4, 3, vec![0, 1, 1, 3, 0, 1, 0, 3, 0, 0, 0, 0]).unwrap();
        let [one, two, three] = <[Polygon; 3]>::try_from(polygons(&labels, &[1, 2, 3])).unwrap();
        assert_eq!(one.corners, [[1, 0], [3, 0], [3, 1], [2, 1], [2, 2], [1, 2]]);
        assert_eq!((one.bounds(), area(&one.corners), one.is_box), (Some([1, 0, 2, 2]), 3, false));
        assert_eq!((two.corners.len(), two.bounds()), (0, None), "no pixel has this label");
        assert_eq!(three.corners, [[3, 0], [4, 0], [4, 2], [3, 2]]);
    }

    #[test]
    fn diagonal_pixels_stay_separate_and_holes_are_covered() {
        let labels = Labels::from_raw(3, 3, vec![1, 1, 1, 1, 0, 1, 1, 1, 1]).unwrap();
        assert_eq!(polygons(&labels, &[1])[0].corners, [[0, 0], [3, 0], [3, 3], [0, 3]]);
        let corner = Labels::from_raw(2, 2, vec![1, 0, 0, 1]).unwrap();
        assert_eq!(polygons(&corner, &[1])[0].corners, [[0, 0], [1, 0], [1, 1], [0, 1]]);
    }

    #[test]
    fn overlong_outline_becomes_its_bounding_box() {
        // A comb: every second column, connected by the first row.
        let labels = Labels::from_fn(600, 250, |x, y| Luma([u16::from(y == 0 || x % 2 == 0)]));
        let comb = &polygons(&labels, &[1])[0];
        assert_eq!((comb.is_box, comb.bounds()), (true, Some([0, 0, 600, 250])));
    }

    #[test]
    fn reused_memory_drops_earlier_outlines() {
        let labels = Labels::from_raw(2, 1, vec![1, 2]).unwrap();
        let mut outlines = Outlines::default();
        outlines.trace(&labels, &[cell(1), cell(2)]);
        let fresh = outlines.clone();
        outlines.trace(&Labels::new(2, 1), &[]);
        assert!(outlines.get(0).is_empty());
        outlines.trace(&labels, &[cell(1), cell(2)]);
        assert_eq!(outlines, fresh);
    }

    proptest! {
        #[test]
        fn polygon_covers_pixels_of_its_cell(width in 1_u32..24, bits in prop::collection::vec(any::<bool>(), 24..300)) {
            let height = bits.len() as u32 / width;
            let picture = image::GrayImage::from_fn(width, height, |x, y| Luma([u8::from(bits[(y * width + x) as usize])]));
            let labels = components(&picture, 0).unwrap();
            let most = labels.as_raw().iter().copied().max().unwrap_or(0);
            let numbers: Vec<u16> = (1..=most).collect();
            for (label, polygon) in (1..).zip(polygons(&labels, &numbers)) {
                let of_label = labels.as_raw().iter().filter(|found| **found == label).count() as i64;
                let covered = |x: u32, y: u32| covers(&polygon.corners, x, y);
                prop_assert!(labels.enumerate_pixels().all(|(x, y, found)| found.0[0] != label || covered(x, y)));
                let all = labels.enumerate_pixels().filter(|(x, y, _)| covered(*x, *y)).count() as i64;
                prop_assert_eq!(all, area(&polygon.corners));
                prop_assert!(all >= of_label);
                let [left, top, w, h] = polygon.bounds().unwrap();
                let ours = || labels.enumerate_pixels().filter(|(_, _, found)| found.0[0] == label);
                prop_assert_eq!((left, top), (ours().map(|p| p.0).min().unwrap(), ours().map(|p| p.1).min().unwrap()));
                let (right, bottom) = (ours().map(|p| p.0).max().unwrap(), ours().map(|p| p.1).max().unwrap());
                prop_assert_eq!((left + w, top + h), (right + 1, bottom + 1));
            }
        }

        #[test]
        fn arbitrary_bytes_decode_or_are_rejected(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut polygon = Polygon::default();
            if polygon.read(&bytes) {
                prop_assert!(polygon.bounds().is_some());
            } else {
                prop_assert!(polygon.corners.is_empty());
            }
        }
    }
}
