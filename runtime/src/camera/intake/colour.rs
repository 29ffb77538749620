//! Converts rows of camera memory to RGB: ITU-R BT.601 in integers, the same bytes on every processor.

use crate::camera::device::layout::{Layout, Range};

/// Fractional bits of the weights.
const BITS: u32 = 16;
const HALF: i32 = 1 << (BITS - 1);

/// Weights of the conversion, times 2^16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// Level of black.
    black: i32,
    luma: i32,
    red_of_v: i32,
    green_of_u: i32,
    green_of_v: i32,
    blue_of_u: i32,
}

impl Weights {
    /// The weights for a range of levels.
    pub fn of(range: Range) -> Self {
        match range {
            // 255/219 for brightness, 255/224 for the colour differences.
            Range::Limited => Self {
                black: 16,
                luma: 76_309,
                red_of_v: 104_597,
                green_of_u: 25_675,
                green_of_v: 53_279,
                blue_of_u: 132_201,
            },
            Range::Full => Self {
                black: 0,
                luma: 65_536,
                red_of_v: 91_881,
                green_of_u: 22_554,
                green_of_v: 46_802,
                blue_of_u: 116_130,
            },
        }
    }

    fn luma(&self, y: u8) -> i32 {
        (i32::from(y) - self.black) * self.luma + HALF
    }

    fn pixel(&self, y: u8, u: u8, v: u8) -> [u8; 3] {
        let (luma, u, v) = (self.luma(y), i32::from(u) - 128, i32::from(v) - 128);
        [
            level(luma + self.red_of_v * v),
            level(luma - self.green_of_u * u - self.green_of_v * v),
            level(luma + self.blue_of_u * u),
        ]
    }
}

fn level(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// Writes row `y` of a frame to `row`, RGB, from its left edge: as many whole pixel pairs (single pixels for
/// [`Layout::Grey`]) as `row` holds and the frame has. `height_px` and `stride` (bytes per row) are the frame's. A
/// compressed frame has no rows: `row` is unchanged.
pub fn row(layout: Layout, weights: &Weights, frame: &[u8], height_px: u32, stride: usize, y: usize, row: &mut [u8]) {
    let line = |at: usize| frame.get(at * stride..).map(|line| &line[..line.len().min(stride)]).unwrap_or_default();
    match layout {
        Layout::Yuyv => {
            for (to, from) in row.chunks_exact_mut(6).zip(line(y).chunks_exact(4)) {
                to[..3].copy_from_slice(&weights.pixel(from[0], from[1], from[3]));
                to[3..].copy_from_slice(&weights.pixel(from[2], from[1], from[3]));
            }
        }
        Layout::Nv12 => {
            let colours = line(height_px as usize + y / 2);
            for ((to, luma), colour) in
                row.chunks_exact_mut(6).zip(line(y).chunks_exact(2)).zip(colours.chunks_exact(2))
            {
                to[..3].copy_from_slice(&weights.pixel(luma[0], colour[0], colour[1]));
                to[3..].copy_from_slice(&weights.pixel(luma[1], colour[0], colour[1]));
            }
        }
        Layout::Grey => {
            for (to, from) in row.chunks_exact_mut(3).zip(line(y)) {
                to.fill(level(weights.luma(*from)));
            }
        }
        Layout::Mjpeg => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_extreme_levels_of_both_ranges() {
        let limited = Weights::of(Range::Limited);
        assert_eq!(limited.pixel(16, 128, 128), [0; 3]);
        assert_eq!(limited.pixel(235, 128, 128), [255; 3]);
        assert_eq!(limited.pixel(0, 128, 128), [0; 3]);
        // BT.601: red is Y 81, U 90, V 240; blue is Y 41, U 240, V 110.
        assert_eq!(limited.pixel(81, 90, 240), [254, 0, 0]);
        assert_eq!(limited.pixel(41, 240, 110), [0, 0, 255]);
        let full = Weights::of(Range::Full);
        assert_eq!((full.pixel(0, 128, 128), full.pixel(255, 128, 128)), ([0; 3], [255; 3]));
        assert_eq!(full.pixel(76, 85, 255), [254, 0, 0]);
        assert_eq!(full.pixel(255, 255, 255), [255, 121, 255]);
    }

    #[test]
    fn integer_conversion_matches_rounded_formula() {
        let limited = Weights::of(Range::Limited);
        for y in (0..=255).step_by(5) {
            for u in (0..=255).step_by(15) {
                for v in (0..=255).step_by(15) {
                    let (l, cu, cv) = (f64::from(y) - 16.0, f64::from(u) - 128.0, f64::from(v) - 128.0);
                    let luma = l * 255.0 / 219.0;
                    let scale = 255.0 / 224.0;
                    let wanted = [
                        luma + scale * 1.402 * cv,
                        luma - scale * (0.344_136 * cu + 0.714_136 * cv),
                        luma + scale * 1.772 * cu,
                    ];
                    for (got, wanted) in limited.pixel(y as u8, u as u8, v as u8).iter().zip(wanted) {
                        assert!((f64::from(*got) - wanted.clamp(0.0, 255.0)).abs() < 0.51, "{y} {u} {v}");
                    }
                }
            }
        }
    }

    #[test]
    fn converts_rows_of_each_layout() {
        let weights = Weights::of(Range::Full);
        let mut to = [9; 12];
        // Two rows of two pixels, two bytes of padding each.
        let yuyv = [1, 128, 2, 128, 0, 0, 3, 128, 4, 128, 0, 0];
        row(Layout::Yuyv, &weights, &yuyv, 2, 6, 1, &mut to[..6]);
        assert_eq!(to, [3, 3, 3, 4, 4, 4, 9, 9, 9, 9, 9, 9]);
        row(Layout::Grey, &weights, &[1, 2, 3, 4, 5, 6], 2, 3, 1, &mut to);
        assert_eq!(to, [4, 4, 4, 5, 5, 5, 6, 6, 6, 9, 9, 9]);
        let nv12 = [10, 20, 30, 40, 50, 60, 128, 128, 128, 255];
        row(Layout::Nv12, &weights, &nv12, 3, 2, 2, &mut to[..6]);
        assert_eq!(to[..6], [228, 0, 50, 238, 0, 60]);
    }

    #[test]
    fn row_missing_from_short_frame_is_left_unchanged() {
        let mut to = [9; 6];
        for layout in Layout::ALL {
            row(layout, &Weights::of(Range::Full), &[1, 2, 3], 4, 4, 3, &mut to);
        }
        assert_eq!(to, [9; 6]);
    }
}
