//! What the frames of a run come to so far, for everything that publishes it.

use bloodseg_records::{count::Summary, validation::Correction};
use bloodseg_statistics::drift::Figure;

/// What the frames of the sample under the lens come to.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Name of the sample, where one is named.
    pub sample: Option<String>,
    /// The counts; none before a frame was counted.
    pub summary: Option<Summary>,
    /// The mean per field as a person would have counted it; none without a validation.
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
