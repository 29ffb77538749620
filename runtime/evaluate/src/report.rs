//! The result of an evaluation.

use serde::Serialize;

use crate::{measures::drift::Drift, score::Figures, worst_cells::WorstCell};
use bloodseg_vision::frame::quality::Quality;

/// One field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldReport {
    /// Stem of its files.
    pub field: String,
    /// Whether its low-resolution picture shows cells that can be counted.
    pub quality: Quality,
    /// Of the models.
    pub model: Figures,
    /// Of the same segmenter on the bicubic picture.
    pub bicubic: Figures,
    /// Of the float twins.
    pub float: Option<Figures>,
    /// Models minus float twins.
    pub drift: Option<Drift>,
}

/// A set of fields. The names are the keys of `eval --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Number of fields.
    pub fields: usize,
    /// True cells at the masks' own size.
    pub annotated_cells: u32,
    /// Of the models: the result.
    pub figures: Figures,
    /// Of the same segmenter on the bicubic picture: the baseline.
    pub bicubic: Figures,
    /// Of the true mask with its connected components as cells: the upper bound for a foreground that does not separate
    /// cells.
    pub perfect_mask: Figures,
    /// Of the float twins, if there are any.
    pub float: Option<Figures>,
    /// Models minus float twins.
    pub drift: Option<Drift>,
    /// Every field, sorted by name.
    pub per_field: Vec<FieldReport>,
    /// The true cells that the models detected worst, at most [`crate::worst_cells::WORST_CELLS`].
    pub worst_cells: Vec<WorstCell>,
}

impl Report {
    /// Names of the `most` fields with the lowest AP50, then the lowest Dice; worst first.
    pub fn worst(&self, most: usize) -> Vec<&str> {
        let mut fields: Vec<&FieldReport> = self.per_field.iter().collect();
        // A field without any true or predicted cell is perfect.
        let key = |figures: &Figures| (figures.ap50.unwrap_or(1.0), figures.dice.unwrap_or(1.0));
        fields.sort_by(|a, b| key(&a.model).partial_cmp(&key(&b.model)).unwrap_or(std::cmp::Ordering::Equal));
        fields.into_iter().take(most).map(|field| field.field.as_str()).collect()
    }
}
