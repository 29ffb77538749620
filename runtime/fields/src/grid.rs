//! A grid of buckets over a picture, to find the neighbours of a position without a search through all points.

use crate::limits::{MAX_ANCHORS, MAX_BUCKETS};

/// Points of one picture by bucket.
#[derive(Debug)]
pub(crate) struct Grid {
    /// Where each bucket begins in `points`, row by row, and where the last one ends.
    begins: Vec<u16>,
    points: Vec<u16>,
    across: usize,
    down: usize,
    per_px: f32,
}

impl Grid {
    /// Allocates memory for the largest grid.
    pub(crate) fn new() -> Self {
        Self {
            begins: Vec::with_capacity(MAX_BUCKETS * MAX_BUCKETS + 1),
            points: Vec::with_capacity(MAX_ANCHORS),
            across: 0,
            down: 0,
            per_px: 0.0,
        }
    }

    /// Sorts at most [`MAX_ANCHORS`] points of a picture into buckets of `bucket_px`, or wider ones if those would be
    /// too many.
    pub(crate) fn fill(&mut self, size_px: [f32; 2], bucket_px: f32, points: impl Iterator<Item = [f32; 2]> + Clone) {
        let longest = size_px[0].max(size_px[1]);
        let bucket_px = bucket_px.max(longest / MAX_BUCKETS as f32);
        self.per_px = 1.0 / bucket_px;
        let buckets = |length: f32| ((length * self.per_px).ceil() as usize).clamp(1, MAX_BUCKETS);
        (self.across, self.down) = (buckets(size_px[0]), buckets(size_px[1]));
        self.begins.clear();
        self.begins.resize(self.across * self.down + 1, 0);
        self.points.clear();
        self.points.resize(points.clone().count(), 0);
        for at in points.clone() {
            let bucket = self.bucket(at);
            self.begins[bucket] += 1;
        }
        let mut sum = 0;
        for begin in &mut self.begins {
            sum += *begin;
            *begin = sum;
        }
        // Buckets are filled from the end, so that each offset finally points to the beginning.
        for (point, at) in (0..).zip(points) {
            let bucket = self.bucket(at);
            self.begins[bucket] -= 1;
            self.points[usize::from(self.begins[bucket])] = point;
        }
    }

    fn column(&self, x: f32) -> usize {
        ((x * self.per_px).max(0.0) as usize).min(self.across - 1)
    }

    fn row(&self, y: f32) -> usize {
        ((y * self.per_px).max(0.0) as usize).min(self.down - 1)
    }

    fn bucket(&self, at: [f32; 2]) -> usize {
        self.row(at[1]) * self.across + self.column(at[0])
    }

    /// Points of all buckets that intersect a square of `2 reach_px` around a position.
    pub(crate) fn near(&self, at: [f32; 2], reach_px: f32) -> impl Iterator<Item = usize> + '_ {
        let columns = self.column(at[0] - reach_px)..self.column(at[0] + reach_px) + 1;
        let rows = self.row(at[1] - reach_px)..self.row(at[1] + reach_px) + 1;
        rows.flat_map(move |row| {
            let row = row * self.across;
            let (begin, end) = (self.begins[row + columns.start], self.begins[row + columns.end]);
            self.points[usize::from(begin)..usize::from(end)].iter().map(|&point| usize::from(point))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_match_exhaustive_search() {
        let points: Vec<[f32; 2]> =
            (0..200).map(|i| [(i * 37 % 211) as f32 * 1.7, (i * 53 % 197) as f32 * 0.9 - 2.0]).collect();
        let mut grid = Grid::new();
        for bucket_px in [0.1, 7.0, 60.0, 1000.0] {
            grid.fill([350.0, 170.0], bucket_px, points.iter().copied());
            for at in [[0.0, 0.0], [100.0, 80.0], [349.0, 169.0], [-20.0, 400.0]] {
                let close = |p: &[f32; 2]| (p[0] - at[0]).abs() <= 15.0 && (p[1] - at[1]).abs() <= 15.0;
                let mut found: Vec<usize> = grid.near(at, 15.0).filter(|&i| close(&points[i])).collect();
                found.sort_unstable();
                let all: Vec<usize> = (0..points.len()).filter(|&i| close(&points[i])).collect();
                assert_eq!(found, all, "{at:?} in buckets of {bucket_px}");
            }
        }
    }
}
