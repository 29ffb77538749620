//! Arena layout, planned before allocation.

use std::ops::{Range, RangeInclusive};

use crate::arena::aligned;

/// Memory needed during some steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Size in bytes.
    pub bytes: usize,
    /// From the first to the last step that uses it.
    pub steps: RangeInclusive<usize>,
}

/// A range of the arena for each need, and the size of the arena. Needs that overlap in time do not overlap in memory.
///
/// The largest is placed first, each at the lowest offset that is free throughout: "greedy by size" in the literature
/// (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
pub fn place(needs: &[Need]) -> (Vec<Range<usize>>, usize) {
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(needs[*at].bytes));
    let mut places = vec![0..0; needs.len()];
    let mut placed: Vec<usize> = Vec::with_capacity(needs.len());
    for at in order {
        let need = &needs[at];
        let meets = |other: &usize| {
            needs[*other].steps.start() <= need.steps.end() && need.steps.start() <= needs[*other].steps.end()
        };
        let mut taken: Vec<Range<usize>> =
            placed.iter().filter(|other| meets(other)).map(|other| places[*other].clone()).collect();
        taken.sort_by_key(|range| range.start);
        let mut start = 0;
        for range in taken {
            if start + need.bytes <= range.start {
                break;
            }
            start = start.max(aligned(range.end));
        }
        places[at] = start..start + need.bytes;
        placed.push(at);
    }
    let bytes = places.iter().map(|range| range.end).max().unwrap_or(0);
    (places, bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Need, place};

    #[test]
    fn disjoint_needs_share_memory() {
        let need = |bytes, steps| Need { bytes, steps };
        let (places, bytes) = place(&[need(100, 0..=1), need(64, 1..=2), need(100, 2..=3)]);
        assert_eq!(places, [0..100, 128..192, 0..100]);
        assert_eq!(bytes, 192);
        assert_eq!(place(&[]).1, 0);
    }

    proptest! {
        #[test]
        fn concurrent_needs_do_not_overlap(
            drawn in prop::collection::vec((1usize..5000, 0usize..12, 0usize..6), 1..20),
        ) {
            let needs: Vec<Need> =
                drawn.iter().map(|&(bytes, from, long)| Need { bytes, steps: from..=from + long }).collect();
            let (places, bytes) = place(&needs);
            for (at, a) in needs.iter().enumerate() {
                prop_assert_eq!(places[at].len(), a.bytes);
                prop_assert!(places[at].end <= bytes && places[at].start.is_multiple_of(64));
                for (other, b) in needs.iter().enumerate().skip(at + 1) {
                    let together = a.steps.start() <= b.steps.end() && b.steps.start() <= a.steps.end();
                    let apart = places[at].end <= places[other].start || places[other].end <= places[at].start;
                    prop_assert!(!together || apart);
                }
            }
        }
    }
}
