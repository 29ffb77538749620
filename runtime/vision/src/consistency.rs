//! How far a super-resolved picture departs from what the camera saw.
//!
//! Compares the super-resolved picture, downscaled by area averaging, with the input. This needs no ground truth, so the
//! figure is available on the device too.

use image::RgbImage;

use crate::{
    cells::{
        Labels,
        runs::{Run, runs},
    },
    error::{Error, Result},
    frame::refit::refit_line,
    geometry::SCALE,
    support::CellConsistency,
};

/// The downscaled picture minus the input: one difference per channel of each low-resolution pixel, in levels
/// (-255..=255). The consistency figures are mean absolute values over the three channels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Consistency {
    width: u32,
    height: u32,
    difference_levels: Vec<[i16; 3]>,
}

/// Sums over the pixels of one cell.
#[derive(Debug, Clone, Copy, Default)]
pub struct CellSums {
    amount_levels: f64,
    difference_levels: [i64; 3],
    pixels: u32,
}

impl Consistency {
    /// Compares the input `lr` with `sr`, whose size is a whole multiple of it.
    ///
    /// # Errors
    /// [`Error::Internal`] if it is not.
    pub fn new(lr: &RgbImage, sr: &RgbImage) -> Result<Self> {
        let mut this = Self::default();
        this.compare(lr, sr)?;
        Ok(this)
    }

    /// Compares another pair, reusing the memory.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn compare(&mut self, lr: &RgbImage, sr: &RgbImage) -> Result<()> {
        let (width, height) = lr.dimensions();
        let whole = |small: u32, large: u32| small > 0 && large.is_multiple_of(small);
        if !whole(width, sr.width()) || !whole(height, sr.height()) {
            return Err(Error::internal(
                "consistency",
                format!("{}x{} is not a whole multiple of {width}x{height}", sr.width(), sr.height()),
            ));
        }
        (self.width, self.height) = (width, height);
        let (across, down) = ((sr.width() / width) as usize, (sr.height() / height) as usize);
        refit_line(&mut self.difference_levels, width as usize * height as usize, [0; 3]);
        let row_bytes = 3 * sr.width() as usize;
        let rows = lr.as_raw().chunks_exact(3 * width as usize).zip(sr.as_raw().chunks_exact(down * row_bytes));
        for ((read, strip), differences) in rows.zip(self.difference_levels.chunks_exact_mut(width as usize)) {
            // A scale known at compile time is several times as fast.
            if (across, down) == (SCALE as usize, SCALE as usize) {
                differ(read, strip, SCALE as usize, SCALE as usize, differences);
            } else {
                differ(read, strip, across, down, differences);
            }
        }
        Ok(())
    }

    /// Mean over the picture, in levels.
    pub fn tile_levels(&self) -> f64 {
        self.difference_levels.iter().map(amount_levels).sum::<f64>() / self.difference_levels.len() as f64
    }

    /// One entry per cell: entry `n - 1` is for label `n`. A low-resolution pixel is weighted by how much of it the cell
    /// covers; an unused label has 0 everywhere.
    ///
    /// `labels` lie on a grid whose size is a whole multiple of the low-resolution picture.
    ///
    /// # Errors
    /// [`Error::Internal`] if it is not.
    pub fn cells(&self, labels: &Labels) -> Result<Vec<CellConsistency>> {
        Ok(self.sum_cells(labels, &mut Vec::new())?.collect())
    }

    /// The same as an iterator, using the memory of `sums`.
    ///
    /// # Errors
    /// As [`Self::cells`].
    pub fn sum_cells<'a>(
        &self,
        labels: &Labels,
        sums: &'a mut Vec<CellSums>,
    ) -> Result<impl Iterator<Item = CellConsistency> + use<'a>> {
        sums.clear();
        // Before the first comparison there is no size.
        let (width, height) = (self.width.max(1), self.height.max(1));
        let (across, down) = (labels.width() / width, labels.height() / height);
        let fits = (across * width, down * height) == labels.dimensions() && across > 0 && down > 0;
        if !fits || self.difference_levels.is_empty() {
            return Err(Error::internal(
                "consistency",
                "the size of the labels is not a whole multiple of the picture's",
            ));
        }
        let (across, down, row_px) = (across as usize, down as usize, width as usize);
        for (y, row) in labels.as_raw().chunks_exact(across * row_px).enumerate() {
            let differences = &self.difference_levels[y / down * row_px..][..row_px];
            for run in runs(row, 0) {
                let at = usize::from(run.value) - 1;
                if sums.len() <= at {
                    sums.resize(at + 1, CellSums::default());
                }
                sums[at].add(&run, differences, across);
            }
        }
        let pixels_each = (across * down) as f64;
        Ok(sums.iter().map(move |of| of.consistency(pixels_each)))
    }
}

impl CellSums {
    /// Adds a run of a row; `differences` are those of the input row, which has one pixel per `across` of it.
    fn add(&mut self, run: &Run<u16>, differences: &[[i16; 3]], across: usize) {
        let mut begin = run.begin;
        while begin < run.end {
            let place = begin / across;
            let end = run.end.min((place + 1) * across);
            let difference = &differences[place];
            let amount = amount_levels(difference);
            // One addition at a time: a product would round differently.
            for _ in begin..end {
                self.amount_levels += amount;
            }
            for (sum, &difference) in self.difference_levels.iter_mut().zip(difference) {
                *sum += i64::from(difference) * (end - begin) as i64;
            }
            begin = end;
        }
        self.pixels += (run.end - run.begin) as u32;
    }

    /// For a cell on a grid with `pixels_each` pixels per input pixel.
    fn consistency(&self, pixels_each: f64) -> CellConsistency {
        let pixels = f64::from(self.pixels.max(1));
        CellConsistency {
            levels: self.amount_levels / pixels,
            offset_levels: self.difference_levels.iter().fold(0.0, |most: f64, sum| most.max(sum.abs() as f64))
                / pixels,
            input_px: f64::from(self.pixels) / pixels_each,
        }
    }
}

/// A strip of the large picture, with `across` x `down` pixels per input pixel, minus the input row.
#[inline(always)]
fn differ(read: &[u8], strip: &[u8], across: usize, down: usize, differences: &mut [[i16; 3]]) {
    let row_bytes = strip.len() / down;
    let pixels = differences.iter_mut().zip(read.chunks_exact(3)).enumerate();
    for (x, (difference, read)) in pixels {
        // Rounded to levels along the rows first, then down the columns, as when an 8-bit picture is downscaled.
        let mut sums = [0_u32; 3];
        for row in strip.chunks_exact(row_bytes) {
            let mut along = [0_u32; 3];
            for pixel in row[3 * across * x..][..3 * across].chunks_exact(3) {
                along.iter_mut().zip(pixel).for_each(|(sum, &level)| *sum += u32::from(level));
            }
            sums.iter_mut().zip(along).for_each(|(sum, along)| *sum += rounded(along, across as u32));
        }
        let shrunk = sums.map(|sum| rounded(sum, down as u32) as i16);
        *difference = std::array::from_fn(|channel| shrunk[channel] - i16::from(read[channel]));
    }
}

/// The mean of `count` levels of a sum, halves up.
fn rounded(sum: u32, count: u32) -> u32 {
    (sum + count / 2) / count
}

/// Mean absolute value over the channels, in levels.
fn amount_levels(difference_levels: &[i16; 3]) -> f64 {
    f64::from(difference_levels.iter().map(|level| i32::from(level.abs())).sum::<i32>()) / 3.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use image::{Luma, Rgb};

    use super::*;
    use crate::{frame::resize::shrink_area_rgb, model::golden};

    #[test]
    fn differences_match_area_downscaled_picture() {
        let picture = |salt, width, height| {
            RgbImage::from_raw(width, height, golden::input(salt, 3 * (width * height) as usize)).unwrap()
        };
        let mut consistency = Consistency::default();
        for (salt, (width, height)) in (1..).zip([(1, 1), (37, 21), (64, 64), (5, 90)]) {
            let (lr, sr) = (picture(salt, width, height), picture(salt + 100, 4 * width, 4 * height));
            consistency.compare(&lr, &sr).unwrap();
            let shrunk = shrink_area_rgb(&sr, width, height).unwrap();
            let wanted = shrunk.iter().zip(lr.iter()).map(|(a, b)| i16::from(*a) - i16::from(*b));
            assert!(wanted.eq(consistency.difference_levels.iter().flatten().copied()), "{width}x{height}");
        }
        assert!(Consistency::default().cells(&Labels::new(4, 4)).is_err());
    }

    #[test]
    fn pixel_repeated_picture_is_consistent() {
        let lr = RgbImage::from_fn(4, 3, |x, y| Rgb([(x * 60) as u8, (y * 80) as u8, 7]));
        let sr = RgbImage::from_fn(16, 12, |x, y| *lr.get_pixel(x / 4, y / 4));
        assert_eq!(Consistency::new(&lr, &sr).unwrap().tile_levels(), 0.0);
    }

    #[test]
    fn error_is_attributed_to_covering_cells() {
        let lr = RgbImage::from_pixel(2, 1, Rgb([100; 3]));
        let mut sr = RgbImage::from_pixel(8, 4, Rgb([100; 3]));
        for y in 0..4 {
            for x in 4..8 {
                sr.put_pixel(x, y, Rgb([100, 130, 100])); // 10 levels a channel on the right pixel
            }
        }
        let found = Consistency::new(&lr, &sr).unwrap();
        assert_eq!(found.tile_levels(), 5.0);
        // cell 1 left, cell 3 with one of its four columns on the right
        let labels = Labels::from_fn(8, 4, |x, _| Luma([[1, 3, 3, 3, 3, 0, 0, 0][x as usize]]));
        let cells = found.cells(&labels).unwrap();
        assert_eq!(cells.iter().map(|cell| cell.levels).collect::<Vec<_>>(), [0.0, 0.0, 2.5]);
        // 30 levels of green on a quarter of the cell, which covers a whole input pixel.
        assert_eq!((cells[2].offset_levels, cells[2].input_px), (7.5, 1.0));
        assert_eq!((cells[1].offset_levels, cells[1].input_px, cells[1].supported()), (0.0, 0.0, true));
    }

    #[test]
    fn alternating_differences_cancel_in_offset() {
        let lr = RgbImage::from_fn(4, 4, |x, y| Rgb([if (x + y) % 2 == 0 { 80 } else { 120 }; 3]));
        let flat = RgbImage::from_pixel(16, 16, Rgb([100; 3]));
        let cells = Consistency::new(&lr, &flat).unwrap().cells(&Labels::from_pixel(16, 16, Luma([1]))).unwrap();
        assert_eq!(cells, [CellConsistency { levels: 20.0, offset_levels: 0.0, input_px: 16.0 }]);
    }

    #[test]
    fn offset_is_largest_absolute_channel_mean() {
        let lr = RgbImage::from_pixel(2, 2, Rgb([100, 100, 100]));
        let sr = RgbImage::from_pixel(8, 8, Rgb([110, 70, 100]));
        let cells = Consistency::new(&lr, &sr).unwrap().cells(&Labels::from_pixel(8, 8, Luma([1]))).unwrap();
        assert_eq!(cells[0].offset_levels, 30.0);
        assert!(!cells[0].supported());
    }

    #[test]
    fn run_sums_equal_pixel_sums_bit_for_bit() {
        let picture = |salt, width, height| {
            RgbImage::from_raw(width, height, golden::input(salt, 3 * (width * height) as usize)).unwrap()
        };
        for (salt, (width, height, times)) in (1..).zip([(20, 20, 4), (7, 9, 3), (31, 5, 1)]) {
            let (lr, sr) = (picture(salt, width, height), picture(salt + 9, 4 * width, 4 * height));
            let consistency = Consistency::new(&lr, &sr).unwrap();
            let numbers = golden::input(salt, (width * height * times * times) as usize);
            let labels = numbers.iter().map(|number| u16::from(number % 5)).collect();
            let labels = Labels::from_raw(width * times, height * times, labels).unwrap();
            let mut sums = [CellSums::default(); 4];
            for (x, y, &Luma([label])) in labels.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > 0) {
                let difference = &consistency.difference_levels[(y / times * width + x / times) as usize];
                let of = &mut sums[usize::from(label) - 1];
                of.amount_levels += amount_levels(difference);
                of.difference_levels.iter_mut().zip(difference).for_each(|(sum, level)| *sum += i64::from(*level));
                of.pixels += 1;
            }
            let wanted: Vec<_> = sums.iter().map(|of| of.consistency(f64::from(times * times))).collect();
            assert_eq!(consistency.cells(&labels).unwrap(), wanted);
        }
    }

    #[test]
    fn mismatched_sizes_are_rejected() {
        assert!(Consistency::new(&RgbImage::new(2, 2), &RgbImage::new(8, 7)).is_err());
        let fine = Consistency::new(&RgbImage::new(2, 2), &RgbImage::new(8, 8)).unwrap();
        assert!(fine.cells(&Labels::new(7, 8)).is_err());
        assert!(fine.cells(&Labels::new(1, 1)).is_err());
    }
}
