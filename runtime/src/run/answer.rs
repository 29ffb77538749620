//! The counts of a run so far, for everything that publishes them.

use bloodseg_records::{count::Summary, validation::Correction};
use bloodseg_statistics::drift::Figure;

/// The counts of the sample under the lens.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Name of the sample, if it has one.
    pub sample: Option<String>,
    /// The counts; `None` before a frame was counted.
    pub summary: Option<Summary>,
    /// The mean per field as a person would have counted it; `None` without a validation.
    pub corrected: Option<Correction>,
    /// Which of [`Figure::ALL`] have drifted from their history.
    pub drifted: [bool; Figure::ALL.len()],
}

impl Answer {
    /// Names of the figures that have drifted.
    pub fn drifted_names(&self) -> Vec<&'static str> {
        let drifted = Figure::ALL.into_iter().zip(self.drifted);
        drifted.filter(|(_, drifted)| *drifted).map(|(figure, _)| figure.name()).collect()
    }
}
