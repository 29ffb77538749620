//! The word that was likely meant.

/// How alike two words must be, 0..=1, for one to be meant by the other.
const ALIKE: f64 = 0.8;

/// From a message "unknown field `a`, expected one of `b`, `c`": the expected word that is most like the first.
pub(super) fn likely(message: &str) -> Option<&str> {
    let mut words = message.split('`').skip(1).step_by(2);
    let found = words.next()?;
    let alike = words.map(|word| (strsim::jaro_winkler(found, word), word));
    alike.filter(|(how, _)| *how >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_word_is_suggested() {
        assert_eq!(likely("unknown field `outptu`, expected one of `models`, `output`, `optics`"), Some("output"));
        assert_eq!(likely("unknown field `quux`, expected one of `models`, `output`"), None);
        assert_eq!(likely("no words"), None);
    }
}
