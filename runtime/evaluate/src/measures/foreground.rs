//! Agreement of two foregrounds, pixel by pixel.

use image::GrayImage;

use crate::measures::{FOREGROUND_ABOVE, same_size};
use bloodseg_vision::error::Result;

/// Pixels of one field by whether they are foreground in truth and prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overlap {
    /// Foreground in both.
    pub both: u64,
    /// Only foreground in the prediction.
    pub predicted_only: u64,
    /// Only foreground in the truth.
    pub truth_only: u64,
}

/// Counts the pixels of two masks of the same size; foreground is a level above [`FOREGROUND_ABOVE`].
pub fn overlap(truth: &GrayImage, predicted: &GrayImage) -> Result<Overlap> {
    same_size("foreground", truth.dimensions(), predicted.dimensions())?;
    let mut counts = Overlap::default();
    for (&t, &p) in truth.as_raw().iter().zip(predicted.as_raw()) {
        counts.add(t > FOREGROUND_ABOVE, p > FOREGROUND_ABOVE);
    }
    Ok(counts)
}

/// All ratios are 0..=1. If truth and prediction are both empty, every ratio is 1; if only one is empty, every ratio is
/// 0.
impl Overlap {
    /// Counts one pixel.
    pub fn add(&mut self, truth: bool, predicted: bool) {
        match (truth, predicted) {
            (true, true) => self.both += 1,
            (false, true) => self.predicted_only += 1,
            (true, false) => self.truth_only += 1,
            (false, false) => {}
        }
    }

    /// Share of the predicted foreground that is true.
    pub fn precision(&self) -> f64 {
        self.ratio(self.both, self.both + self.predicted_only)
    }

    /// Share of the true foreground that is predicted.
    pub fn recall(&self) -> f64 {
        self.ratio(self.both, self.both + self.truth_only)
    }

    /// Twice the intersection over the sum of both areas.
    pub fn dice(&self) -> f64 {
        self.ratio(2 * self.both, 2 * self.both + self.predicted_only + self.truth_only)
    }

    /// Intersection over union.
    pub fn iou(&self) -> f64 {
        self.ratio(self.both, self.both + self.predicted_only + self.truth_only)
    }

    fn ratio(&self, part: u64, whole: u64) -> f64 {
        if *self == Self::default() {
            1.0
        } else if whole == 0 {
            0.0
        } else {
            part as f64 / whole as f64
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mask(levels: &[u8]) -> GrayImage {
        GrayImage::from_raw(levels.len() as u32, 1, levels.to_vec()).unwrap()
    }

    #[test]
    fn ratios_follow_from_overlap_counts() {
        let truth = mask(&[255, 255, 128, 255, 255, 0, 127]);
        let predicted = mask(&[255, 255, 255, 0, 0, 255, 0]);
        let found = overlap(&truth, &predicted).unwrap();
        assert_eq!(found, Overlap { both: 3, predicted_only: 1, truth_only: 2 });
        assert_eq!(found.precision(), 0.75);
        assert_eq!(found.recall(), 0.6);
        assert_eq!(found.dice(), 6.0 / 9.0);
        assert_eq!(found.iou(), 0.5);
    }

    #[test]
    fn ratios_of_empty_masks() {
        let (empty, full) = (mask(&[0, 0]), mask(&[255, 255]));
        let neither = overlap(&empty, &empty).unwrap();
        assert_eq!([neither.precision(), neither.recall(), neither.dice(), neither.iou()], [1.0; 4]);
        let missed = overlap(&full, &empty).unwrap();
        assert_eq!([missed.precision(), missed.recall(), missed.dice(), missed.iou()], [0.0; 4]);
        let invented = overlap(&empty, &full).unwrap();
        assert_eq!([invented.precision(), invented.recall(), invented.dice(), invented.iou()], [0.0; 4]);
    }

    #[test]
    fn size_mismatch_is_rejected() {
        assert!(overlap(&GrayImage::new(2, 1), &GrayImage::new(1, 2)).is_err());
    }
}
