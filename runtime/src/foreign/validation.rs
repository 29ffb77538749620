//! A file of `bloodseg validate`.

use bloodseg_records::validation::Validation;
use bloodseg_statistics::Interval;

/// The bytes are the file.
///
/// # Panics
/// If an accepted file corrects a count to an invalid one, or the interval does not contain the value.
pub fn meet(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(validation) = Validation::parse(text) else { return false };
    for mean in [0.0, 0.5, 10.0, 100.0, 65_535.0] {
        let own = Interval { low: 0.9 * mean, high: 1.1 * mean };
        let Ok(corrected) = validation.agreement.correct(mean, own) else { continue };
        let Interval { low, high } = corrected.interval;
        assert!(corrected.value.is_finite() && low.is_finite() && high.is_finite(), "{corrected:?}");
        assert!(0.0 <= low && low <= corrected.value && corrected.value <= high, "{corrected:?}");
    }
    true
}
