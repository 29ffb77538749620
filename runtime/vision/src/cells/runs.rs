//! Rows of labels as runs of one label, for work that is needed once per run rather than per pixel.

use std::ops::Range;

/// Pixels `begin..end` of a row with one value other than the background's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run<T> {
    pub(crate) begin: usize,
    pub(crate) end: usize,
    pub(crate) value: T,
}

/// The runs of a row from the left, without background runs.
pub(crate) fn runs<T: Copy + PartialEq>(row: &[T], background: T) -> impl Iterator<Item = Run<T>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = at + leading(row.get(at..)?, background);
        let value = *row.get(begin)?;
        at = begin + leading(&row[begin..], value);
        Some(Run { begin, end: at, value })
    })
}

/// The stretches of a row from the left whose values are not the background's, as positions.
pub(crate) fn stretches<T: Copy + PartialEq>(row: &[T], background: T) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = at + leading(row.get(at..)?, background);
        at = begin + leading_by(row.get(begin..)?, |value| value != background);
        (at > begin).then_some(begin..at)
    })
}

/// How many leading values equal `value`.
fn leading<T: Copy + PartialEq>(row: &[T], value: T) -> usize {
    leading_by(row, |other| other == value)
}

/// How many leading values are `alike`.
fn leading_by<T: Copy>(row: &[T], alike: impl Fn(T) -> bool) -> usize {
    let (eights, rest) = row.as_chunks::<8>();
    let mut sure = 0;
    for eight in eights {
        // Without a branch each, so that the compiler compares eight at once.
        if !eight.iter().fold(true, |all, other| all & alike(*other)) {
            return sure + eight.iter().take_while(|other| alike(**other)).count();
        }
        sure += 8;
    }
    sure + rest.iter().take_while(|other| alike(**other)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(row: &[u16]) -> Vec<(usize, usize, u16)> {
        runs(row, 0).map(|run| (run.begin, run.end, run.value)).collect()
    }

    #[test]
    fn stretches_span_value_changes() {
        let found = |row: &[u16]| stretches(row, 0).collect::<Vec<_>>();
        assert_eq!(found(&[]), []);
        assert_eq!(found(&[0; 20]), []);
        assert!(found(&[7; 20]).into_iter().eq(std::iter::once(0..20)));
        assert_eq!(found(&[0, 1, 1, 2, 0, 0, 2]), [1..4, 6..7]);
    }

    #[test]
    fn runs_are_split_at_value_changes() {
        assert_eq!(found(&[]), []);
        assert_eq!(found(&[0; 20]), []);
        assert_eq!(found(&[7; 20]), [(0, 20, 7)]);
        assert_eq!(found(&[0, 1, 1, 2, 0, 0, 2]), [(1, 3, 1), (3, 4, 2), (6, 7, 2)]);
        let mut long = [0; 40];
        long[9..30].fill(3);
        assert_eq!(found(&long), [(9, 30, 3)]);
    }
}
