//! Summary of many runs of a stage.

use serde::Serialize;

/// Milliseconds of one stage. Percentiles are by nearest rank, so they are measured values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Timings {
    /// Half of the runs took at most this long.
    pub median_ms: f64,
    /// 95 of 100 runs took at most this long.
    pub p95_ms: f64,
    /// The longest run.
    pub max_ms: f64,
    /// Sum over all runs.
    pub total_ms: f64,
    /// Number of runs.
    pub runs: u32,
}

impl Timings {
    /// Summarises the times of single runs; all zero if there are none.
    pub fn of(mut times_ms: Vec<f64>) -> Self {
        times_ms.sort_by(f64::total_cmp);
        let percentile = |share: f64| {
            let rank = (share * times_ms.len() as f64).ceil() as usize;
            times_ms.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
        };
        Self {
            median_ms: percentile(0.5),
            p95_ms: percentile(0.95),
            max_ms: percentile(1.0),
            total_ms: times_ms.iter().sum(),
            runs: times_ms.len() as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_hundred_times() {
        let timings = Timings::of((1..=100).rev().map(f64::from).collect());
        assert_eq!((timings.median_ms, timings.p95_ms, timings.max_ms), (50.0, 95.0, 100.0));
        assert_eq!((timings.total_ms, timings.runs), (5050.0, 100));
    }

    #[test]
    fn percentiles_of_one_and_of_no_time() {
        let one = Timings::of(vec![4.0]);
        assert_eq!((one.median_ms, one.p95_ms, one.max_ms, one.runs), (4.0, 4.0, 4.0, 1));
        assert_eq!(Timings::of(vec![]).max_ms, 0.0);
    }
}
