//! Operations between convolutions: they move, compare or add levels.

use crate::{map::Shape, requant::round_half_even};

/// Order of the channels that become a block of pixels; the names are ONNX's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Position in the block first, channel second.
    DepthColumnRow,
    /// Channel first, position in the block second.
    ColumnRowDepth,
}

/// Blocks of `block` x `block` pixels become channels: position in the block first, channel second.
pub fn space_to_depth(shape: Shape, block: usize, input: &[u8], output: &mut [u8]) {
    let run = block * shape.channels;
    let packed = block * run;
    for (y, row) in input.chunks_exact(shape.row_bytes()).enumerate() {
        let within = y % block * run;
        let to = &mut output[y / block * (shape.width / block) * packed..];
        copy_runs(run, to.chunks_exact_mut(packed).map(|to| &mut to[within..within + run]).zip(row.chunks_exact(run)));
    }
}

/// The inverse: `shape` is the input's, its channels are a multiple of `block * block`.
pub fn depth_to_space(shape: Shape, block: usize, order: Order, input: &[u8], output: &mut [u8]) {
    let channels = shape.channels / (block * block);
    let run = block * channels;
    for (y, row) in input.chunks_exact(shape.row_bytes()).enumerate() {
        let rows = &mut output[y * block * shape.width * run..][..block * shape.width * run];
        for (within, to) in rows.chunks_exact_mut(shape.width * run).enumerate() {
            let pixels = to.chunks_exact_mut(run).zip(row.chunks_exact(shape.channels));
            match order {
                Order::DepthColumnRow => {
                    copy_runs(run, pixels.map(|(to, from)| (to, &from[within * run..][..run])));
                }
                Order::ColumnRowDepth => {
                    for (to, from) in pixels {
                        for (at, to) in to.iter_mut().enumerate() {
                            *to = from[at % channels * block * block + within * block + at / channels];
                        }
                    }
                }
            }
        }
    }
}

/// Many short copies of `run` bytes each. Common lengths have their own loop, which compiles to moves; a branch inside
/// one loop would compile to a call per copy.
fn copy_runs<'a>(run: usize, pairs: impl Iterator<Item = (&'a mut [u8], &'a [u8])>) {
    match run {
        8 => copy_all::<8>(pairs),
        12 => copy_all::<12>(pairs),
        16 => copy_all::<16>(pairs),
        24 => copy_all::<24>(pairs),
        32 => copy_all::<32>(pairs),
        _ => pairs.for_each(|(to, from)| to.copy_from_slice(from)),
    }
}

fn copy_all<'a, const RUN: usize>(pairs: impl Iterator<Item = (&'a mut [u8], &'a [u8])>) {
    for (to, from) in pairs {
        if let (Some(to), Some(from)) = (to.first_chunk_mut::<RUN>(), from.first_chunk::<RUN>()) {
            *to = *from;
        }
    }
}

/// Writes a map with `channels` channels into channels `first..` of pixels with `pitch` channels.
pub fn place_channels(input: &[u8], channels: usize, output: &mut [u8], pitch: usize, first: usize) {
    let pixels = output.chunks_exact_mut(pitch).map(|to| &mut to[first..first + channels]);
    copy_runs(channels, pixels.zip(input.chunks_exact(channels)));
}

/// Greatest level of each window; `shape` is the input's, no padding.
pub fn max_pool(shape: Shape, window: usize, stride: usize, input: &[u8], output: &mut [u8]) {
    let (height, width) = ((shape.height - window) / stride + 1, (shape.width - window) / stride + 1);
    for y in 0..height {
        for x in 0..width {
            let to = &mut output[(y * width + x) * shape.channels..][..shape.channels];
            to.fill(0);
            for row in y * stride..y * stride + window {
                for column in x * stride..x * stride + window {
                    let from = &input[(row * shape.width + column) * shape.channels..][..shape.channels];
                    for (to, from) in to.iter_mut().zip(from) {
                        *to = (*to).max(*from);
                    }
                }
            }
        }
    }
}

/// Repeats each pixel `factor` x `factor` times.
pub fn repeat_pixels(shape: Shape, factor: usize, input: &[u8], output: &mut [u8]) {
    for (rows, row) in
        output.chunks_exact_mut(factor * factor * shape.row_bytes()).zip(input.chunks_exact(shape.row_bytes()))
    {
        for to in rows.chunks_exact_mut(factor * shape.row_bytes()) {
            for (to, from) in to.chunks_exact_mut(factor * shape.channels).zip(row.chunks_exact(shape.channels)) {
                for to in to.chunks_exact_mut(shape.channels) {
                    to.copy_from_slice(from);
                }
            }
        }
    }
}

/// Levels of a grid: `real = scale * (level - zero_point)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// The step.
    pub scale: f32,
    /// Level of zero.
    pub zero_point: u8,
}

/// The sum of two maps on a third grid: added in real numbers with one rounding, as ONNX defines it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Add {
    /// Grids of the terms.
    pub terms: [Grid; 2],
    /// Grid of the sum.
    pub sum: Grid,
}

/// Maximum number of channels that [`Add::run`] repeats the second term to.
pub const MAX_REPEATED: usize = 256;

impl Add {
    /// `output = a + b`. `b` has `channels / repeats` channels per pixel, which are repeated `repeats` times; `channels`
    /// are those of `a`, at most [`MAX_REPEATED`] if anything is repeated.
    pub fn run(&self, a: &[u8], b: &[u8], channels: usize, repeats: usize, output: &mut [u8]) {
        if repeats == 1 {
            self.levels(a, b, output);
            return;
        }
        let mut repeated = [0; MAX_REPEATED];
        let repeated = &mut repeated[..channels];
        let once = channels / repeats;
        for ((to, a), b) in output.chunks_exact_mut(channels).zip(a.chunks_exact(channels)).zip(b.chunks_exact(once)) {
            match <[u8; 3]>::try_from(b) {
                // Three channels of a picture: moves instead of a call for each repetition.
                Ok(rgb) => repeated.as_chunks_mut().0.fill(rgb),
                Err(_) => repeated.chunks_exact_mut(once).for_each(|to| to.copy_from_slice(b)),
            }
            self.levels(a, repeated, to);
        }
    }

    #[inline]
    fn levels(&self, a: &[u8], b: &[u8], output: &mut [u8]) {
        let [first, second] = self.terms;
        let real = |level: u8, grid: Grid| (i32::from(level) - i32::from(grid.zero_point)) as f32 * grid.scale;
        let (steps, zero) = (self.sum.scale.recip(), i32::from(self.sum.zero_point));
        for ((to, a), b) in output.iter_mut().zip(a).zip(b) {
            let sum = real(*a, first) + real(*b, second);
            *to = (round_half_even(sum * steps) + zero).clamp(0, 255) as u8;
        }
    }
}

/// Converts levels from one grid to another, no lower than `lowest`.
pub fn rescale_table(from: Grid, to: Grid, lowest: u8) -> [u8; 256] {
    let steps = to.scale.recip();
    std::array::from_fn(|level| {
        let real = (level as i32 - i32::from(from.zero_point)) as f32 * from.scale;
        (round_half_even(real * steps) + i32::from(to.zero_point)).clamp(i32::from(lowest), 255) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_and_space_follow_onnx_definition() {
        // ONNX's own example: 8 channels of 2x3 in blocks of 2, channel c holds 6 c, 6 c + 1 ... in rows.
        let shape = Shape::new(2, 3, 8);
        let pixels: Vec<u8> = (0..48).map(|at| at % 8 * 6 + at / 8).collect();
        let mut spread = vec![0; 48];
        let mut first_rows = Vec::new();
        for order in [Order::DepthColumnRow, Order::ColumnRowDepth] {
            depth_to_space(shape, 2, order, &pixels, &mut spread);
            first_rows.push(spread[..12].iter().step_by(2).copied().collect::<Vec<u8>>());
        }
        assert_eq!(first_rows, [[0, 12, 1, 13, 2, 14], [0, 6, 1, 7, 2, 8]]);
        depth_to_space(shape, 2, Order::DepthColumnRow, &pixels, &mut spread);
        let mut back = vec![0; 48];
        space_to_depth(Shape::new(4, 6, 2), 2, &spread, &mut back);
        assert_eq!(back, pixels);
    }

    #[test]
    fn max_pool_and_repeat_pixels_by_example() {
        let mut pooled = vec![0; 2];
        max_pool(Shape::new(2, 4, 1), 2, 2, &[1, 9, 3, 4, 5, 6, 7, 8], &mut pooled);
        assert_eq!(pooled, [9, 8]);
        let mut repeated = vec![0; 8];
        repeat_pixels(Shape::new(1, 2, 1), 2, &[5, 6], &mut repeated);
        assert_eq!(repeated, [5, 5, 6, 6, 5, 5, 6, 6]);
    }

    #[test]
    fn place_channels_interleaves_maps() {
        let mut joined = vec![0; 6];
        place_channels(&[1, 2], 1, &mut joined, 3, 0);
        place_channels(&[3, 4, 5, 6], 2, &mut joined, 3, 1);
        assert_eq!(joined, [1, 3, 4, 2, 5, 6]);
    }

    #[test]
    fn sums_are_rounded_once_and_saturate() {
        let grid = |scale, zero_point| Grid { scale, zero_point };
        let add = Add { terms: [grid(0.25, 128), grid(0.5, 0)], sum: grid(0.5, 128) };
        let mut sums = [0; 4];
        // 1 quarter is half a step and goes to the even level, 3 quarters go to 2 steps
        add.run(&[129, 131, 255, 0], &[0, 0, 255, 0], 4, 1, &mut sums);
        assert_eq!(sums, [128, 130, 255, 64]);
        // one pixel of four channels; the two channels of the other term are repeated twice
        let mut repeated = [0; 4];
        add.run(&[128; 4], &[1, 2], 4, 2, &mut repeated);
        assert_eq!(repeated, [129, 130, 129, 130]);
        // the same with the three channels of a picture, over two pixels
        let mut repeated = [0; 12];
        add.run(&[128; 12], &[1, 2, 3, 4, 5, 6], 6, 2, &mut repeated);
        assert_eq!(repeated, [129, 130, 131, 129, 130, 131, 132, 133, 134, 132, 133, 134]);
    }

    #[test]
    fn rescaling_to_same_grid_is_identity() {
        let grid = Grid { scale: 0.125, zero_point: 128 };
        assert!(rescale_table(grid, grid, 0).iter().enumerate().all(|(level, to)| level == usize::from(*to)));
        assert_eq!(rescale_table(grid, Grid { scale: 0.25, zero_point: 0 }, 0)[130], 1);
        assert_eq!(rescale_table(grid, grid, 128)[3], 128);
    }
}
