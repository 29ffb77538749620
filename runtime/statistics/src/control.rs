//! A control slide: the same slide measured repeatedly, so that any difference is one of the instrument.
//!
//! The means of a session are compared with those of the first one. A figure differs if its means are further apart
//! than [`MAX_ERRORS`] standard errors of their difference (Welch's t statistic) and by more than the least change that
//! matters. It is tested when the session has 10, 20, 40, ... fields, so that repeated tests do not make false alarms
//! likely: of 1000 simulated sessions of seven figures and 160 fields, at most a few have one
//! (`cargo test -p bloodseg-statistics control`).

use serde::{Deserialize, Serialize};

use crate::{
    drift::{Figure, Least},
    moments::Moments,
};

/// Distinct fields before a session is compared, or is a reference.
pub const MIN_FIELDS: u64 = 10;

/// Standard errors above which the difference of two means is large. With ten fields each, it is in fewer than one of
/// ten thousand comparisons of equal means.
pub const MAX_ERRORS: f64 = 5.0;

/// The figures of one session, in the order of [`Figure::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    fields: u64,
    figures: [Moments; Figure::ALL.len()],
}

/// A figure that changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The figure.
    pub figure: Figure,
    /// Its mean in the first session.
    pub from: f64,
    /// Its mean now.
    pub to: f64,
}

impl Session {
    /// Adds the values of one distinct field; those that are not finite are ignored.
    pub fn see(&mut self, values: &[f64; Figure::ALL.len()]) {
        self.fields += 1;
        for (moments, value) in self.figures.iter_mut().zip(values) {
            moments.add(*value);
        }
    }

    /// Number of fields.
    pub fn fields(&self) -> u64 {
        self.fields
    }

    /// Whether there are enough fields to compare.
    pub fn is_enough(&self) -> bool {
        self.fields >= MIN_FIELDS
    }

    /// Whether it is time to compare: at 10, 20, 40, ... fields.
    pub fn is_due(&self) -> bool {
        self.is_enough() && self.fields.is_multiple_of(MIN_FIELDS) && (self.fields / MIN_FIELDS).is_power_of_two()
    }

    /// Whether the state is possible; a stored one can be damaged.
    pub fn is_sound(&self) -> bool {
        let is_figure = |moments: &Moments| moments.is_sound() && moments.count() <= self.fields;
        self.figures.iter().all(is_figure)
    }

    /// The figures that differ from those of `reference`.
    pub fn differences<'a>(&'a self, reference: &'a Self) -> impl Iterator<Item = Difference> + 'a {
        let pairs = Figure::ALL.into_iter().zip(reference.figures.iter().zip(&self.figures));
        pairs.filter_map(|(figure, (from, to))| {
            let (before, now) = (from.mean()?, to.mean()?);
            let enough = from.count().min(to.count()) >= MIN_FIELDS;
            let error = (squared_error(from)? + squared_error(to)?).sqrt();
            let Least { absolute, relative } = figure.least();
            let limit = (MAX_ERRORS * error).max(absolute).max(relative * before.abs());
            (enough && (now - before).abs() > limit).then_some(Difference { figure, from: before, to: now })
        })
    }
}

/// The squared standard error of a mean.
fn squared_error(moments: &Moments) -> Option<f64> {
    Some(moments.deviation()?.powi(2) / moments.count() as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rand::{Rng, RngExt};
    use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng};

    use super::*;

    const USUAL: [f64; 7] = [240.0, 0.5, 60.0, 7.4, 22.0, 0.02, 1.0];
    /// Relative standard deviations between fields of a slide.
    const SPREAD: [f64; 7] = [0.01, 0.1, 0.05, 0.03, 0.25, 0.5, 0.001];

    fn normal(rng: &mut impl Rng) -> f64 {
        (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
    }

    fn field(rng: &mut impl Rng, factors: [f64; 7]) -> [f64; 7] {
        std::array::from_fn(|at| USUAL[at] * factors[at] * (1.0 + SPREAD[at] * normal(rng)))
    }

    fn session(rng: &mut impl Rng, fields: u64, factors: [f64; 7]) -> Session {
        let mut session = Session::default();
        (0..fields).for_each(|_| session.see(&field(rng, factors)));
        session
    }

    #[test]
    fn unchanged_slide_rarely_raises_false_alarm() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let mut false_alarms = 0;
        for _ in 0..1000 {
            let reference = session(&mut rng, 20, [1.0; 7]);
            let mut now = Session::default();
            let differs = (0..160).any(|_| {
                now.see(&field(&mut rng, [1.0; 7]));
                now.is_due() && now.differences(&reference).next().is_some()
            });
            false_alarms += u32::from(differs);
        }
        assert!(false_alarms <= 5, "{false_alarms} of 1000 sessions");
    }

    #[test]
    fn changed_figures_are_reported_with_both_means() {
        let mut rng = Pcg64Mcg::seed_from_u64(2);
        let reference = session(&mut rng, 20, [1.0; 7]);
        for (at, factor) in [(0, 0.95), (1, 0.6), (2, 0.8), (3, 1.1), (4, 0.4), (5, 4.0), (6, 1.03)] {
            let mut factors = [1.0; 7];
            factors[at] = factor;
            let now = session(&mut rng, 20, factors);
            let found: Vec<Difference> = now.differences(&reference).collect();
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].figure, Figure::ALL[at]);
            assert!((found[0].to / found[0].from / factor - 1.0).abs() < 0.35, "{found:?}");
        }
    }

    #[test]
    fn few_fields_or_missing_values_report_no_difference() {
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        let reference = session(&mut rng, 20, [1.0; 7]);
        let few = session(&mut rng, MIN_FIELDS - 1, [0.5; 7]);
        assert!(!few.is_enough() && few.differences(&reference).next().is_none());
        let mut none = Session::default();
        (0..20).for_each(|_| none.see(&[f64::NAN; 7]));
        assert!(none.is_enough() && none.differences(&reference).next().is_none() && none.is_sound());
        let due: Vec<u64> = (1..=100)
            .scan(Session::default(), |session, _| {
                session.see(&[1.0; 7]);
                Some((session.fields(), session.is_due()))
            })
            .filter_map(|(fields, due)| due.then_some(fields))
            .collect();
        assert_eq!(due, [10, 20, 40, 80]);
    }
}
