//! Levels by rank, such as the median, in two passes without sorting.

use crate::frame::refit::refit_line;

/// Buckets of half a level; the outermost also take everything beyond -256 and 256 levels.
const BUCKETS: usize = 1024;

/// A histogram of a plane's levels, with reused memory.
#[derive(Debug)]
pub(super) struct Ranks {
    counts: [u32; BUCKETS],
    members: Vec<f32>,
}

impl Default for Ranks {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], members: Vec::new() }
    }
}

/// Monotonic in the level. The bucket around 0 is twice as wide, because processors round towards it.
fn bucket(level: f32) -> usize {
    const HALF: i32 = BUCKETS as i32 / 2;
    (((level * 2.0) as i32).clamp(-HALF, HALF - 1) + HALF) as usize
}

impl Ranks {
    /// Counts a new set of levels.
    pub(super) fn count(&mut self, levels: &[f32]) {
        self.counts.fill(0);
        for &level in levels {
            self.counts[bucket(level)] += 1;
        }
    }

    /// How many of the counted levels are below `level`, a multiple of half a level above 0 and up to 255.
    pub(super) fn below(&self, level: f32) -> usize {
        self.counts[..bucket(level)].iter().map(|count| *count as usize).sum()
    }

    /// The level at `rank` in ascending order; the greatest for a rank beyond, 0 if there are none.
    pub(super) fn nth(&mut self, levels: &[f32], rank: usize) -> f64 {
        let mut within = rank.min(levels.len().saturating_sub(1));
        let wanted = self.counts.iter().position(|&count| {
            let is_here = within < count as usize;
            within -= if is_here { 0 } else { count as usize };
            is_here
        });
        let Some(wanted) = wanted else { return 0.0 };
        // Reserve room for all, so that the next plane of this size allocates nothing.
        refit_line(&mut self.members, levels.len(), 0.0);
        let mut count = 0;
        for &level in levels {
            // Written unconditionally, and kept or overwritten: this avoids a branch.
            self.members[count] = level;
            count += usize::from(bucket(level) == wanted);
        }
        let (_, value, _) = self.members[..count].select_nth_unstable_by(within, f32::total_cmp);
        f64::from(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_match_sorted_levels() {
        let mut ranks = Ranks::default();
        assert_eq!(ranks.nth(&[], 3), 0.0);
        for (count, spread) in [(1, 9.0), (2, 1.0), (700, 300.0), (701, 0.2), (4096, 1000.0)] {
            let levels: Vec<f32> = (0..count).map(|at| (at as f32 * 12.9).sin() * spread).collect();
            let mut sorted = levels.clone();
            sorted.sort_by(f32::total_cmp);
            ranks.count(&levels);
            for rank in [0, 1, count / 2, count - 1, count + 7] {
                assert_eq!(ranks.nth(&levels, rank), f64::from(sorted[rank.min(count - 1)]));
            }
            for level in [0.5, 100.0, 248.0] {
                assert_eq!(ranks.below(level), levels.iter().filter(|other| **other < level).count());
            }
        }
    }
}
