//! A share of cells: the exact binomial interval (Clopper and Pearson, Biometrika 26, 1934).

use serde::Serialize;
use statrs::distribution::{Beta, ContinuousCDF};

use crate::{Interval, LEVEL};

/// A part of a whole.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// The part.
    pub part: u64,
    /// The whole.
    pub whole: u64,
    /// The share, 0 to 1.
    pub share: f64,
    /// Its interval.
    pub interval: Interval,
}

impl Share {
    /// `part` of `whole`; `None` if `whole` is zero or less than `part`.
    pub fn of(part: u64, whole: u64) -> Option<Self> {
        if whole == 0 || part > whole {
            return None;
        }
        let tail = (1.0 - LEVEL) / 2.0;
        let (k, rest) = (part as f64, (whole - part) as f64);
        let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(p));
        let interval = Interval {
            low: if part == 0 { 0.0 } else { quantile(k, rest + 1.0, tail) },
            high: if part == whole { 1.0 } else { quantile(k + 1.0, rest, 1.0 - tail) },
        };
        Some(Self { part, whole, share: k / whole as f64, interval })
    }

    /// For display: a part of 0 is "below x %", not 0 %.
    pub fn text(&self) -> String {
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        match self.part {
            0 => format!("below {} %", percent(self.interval.high)),
            _ => format!(
                "{} % ({} to {} %)",
                percent(self.share),
                percent(self.interval.low),
                percent(self.interval.high)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_match_published_tables() {
        for (part, whole, low, high) in
            [(0, 1000, 0.0, 0.00368), (10, 1000, 0.00481, 0.01831), (50, 1000, 0.0373, 0.0653), (5, 5, 0.478, 1.0)]
        {
            let found = Share::of(part, whole).map(|share| share.interval);
            let close = found.is_some_and(|i| (i.low - low).abs() < 1e-3 && (i.high - high).abs() < 1e-3);
            assert!(close, "{part} of {whole}: {found:?}");
        }
        assert_eq!((Share::of(1, 0), Share::of(2, 1)), (None, None));
    }

    #[test]
    fn zero_part_is_reported_as_upper_bound() {
        let text = |part| Share::of(part, 1000).map(|share| share.text());
        assert_eq!(text(0).as_deref(), Some("below 0.4 %"));
        assert_eq!(text(10).as_deref(), Some("1.0 % (0.5 to 1.8 %)"));
    }
}
