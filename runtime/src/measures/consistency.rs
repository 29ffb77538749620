//! How far a super-resolved picture says something that the camera did not see.
//!
//! The picture is shrunk back by averaging areas and compared with what was read, without any truth: the figure is
//! there on the device too.

use image::{Luma, RgbImage};

use crate::{
    cells::Labels,
    error::{Error, Result},
    frame::resize::shrink_area_rgb,
};

/// Mean absolute difference a pixel of the low-resolution picture, over its three channels, in levels (0..=255).
#[derive(Debug, Clone, PartialEq)]
pub struct Consistency {
    width: u32,
    height: u32,
    error_levels: Vec<f64>,
}

impl Consistency {
    /// Compares what was read, `lr`, with what came out, `sr`, a whole multiple of its size.
    pub fn new(lr: &RgbImage, sr: &RgbImage) -> Result<Self> {
        let (width, height) = lr.dimensions();
        let whole = |small: u32, large: u32| small > 0 && large.is_multiple_of(small);
        if !whole(width, sr.width()) || !whole(height, sr.height()) {
            return Err(Error::internal(
                "consistency",
                format!("{}x{} is no whole multiple of {width}x{height}", sr.width(), sr.height()),
            ));
        }
        let shrunk = shrink_area_rgb(sr, width, height)?;
        let error_levels = lr
            .pixels()
            .zip(shrunk.pixels())
            .map(|(a, b)| a.0.iter().zip(&b.0).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / 3.0)
            .collect();
        Ok(Self { width, height, error_levels })
    }

    /// Mean over the picture, in levels.
    pub fn tile_levels(&self) -> f64 {
        self.error_levels.iter().sum::<f64>() / self.error_levels.len() as f64
    }

    /// Mean over each cell, in levels: entry `n - 1` is that of label `n`. A low-resolution pixel weighs as much as the
    /// cell covers of it; a label that no pixel bears has 0.
    ///
    /// `labels` lie on a grid that is a whole multiple of the low-resolution picture.
    pub fn cell_levels(&self, labels: &Labels) -> Result<Vec<f64>> {
        let (across, down) = (labels.width() / self.width, labels.height() / self.height);
        if (across * self.width, down * self.height) != labels.dimensions() || across == 0 || down == 0 {
            return Err(Error::internal("consistency", "labels are no whole multiple of the picture"));
        }
        let mut sums: Vec<(f64, u32)> = Vec::new();
        for (x, y, &Luma([label])) in labels.enumerate_pixels() {
            let Some(at) = usize::from(label).checked_sub(1) else { continue };
            if sums.len() <= at {
                sums.resize(at + 1, (0.0, 0));
            }
            sums[at].0 += self.error_levels[((y / down) * self.width + x / across) as usize];
            sums[at].1 += 1;
        }
        Ok(sums.into_iter().map(|(sum, count)| sum / f64::from(count.max(1))).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use image::Rgb;

    #[test]
    fn a_picture_enlarged_by_repeating_pixels_is_consistent() {
        let lr = RgbImage::from_fn(4, 3, |x, y| Rgb([(x * 60) as u8, (y * 80) as u8, 7]));
        let sr = RgbImage::from_fn(16, 12, |x, y| *lr.get_pixel(x / 4, y / 4));
        assert_eq!(Consistency::new(&lr, &sr).unwrap().tile_levels(), 0.0);
    }

    #[test]
    fn an_error_is_laid_to_the_cells_that_cover_it() {
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
        assert_eq!(found.cell_levels(&labels).unwrap(), [0.0, 0.0, 2.5]);
    }

    #[test]
    fn odd_sizes_are_refused() {
        assert!(Consistency::new(&RgbImage::new(2, 2), &RgbImage::new(8, 7)).is_err());
        let fine = Consistency::new(&RgbImage::new(2, 2), &RgbImage::new(8, 8)).unwrap();
        assert!(fine.cell_levels(&Labels::new(7, 8)).is_err());
        assert!(fine.cell_levels(&Labels::new(1, 1)).is_err());
    }
}
