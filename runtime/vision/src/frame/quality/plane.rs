//! The brightness of a frame as a plane of numbers, and the filters for the quality check.

use image::RgbImage;

use crate::frame::refit::refit_line;

/// Weights of red, green and blue in the brightness (ITU-R BT.601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Brightness of each pixel in levels, row by row.
#[derive(Debug, Clone, Default)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) levels: Vec<f32>,
}

impl Plane {
    /// Takes the brightness of a picture.
    pub(super) fn take_luma(&mut self, picture: &RgbImage) {
        let (width, height) = picture.dimensions();
        self.refit(width as usize, height as usize);
        let level = |pixel: &image::Rgb<u8>| pixel.0.iter().zip(LUMA).map(|(&c, weight)| f32::from(c) * weight).sum();
        for (to, pixel) in self.levels.iter_mut().zip(picture.pixels()) {
            *to = level(pixel);
        }
    }

    /// Changes the size; the contents are arbitrary.
    pub(super) fn refit(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        refit_line(&mut self.levels, width * height, 0.0);
    }

    /// Smooths rows and columns with a symmetric kernel, given from its centre outwards; the border is repeated.
    /// `between` is scratch memory.
    pub(super) fn smooth_to(&self, kernel: &[f32], between: &mut Self, to: &mut Self) {
        between.refit(self.width, self.height);
        for (row, from) in between.levels.chunks_exact_mut(self.width).zip(self.levels.chunks_exact(self.width)) {
            weigh(row, from, kernel[0]);
            for (away, &weight) in kernel.iter().enumerate().skip(1) {
                add_beside(row, from, away, weight);
            }
        }
        to.refit(self.width, self.height);
        let last = self.height.saturating_sub(1);
        for (y, row) in to.levels.chunks_exact_mut(self.width).enumerate() {
            weigh(row, between.row(y), kernel[0]);
            for (away, &weight) in kernel.iter().enumerate().skip(1) {
                let (above, below) = (between.row(y.saturating_sub(away)), between.row((y + away).min(last)));
                add_sums(row, above, below, weight);
            }
        }
    }

    /// Reduces all levels within `reach` pixels along rows and columns with `pick`: the maximum or the minimum. Windows
    /// end at the border. `between` is scratch memory.
    pub(super) fn extreme_to(
        &self,
        reach: usize,
        pick: impl Fn(f32, f32) -> f32 + Copy,
        between: &mut Self,
        to: &mut Self,
    ) {
        self.extreme_across(reach, pick, between);
        between.extreme_down(reach, pick, to);
    }

    /// The same along rows only.
    pub(super) fn extreme_across(&self, reach: usize, pick: impl Fn(f32, f32) -> f32 + Copy, to: &mut Self) {
        to.refit(self.width, self.height);
        for (row, from) in to.levels.chunks_exact_mut(self.width).zip(self.levels.chunks_exact(self.width)) {
            row.copy_from_slice(from);
            for away in 1..=reach.min(self.width - 1) {
                pick_into(&mut row[away..], from, pick);
                pick_into(row, &from[away..], pick);
            }
        }
    }

    /// The same along columns only.
    pub(super) fn extreme_down(&self, reach: usize, pick: impl Fn(f32, f32) -> f32 + Copy, to: &mut Self) {
        to.refit(self.width, self.height);
        let last = self.height.saturating_sub(1);
        for (y, row) in to.levels.chunks_exact_mut(self.width).enumerate() {
            row.copy_from_slice(self.row(y));
            for other in (y.saturating_sub(reach)..=(y + reach).min(last)).filter(|other| *other != y) {
                pick_into(row, self.row(other), pick);
            }
        }
    }

    /// Half the mean squared difference of pixels 1, 2, 3 ... pixels apart in x or y, up to `LAGS` or the size of the
    /// plane.
    pub(super) fn half_variances<const LAGS: usize>(&self) -> heapless::Vec<f64, LAGS> {
        let (width, height) = (self.width, self.height);
        let mut sums = [0.0; LAGS];
        for row in self.levels.chunks_exact(width) {
            let lags = LAGS.min(width - 1);
            add_squares(row, &mut sums[..lags], |lag_px| &row[lag_px..]);
        }
        for (y, row) in self.levels.chunks_exact(width).enumerate() {
            let lags = LAGS.min(height - 1 - y);
            add_squares(row, &mut sums[..lags], |lag_px| self.row(y + lag_px));
        }
        let pairs = |lag_px: usize| width.saturating_sub(lag_px) * height + width * height.saturating_sub(lag_px);
        let pairs = (1..).map(pairs).take_while(|pairs| *pairs > 0);
        sums.into_iter().zip(pairs).map(|(sum, pairs)| sum / pairs as f64 / 2.0).collect()
    }

    fn row(&self, y: usize) -> &[f32] {
        &self.levels[y * self.width..][..self.width]
    }
}

fn pick_into(row: &mut [f32], other: &[f32], pick: impl Fn(f32, f32) -> f32) {
    row.iter_mut().zip(other).for_each(|(level, &other)| *level = pick(*level, other));
}

fn weigh(row: &mut [f32], from: &[f32], weight: f32) {
    row.iter_mut().zip(from).for_each(|(sum, level)| *sum = weight * level);
}

/// Adds the weighted levels `away` pixels to the left and to the right; the border is repeated.
fn add_beside(row: &mut [f32], from: &[f32], away: usize, weight: f32) {
    let width = from.len();
    let right = width.saturating_sub(away).max(away);
    for x in (0..away.min(width)).chain(right..width) {
        row[x] += weight * (from[x.saturating_sub(away)] + from[(x + away).min(width - 1)]);
    }
    if right > away {
        add_sums(&mut row[away..right], from, &from[2 * away..], weight);
    }
}

fn add_sums(row: &mut [f32], one: &[f32], other: &[f32], weight: f32) {
    for ((sum, one), other) in row.iter_mut().zip(one).zip(other) {
        *sum += weight * (one + other);
    }
}

/// Adds the squared differences of a row and the rows 1, 2, 3 ... pixels away to the sums of these lags, over the shorter
/// of two rows. Each sum is rounded at every step, so it keeps its order; processing several lags at a time keeps the
/// processor busy.
fn add_squares<'a>(row: &[f32], sums: &mut [f64], away: impl Fn(usize) -> &'a [f32]) {
    const AT_A_TIME: usize = 4;
    let mut lag_px = 1;
    let mut groups = sums.chunks_exact_mut(AT_A_TIME);
    for group in &mut groups {
        let others: [&[f32]; AT_A_TIME] = std::array::from_fn(|at| away(lag_px + at));
        let common = others.iter().map(|other| other.len()).fold(row.len(), usize::min);
        let heads = others.map(|other| &other[..common]);
        let mut four: [f64; AT_A_TIME] = std::array::from_fn(|at| group[at]);
        for (x, level) in row[..common].iter().enumerate() {
            for (sum, other) in four.iter_mut().zip(heads) {
                let difference = level - other[x];
                *sum += f64::from(difference * difference);
            }
        }
        for ((to, sum), other) in group.iter_mut().zip(four).zip(others) {
            *to = add_squares_of_one(&row[common..], &other[common..], sum);
        }
        lag_px += AT_A_TIME;
    }
    for (lag_px, sum) in (lag_px..).zip(groups.into_remainder()) {
        *sum = add_squares_of_one(row, away(lag_px), *sum);
    }
}

fn add_squares_of_one(row: &[f32], other: &[f32], sum: f64) -> f64 {
    row.iter().zip(other).fold(sum, |sum, (a, b)| sum + f64::from((a - b) * (a - b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(width: usize, height: usize, level: impl Fn(f32, f32) -> f32) -> Plane {
        let levels = (0..width * height).map(|at| level((at % width) as f32, (at / width) as f32)).collect();
        Plane { width, height, levels }
    }

    fn extreme(plane: &Plane, reach: usize, pick: fn(f32, f32) -> f32) -> Plane {
        // The memory of another plane, whose contents must not show.
        let (mut to, mut between) = (self::plane(9, 3, |x, _| x), self::plane(2, 70, |_, y| y));
        plane.extreme_to(reach, pick, &mut between, &mut to);
        to
    }

    /// A single, pixelwise definition of each filter.
    fn simple(plane: &Plane, window: impl Fn(&[f32], usize) -> f32) -> Plane {
        let along = |line: Vec<f32>| (0..line.len()).map(|at| window(&line, at)).collect::<Vec<f32>>();
        let rows: Vec<f32> = plane.levels.chunks_exact(plane.width).flat_map(|row| along(row.to_vec())).collect();
        let mut levels = rows.clone();
        for x in 0..plane.width {
            let column = along((0..plane.height).map(|y| rows[y * plane.width + x]).collect());
            column.iter().enumerate().for_each(|(y, level)| levels[y * plane.width + x] = *level);
        }
        Plane { levels, ..*plane }
    }

    /// Planes of many sizes whose levels need rounding.
    fn rough() -> impl Iterator<Item = Plane> {
        let sizes = [(1, 1), (2, 3), (7, 1), (1, 9), (5, 5), (13, 30), (31, 14), (64, 64), (70, 17)];
        sizes.into_iter().map(|(width, height)| plane(width, height, |x, y| (x * 12.9 + y * 78.2 + x * y).sin() * 91.7))
    }

    #[test]
    fn filters_match_pixelwise_definition_bit_for_bit() {
        let kernel = [0.4, 0.2, 0.07, 0.03];
        for plane in rough() {
            let (mut between, mut smooth) = Default::default();
            plane.smooth_to(&kernel, &mut between, &mut smooth);
            let weighed = simple(&plane, |line, at| {
                (1..4).fold(kernel[0] * line[at], |sum, away| {
                    sum + kernel[away] * (line[at.saturating_sub(away)] + line[(at + away).min(line.len() - 1)])
                })
            });
            assert_eq!(smooth.levels, weighed.levels);
            for (reach, pick) in [(3, f32::max as fn(f32, f32) -> f32), (4, f32::min)] {
                let wanted = simple(&plane, |line, at| {
                    let window = &line[at.saturating_sub(reach)..(at + reach + 1).min(line.len())];
                    window.iter().copied().reduce(pick).unwrap_or(0.0)
                });
                assert_eq!(extreme(&plane, reach, pick).levels, wanted.levels);
            }
        }
    }

    #[test]
    fn half_variances_match_pairwise_sums_bit_for_bit() {
        for plane in rough() {
            let of = |lag_px: usize| {
                let rows =
                    plane.levels.chunks_exact(plane.width).flat_map(|row| row.iter().zip(row.iter().skip(lag_px)));
                let below = plane.levels.iter().zip(plane.levels.iter().skip(lag_px * plane.width));
                let (mut sum, mut pairs) = (0.0, 0_u64);
                for (a, b) in rows.chain(below) {
                    sum += f64::from((a - b) * (a - b));
                    pairs += 1;
                }
                (pairs > 0).then(|| sum / pairs as f64 / 2.0)
            };
            assert_eq!(plane.half_variances::<13>().as_slice(), (1..=13).map_while(of).collect::<Vec<f64>>());
        }
    }

    #[test]
    fn smoothing_and_windows_handle_the_border() {
        let dot = plane(5, 4, |x, y| if (x, y) == (0.0, 1.0) { 9.0 } else { 0.0 });
        let mut smooth = Plane::default();
        dot.smooth_to(&[1.0 / 3.0; 2], &mut Plane::default(), &mut smooth);
        assert!((smooth.levels[0] - 2.0).abs() < 1e-5 && (smooth.levels[6] - 1.0).abs() < 1e-5, "{smooth:?}");
        let most = extreme(&dot, 1, f32::max);
        assert_eq!(most.levels.iter().filter(|&&level| level == 9.0).count(), 6);
        assert!(extreme(&dot, 4, f32::min).levels.iter().all(|&level| level == 0.0));
    }

    #[test]
    fn half_variances_of_ramp_and_flat_plane() {
        let steps = plane(40, 40, |x, _| x);
        assert_eq!(steps.half_variances::<2>(), [0.25, 1.0]);
        assert_eq!(plane(3, 2, |_, _| 0.0).half_variances::<13>(), [0.0, 0.0]);
    }
}
