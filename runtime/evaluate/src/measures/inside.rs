//! Agreement of the instances that do not touch the edge of the picture.
//!
//! Annotators omit many of the cells cut by the edge of a field, inconsistently. Figures without them show how well cells
//! are separated and counted, not how well that habit is imitated. As usual for ignored objects, an instance that touches
//! the edge counts neither as matched nor as missed nor as invented, but an inner instance may still match one at the
//! edge on the other side.

use std::collections::BTreeSet;

use crate::measures::instances::{InstanceSums, LEAST_AREA_PX, areas_px, match_instances};
use bloodseg_vision::{cells::Labels, error::Result};

/// The inner instances of one field.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Inside {
    /// Sums of the instances that do not touch the edge.
    pub sums: InstanceSums,
    /// True instances that do not touch the edge.
    pub truths: u32,
    /// Predicted instances that do not touch the edge.
    pub predictions: u32,
}

impl Inside {
    /// `|predicted - true| / true`; `None` for a field without true instances.
    pub fn count_error(&self) -> Option<f64> {
        (self.truths > 0).then(|| f64::from(self.predictions.abs_diff(self.truths)) / f64::from(self.truths))
    }
}

/// Matches two labellings of one size, ignoring what touches the edge.
///
/// # Errors
/// [`bloodseg_vision::error::Error::Internal`] if the sizes differ.
pub fn inside(truth: &Labels, predicted: &Labels) -> Result<Inside> {
    let matches = match_instances(truth, predicted)?;
    let (true_inside, predicted_inside) = (labels_inside(truth), labels_inside(predicted));
    let pairs: Vec<_> = matches.pairs.iter().filter(|pair| true_inside.contains(&pair.truth)).collect();
    let matched: BTreeSet<u16> = matches.pairs.iter().map(|pair| pair.predicted).collect();
    Ok(Inside {
        sums: InstanceSums {
            matched: pairs.len() as u64,
            invented: predicted_inside.difference(&matched).count() as u64,
            missed: (true_inside.len() - pairs.len()) as u64,
            iou_sum: pairs.iter().map(|pair| pair.iou).sum(),
        },
        truths: true_inside.len() as u32,
        predictions: predicted_inside.len() as u32,
    })
}

/// Labels of at least [`LEAST_AREA_PX`] without pixels at the edge.
fn labels_inside(labels: &Labels) -> BTreeSet<u16> {
    let (width, height) = labels.dimensions();
    let at_edge: BTreeSet<u16> = labels
        .enumerate_pixels()
        .filter(|(x, y, _)| *x == 0 || *y == 0 || x + 1 == width || y + 1 == height)
        .map(|(_, _, label)| label.0[0])
        .collect();
    let large = areas_px(labels).into_iter().filter(|(_, area_px)| *area_px >= LEAST_AREA_PX);
    large.map(|(label, _)| label).filter(|label| !at_edge.contains(label)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use image::Luma;

    /// Labels of 40x40 with rectangles `(left, top, width, height)` numbered 1, 2, ...
    fn labels(rectangles: &[(u32, u32, u32, u32)]) -> Labels {
        Labels::from_fn(40, 40, |x, y| {
            let holds = |(left, top, width, height): &(u32, u32, u32, u32)| {
                (*left..left + width).contains(&x) && (*top..top + height).contains(&y)
            };
            Luma([rectangles.iter().position(holds).map_or(0, |at| at as u16 + 1)])
        })
    }

    #[test]
    fn instances_at_edge_are_ignored() {
        let truth = labels(&[(5, 5, 8, 8), (20, 20, 8, 8), (0, 20, 6, 6)]);
        let predicted = labels(&[(5, 5, 8, 8), (34, 0, 6, 6), (10, 30, 6, 6)]);
        let found = inside(&truth, &predicted).unwrap();
        assert_eq!(found.sums, InstanceSums { matched: 1, invented: 1, missed: 1, iou_sum: 1.0 });
        assert_eq!((found.truths, found.predictions, found.count_error()), (2, 2, Some(0.0)));
    }

    #[test]
    fn inner_instance_may_match_one_at_edge() {
        let found = inside(&labels(&[(1, 5, 8, 8)]), &labels(&[(0, 5, 9, 8)])).unwrap();
        assert_eq!((found.sums.matched, found.sums.invented, found.sums.missed), (1, 0, 0));
        let found = inside(&labels(&[(0, 5, 9, 8)]), &labels(&[(1, 5, 8, 8)])).unwrap();
        assert_eq!(found.sums, InstanceSums::default());
    }

    #[test]
    fn empty_fields_have_no_count_error() {
        let found = inside(&labels(&[]), &labels(&[])).unwrap();
        assert_eq!((found, found.count_error()), (Inside::default(), None));
    }
}
