//! Suggests a known word for an unknown one.

/// Minimum similarity of two words, 0..=1, for a suggestion.
const ALIKE: f64 = 0.8;

/// Longest known word. Comparing words takes time proportional to the product of their lengths, and an unknown one may be
/// as long as the file.
const LONGEST: usize = 64;

/// From a message "unknown field `a`, expected one of `b`, `c`": the expected word most similar to the first.
pub(super) fn likely(message: &str) -> Option<&str> {
    let mut words = message.split('`').skip(1).step_by(2);
    let is_word = |word: &&str| word.len() <= LONGEST;
    let found = words.next().filter(is_word)?;
    let alike = words.filter(is_word).map(|word| (strsim::jaro_winkler(found, word), word));
    alike.filter(|(how, _)| *how >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_similar_word_is_suggested() {
        assert_eq!(likely("unknown field `outptu`, expected one of `models`, `output`, `optics`"), Some("output"));
        assert_eq!(likely("unknown field `quux`, expected one of `models`, `output`"), None);
        assert_eq!(likely("no words"), None);
    }

    #[test]
    fn very_long_words_are_not_compared() {
        // Two words of 100 kB would take minutes.
        let long = "a".repeat(100_000);
        assert_eq!(likely(&format!("unknown field `{long}`b`{long}`, expected one of `models`")), None);
        assert_eq!(likely(&format!("unknown field `modles`b`{long}`, expected one of `models`")), Some("models"));
    }
}
