//! Compares the program's counts with a person's counts of the same pictures: how far they agree, as a file that
//! corrects later counts, and as a page.

mod counts;
mod page;

use std::{
    io::{Read, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    count::Summary,
    error::{Error, Result},
    limits::MAX_VALIDATION_BYTES,
};
use bloodseg_durable::{AtomicFile, open_plain};
use bloodseg_statistics::{
    Interval,
    agreement::{self, Agreement},
};

pub use counts::{Matched, PersonCount, matched, read_counts};
pub use page::write_page;

/// The version of the file.
const VERSION: u32 = 1;

const EXPECTED: &str = "a file of `bloodseg validate`";

/// An agreement, and the models that it holds for. Names are part of the file format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    version: u32,
    /// SHA-256 of the networks that counted, in the order of their roles.
    pub models_sha256: Vec<String>,
    /// Cells per picture of the program against a person's.
    pub agreement: Agreement,
}

/// A mean as a person would have counted it. Names are part of `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Correction {
    /// Cells per field; null if not corrected.
    pub cells: Option<f64>,
    /// Its interval, which includes the uncertainty of the correction.
    pub interval: Option<Interval>,
    /// Why it is not corrected.
    pub refused: Option<String>,
}

impl Validation {
    /// Of matched counts.
    ///
    /// # Errors
    /// [`agreement::Error`] for too few or unrelated counts.
    pub fn of(matched: &[Matched], models_sha256: Vec<String>) -> std::result::Result<Self, agreement::Error> {
        let pairs: Vec<_> = matched.iter().map(|matched| matched.pair).collect();
        // Nothing is known of the person's errors.
        Ok(Self { version: VERSION, models_sha256, agreement: Agreement::of(&pairs, 1.0)? })
    }

    /// Reads a file that [`Validation::write`] wrote.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Vision`] for a file that cannot be read or is not a validation.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&Self::read_text(path)?).map_err(|found| Error::input(path, found, EXPECTED, ""))
    }

    /// Reads the text of such a file without parsing it.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Vision`] for a file that cannot be read or is too large.
    pub fn read_text(path: &Path) -> Result<String> {
        let failed = |found: String| Error::input(path, found, EXPECTED, "");
        let mut text = String::new();
        open_plain(path)
            .and_then(|file| file.take(MAX_VALIDATION_BYTES + 1).read_to_string(&mut text))
            .map_err(|error| failed(error.to_string()))?;
        if text.len() as u64 > MAX_VALIDATION_BYTES {
            return Err(failed(format!("more than {MAX_VALIDATION_BYTES} bytes")));
        }
        Ok(text)
    }

    /// Parses the text of such a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let validation: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match (validation.version, validation.agreement.fault()) {
            (VERSION, None) => Ok(validation),
            (VERSION, Some(fault)) => Err(fault.to_owned()),
            (other, _) => Err(format!("version {other}")),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Vision`] for a file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let failed = |error: std::io::Error| Error::output(path, error);
        let mut file = AtomicFile::create(path)?;
        serde_json::to_writer_pretty(&mut file, self).map_err(|error| failed(error.into()))?;
        file.write_all(b"\n").map_err(failed)?;
        Ok(file.commit()?)
    }

    /// The mean number of cells per field of a summary, corrected; refused for other models and outside the validated
    /// range.
    pub fn correct(&self, summary: &Summary, models_sha256: &[String]) -> Correction {
        let refused = |why: String| Correction { cells: None, interval: None, refused: Some(why) };
        if self.models_sha256 != models_sha256 {
            return refused("the validation is for other models".into());
        }
        let Some(cells) = summary.cells else { return refused("no field was counted".into()) };
        match self.agreement.correct(cells.mean, cells.interval) {
            Ok(corrected) => {
                Correction { cells: Some(corrected.value), interval: Some(corrected.interval), refused: None }
            }
            Err(error) => refused(error.to_string()),
        }
    }
}

impl Correction {
    /// As text.
    pub fn text(&self) -> String {
        match (self.cells, self.interval, &self.refused) {
            (Some(cells), Some(Interval { low, high }), _) => {
                format!("corrected: {cells:.1} per field ({low:.1} to {high:.1})")
            }
            (_, _, Some(why)) => format!("not corrected: {why}"),
            _ => "not corrected".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::count::{CountedFrame, SampleCount};
    use bloodseg_statistics::agreement::Pair;
    use bloodseg_vision::cells::Counts;

    fn validation() -> Validation {
        // A program that finds nine of ten cells.
        let matched: Vec<Matched> = (0..60)
            .map(|at| {
                let person = f64::from(20 + at);
                let program = (person * 0.9 + f64::from(at % 5) - 2.0).round();
                Matched { image: format!("{at}.png"), pair: Pair { program, person } }
            })
            .collect();
        Validation::of(&matched, vec!["a".into(), "b".into()]).unwrap()
    }

    fn summary(cells: u32) -> Summary {
        let counts = Counts { cells, ..Counts::default() };
        let mut count = SampleCount::default();
        for _ in 0..12 {
            count.add(&CountedFrame { counted: true, counts, field: None, area_mm2: None, is_scale_doubtful: false });
        }
        count.summary().unwrap()
    }

    #[test]
    fn counts_are_corrected_only_within_range_and_for_same_models() {
        let (validation, models) = (validation(), ["a".to_owned(), "b".to_owned()]);
        let correction = validation.correct(&summary(45), &models);
        let (cells, interval) = (correction.cells.unwrap(), correction.interval.unwrap());
        assert!((cells - 50.0).abs() < 1.0 && interval.low < cells && cells < interval.high, "{correction:?}");
        assert!(correction.text().starts_with("corrected: "));
        for (summary, models) in [(summary(500), models.clone()), (summary(45), ["a".to_owned(), "c".to_owned()])] {
            let refused = validation.correct(&summary, &models);
            assert!(refused.cells.is_none() && refused.text().starts_with("not corrected: "), "{refused:?}");
        }
    }

    #[test]
    fn written_validation_is_read_and_others_are_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.json");
        validation().write(&path).unwrap();
        let (read, written) = (Validation::read(&path).unwrap(), validation());
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert_eq!((&read.models_sha256, read.agreement.pairs), (&written.models_sha256, written.agreement.pairs));
        assert!(near(read.agreement.slope.value, written.agreement.slope.value));
        assert!(near(read.agreement.covariance[1], written.agreement.covariance[1]));
        let text = std::fs::read_to_string(&path).unwrap();
        for other in [text.replace("\"version\": 1", "\"version\": 2"), text.replace("slope", "slip"), String::new()] {
            std::fs::write(&path, other).unwrap();
            assert!(Validation::read(&path).is_err());
        }
    }
}
