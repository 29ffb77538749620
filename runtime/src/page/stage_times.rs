//! Durations of the stages as cumulative histograms: atomics, so that nothing blocks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bloodseg_vision::pipeline::StageTimes;

/// Upper bounds of the buckets, in milliseconds; slower values are in a separate bucket.
pub const BOUNDS_MS: [f64; 12] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0];

/// Names of the stages in metrics and on the page.
pub const STAGES: [&str; 5] = ["ssr", "unet", "tiling", "cells", "total"];

/// One stage.
#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; BOUNDS_MS.len() + 1],
    sum_us: AtomicU64,
}

/// A snapshot of one stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// Upper bounds in seconds, and the number of values in each bucket. The last bound is infinite.
    pub buckets: Vec<(f64, u64)>,
    /// Number of all values.
    pub count: u64,
    /// Sum in seconds.
    pub sum_s: f64,
}

/// The histograms of all stages.
#[derive(Debug, Default)]
pub struct StageHistograms([Buckets; STAGES.len()]);

impl StageHistograms {
    /// Adds the times of one frame.
    pub fn add(&self, times: &StageTimes) {
        let StageTimes { ssr_ms, unet_ms, tiling_ms, cells_ms, total_ms } = *times;
        for (buckets, ms) in self.0.iter().zip([ssr_ms, unet_ms, tiling_ms, cells_ms, total_ms]) {
            let at = BOUNDS_MS.iter().position(|bound| ms <= *bound).unwrap_or(BOUNDS_MS.len());
            buckets.counts[at].fetch_add(1, Relaxed);
            buckets.sum_us.fetch_add((ms.max(0.0) * 1e3) as u64, Relaxed);
        }
    }

    /// Each stage by its name.
    pub fn read(&self) -> impl Iterator<Item = (&'static str, Read)> {
        STAGES.into_iter().zip(&self.0).map(|(name, stage)| {
            let bounds_s = BOUNDS_MS.iter().map(|ms| ms / 1e3).chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> =
                bounds_s.zip(&stage.counts).map(|(bound, count)| (bound, count.load(Relaxed))).collect();
            let count = buckets.iter().map(|(_, count)| count).sum();
            (name, Read { buckets, count, sum_s: stage.sum_us.load(Relaxed) as f64 / 1e6 })
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn each_time_counts_in_one_bucket_and_the_sum() {
        let histograms = StageHistograms::default();
        for total_ms in [0.5, 1.0, 1.5, 9000.0] {
            histograms.add(&StageTimes { total_ms, ..StageTimes::default() });
        }
        let (name, total) = histograms.read().last().unwrap();
        assert_eq!((name, total.count), ("total", 4));
        assert_eq!(total.buckets[..2], [(0.001, 2), (0.002, 1)]);
        assert_eq!(*total.buckets.last().unwrap(), (f64::INFINITY, 1));
        assert!((total.sum_s - 9.003).abs() < 1e-9);
    }
}
