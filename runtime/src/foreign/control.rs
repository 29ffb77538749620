//! The sessions of control slides.

use crate::run::control_history;
use bloodseg_statistics::{control::Session, drift::Figure};

/// Fields that are compared with each session.
const FIELDS: u32 = 40;

/// The bytes are the file.
///
/// # Panics
/// If an accepted session differs by a value that is not finite, or cannot be parsed again once written.
pub fn meet(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Some(references) = control_history::parse(text) else { return false };
    assert!(control_history::parse(&control_history::text(&references)).is_some());
    let mut now = Session::default();
    (0..FIELDS).for_each(|field| now.see(&[f64::from(field % 7); Figure::ALL.len()]));
    for difference in references.values().flat_map(|reference| now.differences(reference)) {
        assert!(difference.from.is_finite() && difference.to.is_finite(), "{difference:?}");
    }
    true
}
