//! The first session of each control slide as the text of a file: a JSON object of sessions by the name of the slide.

use std::collections::BTreeMap;

use crate::config::limits::MAX_CONTROL_SLIDES;
use bloodseg_statistics::control::Session;

/// The first session of each slide, by its name.
pub type References = BTreeMap<String, Session>;

/// The text of the sessions.
pub fn text(references: &References) -> String {
    // Finite numbers cannot fail to be written.
    let mut text = serde_json::to_string(references).unwrap_or_default();
    text.push('\n');
    text
}

/// The sessions in a text; `None` if it is invalid, or has an impossible session.
pub fn parse(text: &str) -> Option<References> {
    let references: References = serde_json::from_str(text).ok()?;
    let is_sound = |session: &Session| session.is_enough() && session.is_sound();
    (references.len() <= MAX_CONTROL_SLIDES && references.values().all(is_sound)).then_some(references)
}
