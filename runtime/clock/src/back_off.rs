//! Exponential back-off: each pause is twice as long as the one before, up to a limit.

use std::time::Duration;

/// The pause after `tries` failures: `least` after none, never more than `most`.
pub fn pause(least: Duration, most: Duration, tries: u32) -> Duration {
    least.saturating_mul(1 << tries.min(16)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_doubles_up_to_limit() {
        let s = Duration::from_secs;
        let pauses = [0, 1, 2, 3, 4, u32::MAX].map(|tries| pause(s(1), s(10), tries));
        assert_eq!(pauses, [s(1), s(2), s(4), s(8), s(10), s(10)]);
    }
}
