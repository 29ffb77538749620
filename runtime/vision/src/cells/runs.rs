//! Rows of labels as runs of one label, for work that is needed once per run rather than per pixel.

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

/// How many leading values equal `value`.
fn leading<T: Copy + PartialEq>(row: &[T], value: T) -> usize {
    // Without a branch per value, so that the compiler compares many at once.
    let is_alike = |eight: &&[T]| eight.iter().fold(true, |all, other| all & (*other == value));
    let sure = 8 * row.chunks_exact(8).take_while(is_alike).count();
    sure + row[sure..].iter().take_while(|other| **other == value).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(row: &[u16]) -> Vec<(usize, usize, u16)> {
        runs(row, 0).map(|run| (run.begin, run.end, run.value)).collect()
    }

    #[test]
    fn runs_are_parted_where_the_value_changes() {
        assert_eq!(found(&[]), []);
        assert_eq!(found(&[0; 20]), []);
        assert_eq!(found(&[7; 20]), [(0, 20, 7)]);
        assert_eq!(found(&[0, 1, 1, 2, 0, 0, 2]), [(1, 3, 1), (3, 4, 2), (6, 7, 2)]);
        let mut long = [0; 40];
        long[9..30].fill(3);
        assert_eq!(found(&long), [(9, 30, 3)]);
    }
}
