//! The file that names the sample under the lens.

use bloodseg_records::{
    limits::{MAX_SAMPLE_NAME_BYTES, MAX_SAMPLE_TEXT_BYTES},
    sample::Sample,
};

/// The bytes are the file.
///
/// # Panics
/// If a text beyond its limit or with control characters is accepted, or a sample changes when written and read again.
pub fn meet(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(sample) = Sample::parse(text) else { return false };
    assert!((1..=MAX_SAMPLE_NAME_BYTES).contains(&sample.name.len()));
    let texts = [&sample.name, &sample.operator, &sample.stain, &sample.note];
    assert!(texts.iter().all(|text| text.len() <= MAX_SAMPLE_TEXT_BYTES && !text.chars().any(char::is_control)));
    assert_eq!(toml::to_string(&sample).ok().and_then(|text| Sample::parse(&text).ok()), Some(sample));
    true
}
