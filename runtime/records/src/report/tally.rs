//! How often each integer occurred: exact medians in memory that does not grow with the number of values.

/// Counts of integers from 0 to a maximum; larger values are counted as the maximum.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    most: u32,
    counts: Vec<u64>,
    total: u64,
    beyond: u64,
}

impl Tally {
    /// An empty tally for numbers up to `most`. Its memory grows with the largest number seen.
    pub(super) fn new(most: u32) -> Self {
        Self { most, counts: Vec::new(), total: 0, beyond: 0 }
    }

    /// Counts a number; negative ones are counted as 0.
    pub(super) fn add(&mut self, number: i64) {
        let wanted = u32::try_from(number.max(0)).unwrap_or(u32::MAX);
        self.beyond += u64::from(wanted > self.most);
        let at = wanted.min(self.most) as usize;
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
        }
        self.total += 1;
    }

    /// How many were counted.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How many exceeded the maximum.
    pub(super) fn beyond(&self) -> u64 {
        self.beyond
    }

    /// Each number that occurred, in order, with how often it did.
    pub(super) fn each(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        (0..).zip(self.counts.iter().copied()).filter(|(_, count)| *count > 0)
    }

    /// The value below which `share` (0 to 1) of the values lie, where a number stands for `value(number)`; interpolated
    /// between the two nearest ranks. None if nothing was counted.
    pub(super) fn quantile(&self, share: f64, value: impl Fn(u32) -> f64) -> Option<f64> {
        let place = share.clamp(0.0, 1.0) * self.total.checked_sub(1)? as f64;
        let (low, high) = (self.at_rank(place.floor() as u64)?, self.at_rank(place.ceil() as u64)?);
        let (low, high) = (value(low), value(high));
        Some(low + (high - low) * place.fract())
    }

    /// The number with this rank; the lowest has rank 0.
    fn at_rank(&self, rank: u64) -> Option<u32> {
        let mut before = 0;
        self.each().find_map(|(number, count)| {
            before += count;
            (rank < before).then_some(number)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn of(numbers: &[i64]) -> Tally {
        let mut tally = Tally::new(1000);
        numbers.iter().for_each(|number| tally.add(*number));
        tally
    }

    #[test]
    fn quantiles_of_known_numbers() {
        let tally = of(&[5, 1, 3, 3]);
        let at = |share| tally.quantile(share, f64::from).unwrap();
        assert_eq!([0.0, 0.5, 1.0].map(at), [1.0, 3.0, 5.0]);
        assert_eq!(of(&[1, 2]).quantile(0.5, f64::from), Some(1.5));
        assert_eq!(of(&[7]).quantile(0.95, |number| f64::from(number) * 2.0), Some(14.0));
        assert_eq!(of(&[]).quantile(0.5, f64::from), None);
    }

    #[test]
    fn out_of_range_numbers_are_clamped_without_extra_memory() {
        let tally = of(&[i64::MAX, i64::MIN, 1001, 1000]);
        assert_eq!(tally.each().collect::<Vec<_>>(), [(0, 1), (1000, 3)]);
        assert_eq!((tally.total(), tally.beyond(), tally.counts.len()), (4, 2, 1001));
    }

    proptest! {
        #[test]
        fn quantiles_match_sorted_values(numbers in prop::collection::vec(0_i64..1000, 1..80), share in 0.0..1.0_f64) {
            let mut sorted = numbers.clone();
            sorted.sort_unstable();
            let place = share * (sorted.len() - 1) as f64;
            let (low, high) = (sorted[place.floor() as usize] as f64, sorted[place.ceil() as usize] as f64);
            let wanted = low + (high - low) * place.fract();
            prop_assert!((of(&numbers).quantile(share, f64::from).unwrap() - wanted).abs() < 1e-9);
        }
    }
}
