//! One count without a spread: the exact interval of a Poisson mean (Garwood, Biometrika 28, 1936).

use statrs::distribution::{ContinuousCDF, Gamma};

use crate::{Interval, LEVEL};

/// Interval of the mean of a count of `count`. It assumes independent cells.
pub fn poisson(count: u64) -> Interval {
    let tail = (1.0 - LEVEL) / 2.0;
    // Half the quantile of chi-squared with 2 k degrees of freedom is that of a gamma of shape k.
    let quantile = |shape: u64, p: f64| Gamma::new(shape as f64, 1.0).map_or(f64::NAN, |gamma| gamma.inverse_cdf(p));
    Interval {
        low: if count == 0 { 0.0 } else { quantile(count, tail) },
        high: quantile(count.saturating_add(1), 1.0 - tail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_match_published_tables() {
        for (count, low, high) in
            [(0, 0.0, 3.69), (1, 0.0253, 5.57), (10, 4.80, 18.39), (100, 81.36, 121.63), (1000, 938.97, 1063.96)]
        {
            let found = poisson(count);
            assert!((found.low - low).abs() < 0.01 && (found.high - high).abs() < 0.01, "{count}: {found:?}");
        }
    }
}
