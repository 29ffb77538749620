//! The cell sizes of a frame in constant memory: a histogram of the logarithm of the area.

/// Bins per unit of the logarithm: neighbouring bins differ by 1.6 % in diameter.
const STEPS: f32 = 32.0;

/// Number of bins: areas up to e^32 pixels.
const LEVELS: usize = 1024;

/// Counts of cells by the logarithm of their area.
#[derive(Debug)]
pub(crate) struct Census {
    all: Vec<u16>,
    whole: Vec<u16>,
}

/// Selects a limited number of the largest cells.
#[derive(Debug)]
pub(crate) struct Largest {
    level: usize,
    /// Cells of that level that may still be taken; all above it are taken.
    room: usize,
}

impl Census {
    pub(crate) fn new() -> Self {
        Self { all: vec![0; LEVELS], whole: vec![0; LEVELS] }
    }

    pub(crate) fn clear(&mut self) {
        self.all.fill(0);
        self.whole.fill(0);
    }

    /// Counts one of at most 65535 cells.
    pub(crate) fn add(&mut self, ln_area: f32, cut: bool) {
        let level = level(ln_area);
        self.all[level] += 1;
        self.whole[level] += u16::from(!cut);
    }

    /// A quartile, 1 to 3, of the log areas of cells not cut by the border, or of all cells if every one is cut; 0
    /// without cells.
    pub(crate) fn quartile(&self, quarters: usize) -> f32 {
        let sum = |counts: &[u16]| counts.iter().map(|&count| usize::from(count)).sum::<usize>();
        let counts = if sum(&self.whole) > 0 { &self.whole } else { &self.all };
        let Some(last) = sum(counts).checked_sub(1) else { return 0.0 };
        let mut before = last * quarters / 4;
        for (level, &count) in counts.iter().enumerate() {
            match before.checked_sub(usize::from(count)) {
                Some(rest) => before = rest,
                // Interpolates as if the cells of a level were spread evenly.
                None => return (level as f32 + (before as f32 + 0.5) / f32::from(count)) / STEPS,
            }
        }
        0.0
    }

    /// The largest cells, at most `most`.
    pub(crate) fn largest(&self, most: usize) -> Largest {
        let mut room = most;
        for (level, &count) in self.all.iter().enumerate().rev() {
            match room.checked_sub(usize::from(count)) {
                Some(rest) => room = rest,
                None => return Largest { level, room },
            }
        }
        Largest { level: 0, room }
    }
}

impl Largest {
    /// Whether a cell is among them.
    pub(crate) fn takes(&mut self, ln_area: f32) -> bool {
        let level = level(ln_area);
        let room = usize::from(level == self.level && self.room > 0);
        self.room -= room;
        level > self.level || room > 0
    }
}

fn level(ln_area: f32) -> usize {
    ((ln_area * STEPS) as usize).min(LEVELS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(areas: impl Iterator<Item = f32>) -> Census {
        let mut census = Census::new();
        areas.for_each(|area| census.add(area.ln(), false));
        census
    }

    #[test]
    fn quartiles_match_sorted_areas() {
        let census = of((1..=1000).map(|area| area as f32));
        for (quarters, area) in [(1, 250.0_f32), (2, 500.0), (3, 750.0)] {
            assert!((census.quartile(quarters).exp() / area - 1.0).abs() < 0.01, "{quarters}");
        }
        assert_eq!(Census::new().quartile(2), 0.0);
    }

    #[test]
    fn takes_exactly_requested_number_of_largest() {
        let areas = || (0..100).map(|i| 100.0 + (i % 10) as f32 * 50.0);
        for (most, least_area) in [(10, 550.0), (25, 450.0), (0, f32::MAX), (200, 100.0)] {
            let mut largest = of(areas()).largest(most);
            let taken: Vec<f32> = areas().filter(|area| largest.takes(area.ln())).collect();
            assert_eq!(taken.len(), most.min(100));
            assert!(taken.iter().all(|&area| area >= least_area), "{taken:?}");
        }
    }
}
