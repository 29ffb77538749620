//! A histogram of a tally: bars of one round width, few enough to be drawn.

use super::{axis::round_step, tally::Tally};
use crate::report::limits::MAX_REPORT_BARS;

/// Values above this many medians are counted but not drawn: a single clump would squeeze all others into the first bar.
const MOST_MEDIANS: f64 = 3.0;

/// Bars of one width, side by side.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram {
    /// Where the first bar starts.
    pub(super) from: f64,
    /// Width of a bar.
    pub(super) width: f64,
    /// Height of each bar.
    pub(super) bars: Vec<u64>,
    /// Values beyond the last bar.
    pub(super) beyond: u64,
}

impl Histogram {
    /// The histogram of a tally, where a number stands for the value `value(number)`, which must be increasing. None if
    /// nothing was counted.
    pub(super) fn of(tally: &Tally, value: impl Fn(u32) -> f64) -> Option<Self> {
        let at = |share| tally.quantile(share, &value);
        let (least, median, greatest) = (at(0.0)?, at(0.5)?, at(1.0)?);
        let most = greatest.min(MOST_MEDIANS * median).max(least);
        let width = round_step((most - least) / (MAX_REPORT_BARS - 2) as f64);
        let first = (least / width).floor();
        let mut histogram = Self { from: first * width, width, bars: Vec::new(), beyond: 0 };
        for (number, count) in tally.each() {
            let value = value(number);
            let bar = (value / width).floor() - first;
            if value > most || !(0.0..MAX_REPORT_BARS as f64).contains(&bar) {
                histogram.beyond += count;
                continue;
            }
            let bar = bar as usize;
            if histogram.bars.len() <= bar {
                histogram.bars.resize(bar + 1, 0);
            }
            histogram.bars[bar] += count;
        }
        Some(histogram)
    }

    /// Where the last bar ends.
    pub(super) fn to(&self) -> f64 {
        self.from + self.width * self.bars.len() as f64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn of(numbers: impl IntoIterator<Item = i64>) -> Option<Histogram> {
        let mut tally = Tally::new(10_000);
        numbers.into_iter().for_each(|number| tally.add(number));
        Histogram::of(&tally, |number| f64::from(number) / 10.0)
    }

    #[test]
    fn every_value_is_in_bar_or_beyond() {
        let histogram = of((50..=100).chain([9999])).unwrap();
        assert_eq!((histogram.from, histogram.beyond), (5.0, 1));
        assert_eq!(histogram.bars.iter().sum::<u64>(), 51);
        assert!(histogram.bars.len() <= MAX_REPORT_BARS && histogram.to() >= 10.0);
        assert!(histogram.bars.first().unwrap() > &0 && histogram.bars.last().unwrap() > &0);
    }

    #[test]
    fn few_or_equal_values_are_all_counted() {
        assert_eq!(of([]), None);
        for numbers in [vec![0], vec![7; 5], vec![0, 0, 0, 10_000]] {
            let histogram = of(numbers.clone()).unwrap();
            let all = histogram.bars.iter().sum::<u64>() + histogram.beyond;
            assert_eq!(all, numbers.len() as u64, "{numbers:?}");
            assert!(histogram.width > 0.0);
        }
    }
}
