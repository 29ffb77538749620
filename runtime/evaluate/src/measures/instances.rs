//! Agreement of two sets of instances: AP50, panoptic quality, count error.
//!
//! Instances of fewer than [`LEAST_AREA_PX`] pixels are ignored: their pixels become background before anything else.
//! They count neither as matched nor as missed nor as invented on either side, and an instance that only an ignored one
//! would match is unmatched.

use std::collections::BTreeMap;

use image::Luma;

use crate::measures::same_size;
use bloodseg_vision::{cells::Labels, error::Result};

/// Smaller instances are ignored on both sides, in pixels of the 256x256 grid.
pub const LEAST_AREA_PX: u32 = 12;

/// An instance matches another only if their IoU is above this. Instances of one labelling never share a pixel, so at one
/// half or more no instance can have two matches, and no assignment problem has to be solved.
pub const MATCH_IOU_ABOVE: f64 = 0.5;

/// A true instance and the predicted one that matches it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Label of the true instance.
    pub truth: u16,
    /// Label of the predicted instance.
    pub predicted: u16,
    /// Intersection over union, above [`MATCH_IOU_ABOVE`].
    pub iou: f64,
    /// Area of the true instance in pixels.
    pub truth_area_px: u32,
    /// Area of the predicted instance in pixels.
    pub predicted_area_px: u32,
}

/// The matches of one field, sorted by the true label, and the number of instances considered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matches {
    /// Matched pairs.
    pub pairs: Vec<Match>,
    /// True instances that are not ignored.
    pub truths: u32,
    /// Predicted instances that are not ignored.
    pub predictions: u32,
}

/// Sums of one field or of many.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct InstanceSums {
    /// Predicted instances that match a true one (TP).
    pub matched: u64,
    /// Predicted instances without a match (FP).
    pub invented: u64,
    /// True instances without a match (FN).
    pub missed: u64,
    /// Sum of the IoU of the matches.
    pub iou_sum: f64,
}

/// A true instance, ignored or not, and the predicted one with the greatest IoU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    /// Label of the true instance.
    pub truth: u16,
    /// Its area in pixels.
    pub truth_area_px: u32,
    /// Label of the predicted instance; `None` if none overlaps.
    pub predicted: Option<u16>,
    /// Area of the predicted instance in pixels, or 0.
    pub predicted_area_px: u32,
    /// Intersection over union of the two, or 0.
    pub iou: f64,
    /// Whether the two match: neither is ignored, and the IoU is above [`MATCH_IOU_ABOVE`].
    pub matched: bool,
}

/// Matches the instances of two labellings of the same size.
pub fn match_instances(truth: &Labels, predicted: &Labels) -> Result<Matches> {
    let found = nearest(truth, predicted)?;
    let pairs = found
        .iter()
        .filter(|pair| pair.matched)
        .filter_map(|pair| {
            Some(Match {
                truth: pair.truth,
                predicted: pair.predicted?,
                iou: pair.iou,
                truth_area_px: pair.truth_area_px,
                predicted_area_px: pair.predicted_area_px,
            })
        })
        .collect();
    let truths = found.iter().filter(|pair| pair.truth_area_px >= LEAST_AREA_PX).count() as u32;
    let predictions = areas_px(predicted).values().filter(|area_px| **area_px >= LEAST_AREA_PX).count() as u32;
    Ok(Matches { pairs, truths, predictions })
}

/// Every true instance in order of its label, including ignored ones, with the best-fitting predicted one.
///
/// A match is always that one: above one half no other can have as great an IoU.
pub fn nearest(truth: &Labels, predicted: &Labels) -> Result<Vec<Nearest>> {
    same_size("instances", truth.dimensions(), predicted.dimensions())?;
    let mut shared: BTreeMap<(u16, u16), u32> = BTreeMap::new();
    for (&t, &p) in truth.as_raw().iter().zip(predicted.as_raw()) {
        if t != 0 && p != 0 {
            *shared.entry((t, p)).or_default() += 1;
        }
    }
    let (truths, predictions) = (areas_px(truth), areas_px(predicted));
    let of_one = |(&label, &truth_area_px): (&u16, &u32)| {
        let none =
            Nearest { truth: label, truth_area_px, predicted: None, predicted_area_px: 0, iou: 0.0, matched: false };
        shared.range((label, 0)..=(label, u16::MAX)).fold(none, |best, (&(_, number), &both)| {
            let predicted_area_px = predictions.get(&number).copied().unwrap_or(0);
            let iou = f64::from(both) / f64::from(truth_area_px + predicted_area_px - both);
            if iou <= best.iou {
                return best;
            }
            let matched = iou > MATCH_IOU_ABOVE && truth_area_px.min(predicted_area_px) >= LEAST_AREA_PX;
            Nearest { predicted: Some(number), predicted_area_px, iou, matched, ..none }
        })
    };
    Ok(truths.iter().map(of_one).collect())
}

/// Area of each label in pixels, without background.
pub(super) fn areas_px(labels: &Labels) -> BTreeMap<u16, u32> {
    let mut areas = BTreeMap::new();
    for &Luma([label]) in labels.pixels() {
        if label != 0 {
            *areas.entry(label).or_default() += 1;
        }
    }
    areas
}

impl Matches {
    /// The sums of this field.
    pub fn sums(&self) -> InstanceSums {
        let matched = self.pairs.len() as u64;
        InstanceSums {
            matched,
            invented: u64::from(self.predictions) - matched,
            missed: u64::from(self.truths) - matched,
            iou_sum: self.pairs.iter().map(|pair| pair.iou).sum(),
        }
    }

    /// `|predicted - true| / true` without ignored instances; `None` for a field without true instances, which the mean
    /// over fields then skips.
    pub fn count_error(&self) -> Option<f64> {
        (self.truths > 0).then(|| f64::from(self.predictions.abs_diff(self.truths)) / f64::from(self.truths))
    }
}

impl InstanceSums {
    /// Adds another field: AP50 and PQ are ratios of sums over all fields.
    pub fn add(&mut self, other: &Self) {
        self.matched += other.matched;
        self.invented += other.invented;
        self.missed += other.missed;
        self.iou_sum += other.iou_sum;
    }

    /// `TP / (TP + FP + FN)` at an IoU above one half; `None` if neither side has an instance.
    pub fn ap50(&self) -> Option<f64> {
        let all = self.matched + self.invented + self.missed;
        (all > 0).then(|| self.matched as f64 / all as f64)
    }

    /// Panoptic quality: sum of matched IoU over `TP + FP/2 + FN/2` (Kirillov et al., "Panoptic segmentation", 2019);
    /// `None` if neither side has an instance.
    pub fn pq(&self) -> Option<f64> {
        let all = self.matched as f64 + (self.invented + self.missed) as f64 / 2.0;
        (all > 0.0).then(|| self.iou_sum / all)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Labels of 40x40 with rectangles `(left, top, width, height)` numbered 1, 2, ...
    fn labels(rectangles: &[(u32, u32, u32, u32)]) -> Labels {
        let mut labels = Labels::new(40, 40);
        for (number, &(left, top, width, height)) in (1..).zip(rectangles) {
            for y in top..top + height {
                for x in left..left + width {
                    labels.put_pixel(x, y, Luma([number]));
                }
            }
        }
        labels
    }

    #[test]
    fn one_matched_one_missed_one_invented() {
        let truth = labels(&[(0, 0, 10, 10), (20, 0, 10, 10)]);
        let predicted = labels(&[(0, 20, 5, 5), (0, 2, 10, 10)]); // shares 80 of 120 px
        let matches = match_instances(&truth, &predicted).unwrap();
        let iou = 80.0 / 120.0;
        assert_eq!(matches.pairs, [Match { truth: 1, predicted: 2, iou, truth_area_px: 100, predicted_area_px: 100 }]);
        let sums = matches.sums();
        assert_eq!((sums.matched, sums.invented, sums.missed), (1, 1, 1));
        assert_eq!(sums.ap50(), Some(1.0 / 3.0));
        assert_eq!(sums.pq(), Some(iou / 2.0));
        assert_eq!(matches.count_error(), Some(0.0));
    }

    #[test]
    fn match_requires_iou_above_one_half() {
        let truth = labels(&[(0, 0, 10, 10)]);
        let half = match_instances(&truth, &labels(&[(0, 0, 10, 5)])).unwrap();
        assert!(half.pairs.is_empty());
        let more = match_instances(&truth, &labels(&[(0, 0, 10, 6)])).unwrap();
        assert_eq!(more.pairs.len(), 1);
    }

    #[test]
    fn merged_cells_match_at_most_once() {
        let truth = labels(&[(0, 0, 6, 10), (6, 0, 10, 10)]);
        let merged = match_instances(&truth, &labels(&[(0, 0, 16, 10)])).unwrap();
        assert_eq!(merged.pairs.len(), 1);
        assert_eq!(merged.pairs[0].truth, 2);
        assert_eq!(merged.count_error(), Some(0.5));
        assert_eq!(merged.sums().ap50(), Some(0.5));
    }

    #[test]
    fn instances_below_12_px_are_ignored() {
        let truth = labels(&[(0, 0, 11, 1), (0, 10, 12, 1)]);
        let predicted = labels(&[(20, 20, 11, 1), (0, 10, 12, 1)]);
        let matches = match_instances(&truth, &predicted).unwrap();
        assert_eq!((matches.truths, matches.predictions), (1, 1));
        assert_eq!(matches.sums(), InstanceSums { matched: 1, invented: 0, missed: 0, iou_sum: 1.0 });
        // An ignored truth cannot be matched, even by a prediction that is just large enough.
        let alone = match_instances(&labels(&[(0, 0, 11, 1)]), &labels(&[(0, 0, 12, 1)])).unwrap();
        assert_eq!((alone.sums().matched, alone.sums().invented, alone.sums().missed), (0, 1, 0));
        assert_eq!(alone.count_error(), None);
    }

    #[test]
    fn nearest_takes_best_overlap_and_lists_ignored_instances() {
        let truth = labels(&[(0, 0, 10, 10), (20, 20, 3, 3), (30, 0, 5, 5)]);
        let predicted = labels(&[(0, 0, 10, 3), (0, 3, 10, 5), (20, 20, 3, 3)]);
        let found = nearest(&truth, &predicted).unwrap();
        let listed: Vec<_> = found.iter().map(|n| (n.truth, n.predicted, n.iou, n.matched)).collect();
        assert_eq!(listed, [(1, Some(2), 0.5, false), (2, Some(3), 1.0, false), (3, None, 0.0, false)]);
    }

    #[test]
    fn sums_of_fields_add_up() {
        let mut sums = InstanceSums { matched: 3, invented: 1, missed: 0, iou_sum: 2.4 };
        sums.add(&InstanceSums { matched: 1, invented: 1, missed: 4, iou_sum: 0.6 });
        assert_eq!(sums.ap50(), Some(0.4));
        assert_eq!(sums.pq(), Some(3.0 / 7.0));
    }

    #[test]
    fn figures_are_undefined_without_instances() {
        let none = match_instances(&Labels::new(5, 5), &Labels::new(5, 5)).unwrap();
        assert_eq!((none.sums().ap50(), none.sums().pq(), none.count_error()), (None, None, None));
        assert!(match_instances(&Labels::new(5, 4), &Labels::new(4, 5)).is_err());
    }
}
