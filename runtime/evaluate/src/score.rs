//! The figures of a field, and of a set of fields.

use serde::Serialize;

use crate::{
    measures::{
        foreground::overlap,
        inside::inside,
        instances::{InstanceSums, Matches, match_instances},
        mean,
        psnr::psnr_db,
        reference_cells::{ReferenceCells, reference_cells},
        ssim::ssim,
    },
    method::Answer,
    set::EvalField,
};
use bloodseg_vision::{
    cells::{self, Labels},
    consistency::Consistency,
    error::Result,
};

/// Figures of a field or of a set, by the definitions of [`crate::measures`]. `None` if a figure is undefined: for a
/// method that produces no picture, or fields without cells. The field names are the keys of `eval --json`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Figures {
    /// Peak signal-to-noise ratio against the 256x256 picture, dB.
    pub psnr_db: Option<f64>,
    /// Structural similarity to it.
    pub ssim: Option<f64>,
    /// Precision of the foreground.
    pub precision: Option<f64>,
    /// Recall of the foreground.
    pub recall: Option<f64>,
    /// Dice of the foreground.
    pub dice: Option<f64>,
    /// IoU of the foreground.
    pub iou: Option<f64>,
    /// Mean Dice per cell by the reference rule.
    pub reference_cell_dice: Option<f64>,
    /// Mean IoU per cell by the reference rule.
    pub reference_cell_iou: Option<f64>,
    /// TP / (TP + FP + FN) of instances.
    pub ap50: Option<f64>,
    /// Panoptic quality of instances.
    pub pq: Option<f64>,
    /// |predicted - true| / true.
    pub count_error: Option<f64>,
    /// AP50 of the instances that do not touch the edge of the picture.
    pub inside_ap50: Option<f64>,
    /// Panoptic quality of the instances that do not touch the edge of the picture.
    pub inside_pq: Option<f64>,
    /// Count error of the instances that do not touch the edge of the picture.
    pub inside_count_error: Option<f64>,
    /// Mean absolute difference between the downscaled picture and the input, levels.
    pub consistency_levels: Option<f64>,
    /// The same over cells, each weighted equally, levels.
    pub cell_consistency_levels: Option<f64>,
    /// Predicted cells that the input does not support; see [`bloodseg_vision::support`].
    pub unsupported_cells: Option<u64>,
    /// True instances of at least 12 px.
    pub true_cells: u64,
    /// Predicted instances of at least 12 px.
    pub predicted_cells: u64,
}

/// The scores of one method on one field, and the sums for the figures of a set.
#[derive(Debug, Clone)]
pub struct FieldScore {
    own: Figures,
    sums: InstanceSums,
    inside: InstanceSums,
    reference: ReferenceCells,
    cell_consistency: (f64, u64),
}

impl FieldScore {
    /// Scores an answer.
    ///
    /// # Errors
    /// [`bloodseg_vision::error::Error::Internal`] if the answer is not 256x256.
    pub fn of(field: &EvalField, answer: &Answer) -> Result<Self> {
        let mut score = Self::of_labels(field, &answer.labels)?;
        let consistency = Consistency::new(&field.lr, &answer.sr)?;
        let cells = consistency.cells(&answer.labels)?;
        let unsupported = cells.iter().filter(|cell| !cell.supported()).count() as u64;
        let levels = || cells.iter().map(|cell| cell.levels);
        score.cell_consistency = (levels().sum(), cells.len() as u64);
        score.own.psnr_db = Some(psnr_db(&field.hr, &answer.sr)?);
        score.own.ssim = Some(ssim(&field.hr, &answer.sr)?);
        score.own.consistency_levels = Some(consistency.tile_levels());
        score.own.cell_consistency_levels = mean(levels());
        score.own.unsupported_cells = Some(unsupported);
        Ok(score)
    }

    /// Scores labels without a picture.
    ///
    /// # Errors
    /// [`bloodseg_vision::error::Error::Internal`] if the labels are not 256x256.
    pub fn of_labels(field: &EvalField, labels: &Labels) -> Result<Self> {
        let mask = cells::mask(labels);
        let foreground = overlap(&field.mask, &mask)?;
        let reference = reference_cells(&field.mask, &mask)?;
        let matches: Matches = match_instances(&field.truth, labels)?;
        let sums = matches.sums();
        let inside = inside(&field.truth, labels)?;
        let own = Figures {
            precision: Some(foreground.precision()),
            recall: Some(foreground.recall()),
            dice: Some(foreground.dice()),
            iou: Some(foreground.iou()),
            reference_cell_dice: reference.dice(),
            reference_cell_iou: reference.iou(),
            ap50: sums.ap50(),
            pq: sums.pq(),
            count_error: matches.count_error(),
            inside_ap50: inside.sums.ap50(),
            inside_pq: inside.sums.pq(),
            inside_count_error: inside.count_error(),
            true_cells: u64::from(matches.truths),
            predicted_cells: u64::from(matches.predictions),
            ..Figures::default()
        };
        Ok(Self { own, sums, inside: inside.sums, reference, cell_consistency: (0.0, 0) })
    }

    /// The figures of this field.
    pub fn figures(&self) -> Figures {
        self.own
    }
}

/// The figures of a set: means over fields, except AP50 and PQ from summed instances, figures per cell over all cells of
/// all fields, and summed counts.
pub fn summary(scores: &[FieldScore]) -> Figures {
    let over_fields = |figure: fn(&Figures) -> Option<f64>| mean(scores.iter().filter_map(|score| figure(&score.own)));
    let (mut sums, mut inside) = (InstanceSums::default(), InstanceSums::default());
    let mut reference = ReferenceCells::default();
    let (mut consistency_sum, mut cells) = (0.0, 0);
    for score in scores {
        sums.add(&score.sums);
        inside.add(&score.inside);
        reference.add(&score.reference);
        consistency_sum += score.cell_consistency.0;
        cells += score.cell_consistency.1;
    }
    Figures {
        psnr_db: over_fields(|own| own.psnr_db),
        ssim: over_fields(|own| own.ssim),
        precision: over_fields(|own| own.precision),
        recall: over_fields(|own| own.recall),
        dice: over_fields(|own| own.dice),
        iou: over_fields(|own| own.iou),
        reference_cell_dice: reference.dice(),
        reference_cell_iou: reference.iou(),
        ap50: sums.ap50(),
        pq: sums.pq(),
        count_error: over_fields(|own| own.count_error),
        inside_ap50: inside.ap50(),
        inside_pq: inside.pq(),
        inside_count_error: over_fields(|own| own.inside_count_error),
        consistency_levels: over_fields(|own| own.consistency_levels),
        cell_consistency_levels: (cells > 0).then(|| consistency_sum / cells as f64),
        unsupported_cells: scores.iter().filter_map(|score| score.own.unsupported_cells).reduce(|a, b| a + b),
        true_cells: scores.iter().map(|score| score.own.true_cells).sum(),
        predicted_cells: scores.iter().map(|score| score.own.predicted_cells).sum(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use image::{GrayImage, Luma, RgbImage};

    /// A field of 64x64 whose cells are bars of 10x10, and an answer that found the first `found` of them.
    fn case(cells: u16, found: u16) -> (EvalField, Answer) {
        let bars = |count: u16| {
            Labels::from_fn(256, 256, |x, y| {
                let bar = (x / 20) as u16;
                Luma([if bar < count && x % 20 < 10 && y < 10 { bar + 1 } else { 0 }])
            })
        };
        let truth = bars(cells);
        let mask = GrayImage::from_fn(256, 256, |x, y| Luma([if truth.get_pixel(x, y).0[0] > 0 { 255 } else { 0 }]));
        let (lr, hr) = (RgbImage::new(64, 64), RgbImage::new(256, 256));
        let answer = Answer { sr: RgbImage::from_pixel(256, 256, image::Rgb([255; 3])), labels: bars(found) };
        (EvalField { name: "a".into(), lr, hr, mask, truth, annotated_cells: u32::from(cells) }, answer)
    }

    #[test]
    fn instances_are_summed_and_fields_averaged() {
        let score = |cells, found| {
            let (field, answer) = case(cells, found);
            FieldScore::of(&field, &answer).unwrap()
        };
        let (half, all) = (score(8, 4), score(2, 2));
        // The picture of this case is white where the input is black.
        assert_eq!((half.figures().unsupported_cells, half.figures().cell_consistency_levels), (Some(4), Some(255.0)));
        assert_eq!(half.figures().ap50, Some(0.5));
        assert_eq!(half.figures().recall, Some(0.5));
        assert_eq!(half.figures().consistency_levels, Some(255.0));
        let both = summary(&[half, all]);
        assert_eq!(both.ap50, Some(0.6));
        assert_eq!(both.pq, Some(6.0 / 8.0));
        assert_eq!(both.recall, Some(0.75));
        assert_eq!(both.count_error, Some(0.25));
        assert_eq!(both.reference_cell_iou, Some(0.6));
        assert_eq!((both.true_cells, both.predicted_cells, both.unsupported_cells), (10, 6, Some(6)));
        assert_eq!(
            summary(&[FieldScore::of_labels(&case(1, 1).0, &case(1, 1).1.labels).unwrap()]).unsupported_cells,
            None
        );
        assert_eq!(both.psnr_db, Some(0.0));
    }

    #[test]
    fn field_without_cells_does_not_affect_count_error() {
        let (field, answer) = case(0, 0);
        let empty = FieldScore::of(&field, &answer).unwrap();
        assert_eq!((empty.figures().count_error, empty.figures().ap50, empty.figures().dice), (None, None, Some(1.0)));
        let (field, answer) = case(4, 3);
        let both = summary(&[empty, FieldScore::of(&field, &answer).unwrap()]);
        assert_eq!((both.count_error, both.ap50), (Some(0.25), Some(0.75)));
    }
}
