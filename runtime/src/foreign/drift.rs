//! The history of a run's figures.

use crate::run::drift_history;
use bloodseg_statistics::drift::Standing;

/// Fields that follow the history.
const FIELDS: u32 = 2000;

/// The bytes are the file.
///
/// # Panics
/// If a figure that continues an accepted history drifts to or from a value that is not finite, or the history cannot
/// be parsed again once written.
pub fn meet(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Some(mut history) = drift_history::parse(text) else { return false };
    assert!(drift_history::parse(&drift_history::text(&history)).is_some());
    for figure in &mut history {
        for field in 0..FIELDS {
            let standing = figure.see(f64::from(field % 7));
            if let Standing::Drifted { from, to, .. } = standing {
                assert!(from.is_finite() && to.is_finite(), "{standing:?}");
            }
        }
    }
    true
}
