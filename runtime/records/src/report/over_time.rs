//! A measure of frames over time: a limited number of points, each the mean, minimum and maximum of the frames near it.

/// What is known at one point.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Point {
    /// Frames.
    pub(super) count: u64,
    /// Sum of their values.
    pub(super) sum: f64,
    /// The minimum.
    pub(super) least: f64,
    /// The maximum.
    pub(super) greatest: f64,
}

impl Point {
    /// The mean.
    pub(super) fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }
}

/// A measure over the time of a run.
#[derive(Debug, Clone)]
pub(super) struct OverTime {
    first_ms: i64,
    last_ms: i64,
    points: Vec<Point>,
}

impl OverTime {
    /// For times from `first_ms` to `last_ms`, with this many points.
    pub(super) fn new((first_ms, last_ms): (i64, i64), points: usize) -> Self {
        Self { first_ms, last_ms: last_ms.max(first_ms), points: vec![Point::default(); points.max(1)] }
    }

    /// Adds the value of a frame; non-numbers are skipped.
    pub(super) fn add(&mut self, at_ms: i64, value: f64) {
        let points = self.points.len();
        let share = (at_ms.saturating_sub(self.first_ms)) as f64 / self.span_ms();
        let at = ((share * points as f64).max(0.0) as usize).min(points - 1);
        let Some(point) = self.points.get_mut(at).filter(|_| value.is_finite()) else { return };
        if point.count == 0 {
            (point.least, point.greatest) = (value, value);
        }
        point.count += 1;
        point.sum += value;
        (point.least, point.greatest) = (point.least.min(value), point.greatest.max(value));
    }

    /// Milliseconds from the first to the last, at least 1.
    pub(super) fn span_ms(&self) -> f64 {
        self.last_ms.saturating_sub(self.first_ms).max(1) as f64
    }

    /// Each point with data: its index and the data.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, &Point)> + '_ {
        self.points.iter().enumerate().filter(|(_, point)| point.count > 0)
    }

    /// Position of the middle of a point between the first time (0) and the last (1).
    pub(super) fn place(&self, at: usize) -> f64 {
        (at as f64 + 0.5) / self.points.len() as f64
    }

    /// The minimum and the maximum of all values.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        self.each().map(|(_, point)| (point.least, point.greatest)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn values_fall_on_points_of_their_times() {
        let mut line = OverTime::new((1000, 2000), 4);
        for (at_ms, value) in [(1000, 1.0), (1249, 3.0), (1500, 5.0), (2000, 7.0), (1600, f64::NAN)] {
            line.add(at_ms, value);
        }
        let found: Vec<_> = line.each().map(|(at, point)| (at, point.count, point.mean())).collect();
        assert_eq!(found, [(0, 2, 2.0), (2, 1, 5.0), (3, 1, 7.0)]);
        assert_eq!((line.range(), line.place(0)), (Some((1.0, 7.0)), 0.125));
    }

    #[test]
    fn empty_span_and_out_of_range_times_are_accepted() {
        let mut line = OverTime::new((5, 5), 3);
        for at_ms in [5, i64::MIN, i64::MAX] {
            line.add(at_ms, 1.0);
        }
        assert_eq!(line.each().map(|(_, point)| point.count).sum::<u64>(), 3);
        assert_eq!(OverTime::new((i64::MIN, i64::MAX), 0).range(), None);
    }
}
