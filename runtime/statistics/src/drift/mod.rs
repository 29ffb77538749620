//! Detects drift of a measured figure against its own history: a fading lamp, a wandering focus, a changing cell
//! diameter.
//!
//! One rule on two time scales. A moving average of the figure (`chart`) is compared with a baseline from the first
//! distinct fields: once for single fields, to detect changes within minutes, and once for means of
//! [`limits::FIELDS_A_BATCH`] fields, to detect changes within days. The figure has drifted when the average stays
//! beyond its limits for several values, until it is back within half of them. The baseline does not follow the figure:
//! it is learned once, and set by [`Drift::restart`] or [`Drift::pin`].
//!
//! At one field in 10 s the first baseline takes twelve hours to learn, the second two days. Values must be those of
//! distinct fields: repeated values of one field would make the limits too narrow.
//!
//! Simulated (`cargo test -p bloodseg-statistics drift`), at one field in 10 s, with values that are independent, that
//! have heavy tails (Student's t with three degrees of freedom), or that have an autocorrelation of 0.5, 0.9 or 0.99:
//!
//! | what | autocorrelation 0 to 0.5 | 0.9 | 0.99 |
//! |---|---|---|---|
//! | false alarms, seven figures in 90 days | at most 1 | 1 | 1 |
//! | light varies by 1 %, fades by 0.1 % per field: change when detected | 4.2 % | 6.8 % | 8.5 % |
//! | sharpness varies by 10 %, falls by 33 % in 2 h: detected after | 80 min | 2.2 h | 5 h |
//! | diameter varies by 3 %, changes by 5 % in a day: change when detected | 2.7 % | 3.1 % | 5.6 % |

mod chart;
pub mod limits;
#[cfg(test)]
mod tests;

use self::{
    chart::{Chart, Rule},
    limits::{FAST, FIELDS_A_BATCH, SLOW},
};

/// Numbers in the state of a [`Drift`].
pub const PARTS: usize = 2 * chart::PARTS + 4;

/// Version of the state, its first number: states of another one are not read.
const VERSION: f64 = 1.0;

/// The least change that matters, however significant it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Least {
    /// In the unit of the figure.
    pub absolute: f64,
    /// As a fraction of the baseline.
    pub relative: f64,
}

/// A measured figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Level of the empty background.
    Light,
    /// Sharpness of the frame.
    Sharpness,
    /// Contrast of cells to the background.
    Contrast,
    /// Median diameter of red cells.
    RedCellDiameter,
    /// Cells per field.
    CellsAField,
    /// Share of unsupported cells.
    UnsupportedShare,
    /// Size of red cells on the sensor over that of the models.
    Scale,
}

impl Figure {
    /// All figures.
    pub const ALL: [Self; 7] = [
        Self::Light,
        Self::Sharpness,
        Self::Contrast,
        Self::RedCellDiameter,
        Self::CellsAField,
        Self::UnsupportedShare,
        Self::Scale,
    ];

    /// Machine-readable name, with its unit.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Sharpness => "sharpness",
            Self::Contrast => "contrast",
            Self::RedCellDiameter => "red_cell_diameter_um",
            Self::CellsAField => "cells_per_field",
            Self::UnsupportedShare => "unsupported_share",
            Self::Scale => "scale",
        }
    }

    /// The least change that matters: 1 % of most figures, and 0.01 of the unsupported share, which is usually close to 0.
    pub fn least(self) -> Least {
        match self {
            Self::UnsupportedShare => Least { absolute: 0.01, relative: 0.0 },
            _ => Least { absolute: 0.0, relative: 0.01 },
        }
    }
}

/// Larger numbers mean that a state is damaged, and would grow to infinity.
const MAX_PLAUSIBLE: f64 = 1e15;

fn is_plausible(part: f64) -> bool {
    part.abs() <= MAX_PLAUSIBLE
}

/// The state of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    /// The baseline is being learned; the completed part, 0 to 1.
    Learning(f64),
    /// Within the limits. Means of batches are included once their baseline is learned.
    Steady,
    /// Beyond the limits.
    Drifted {
        /// The baseline.
        from: f64,
        /// The moving average.
        to: f64,
        /// Whether the chart of single fields found it; else that of batches.
        fast: bool,
    },
}

/// The history of a figure, in a few numbers. Adding a value takes constant time and allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    least: Least,
    fast: Chart,
    slow: Chart,
    /// Number of values in the current batch, and their sum.
    batch: [f64; 2],
}

impl Drift {
    /// An empty history.
    pub fn new(least: Least) -> Self {
        Self { least, fast: Chart::default(), slow: Chart::default(), batch: [0.0; 2] }
    }

    /// Adds the value of one distinct field. Values that are not finite are ignored.
    pub fn see(&mut self, value: f64) -> Standing {
        if value.is_finite() {
            let value = self.fast.cut(value, &FAST, self.least_of(&self.fast));
            self.fast.see(value, &FAST, self.least_of(&self.fast));
            self.batch = [self.batch[0] + 1.0, self.batch[1] + value];
            if self.batch[0] >= f64::from(FIELDS_A_BATCH) {
                let mean = self.batch[1] / self.batch[0];
                self.slow.see(mean, &SLOW, self.least_of(&self.slow));
                self.batch = [0.0; 2];
            }
        }
        self.standing()
    }

    /// The state after the last value.
    pub fn standing(&self) -> Standing {
        let of = |chart: &Chart, rule: &Rule, fast: bool| {
            chart.is_out(rule).then_some(Standing::Drifted { from: chart.mean, to: chart.average, fast })
        };
        if !self.fast.is_learned(&FAST) {
            return Standing::Learning(self.fast.seen / FAST.learned as f64);
        }
        let slow = || of(&self.slow, &SLOW, false);
        of(&self.fast, &FAST, true).or_else(slow).unwrap_or(Standing::Steady)
    }

    /// Starts learning a new baseline, after a lamp, a camera or a stain was changed deliberately.
    pub fn restart(&mut self) {
        *self = Self::new(self.least);
    }

    /// Sets the mean of the baseline, for example to that of a control slide. The learned spread of the values is kept,
    /// or learning continues. A mean that is not finite is ignored.
    pub fn pin(&mut self, mean: f64) {
        if mean.is_finite() {
            self.fast.pin(mean, &FAST);
            self.slow.pin(mean, &SLOW);
            self.batch = [0.0; 2];
        }
    }

    /// The state as numbers, to be stored. None is infinite; a mean that was not set is NaN.
    pub fn to_parts(&self) -> [f64; PARTS] {
        let head = [VERSION, f64::from(FIELDS_A_BATCH)].into_iter().chain(self.batch);
        let mut all = head.chain(self.fast.to_parts()).chain(self.slow.to_parts());
        std::array::from_fn(|_| all.next().unwrap_or(f64::NAN))
    }

    /// Restores the numbers of [`Self::to_parts`]; `None` if they are of another version or damaged.
    pub fn from_parts(least: Least, parts: &[f64]) -> Option<Self> {
        let parts: &[f64; PARTS] = parts.try_into().ok()?;
        let (head, charts) = parts.split_at(4);
        let (fast, slow) = charts.split_at(chart::PARTS);
        let chart = |parts: &[f64]| {
            let (pinned, others) = parts.split_last()?;
            let is_sound = others.iter().all(|part| is_plausible(*part)) && (is_plausible(*pinned) || pinned.is_nan());
            // Counts and deviations are not negative.
            let counts = [parts[0], parts[2], parts[4], parts[6], parts[7]];
            (is_sound && counts.iter().all(|part| *part >= 0.0))
                .then(|| parts.try_into().ok().map(Chart::from_parts))?
        };
        let is_head = head[0] == VERSION && head[1] == f64::from(FIELDS_A_BATCH);
        let is_batch = (0.0..head[1]).contains(&head[2]) && is_plausible(head[3]);
        (is_head && is_batch).then_some(())?;
        Some(Self { least, fast: chart(fast)?, slow: chart(slow)?, batch: [head[2], head[3]] })
    }

    fn least_of(&self, chart: &Chart) -> f64 {
        self.least.absolute.max(self.least.relative * chart.mean.abs())
    }
}
