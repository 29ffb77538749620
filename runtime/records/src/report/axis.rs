//! An axis with round numbers on it.

/// The range of an axis, and the distance between its numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Axis {
    /// The lowest number on it.
    pub(super) from: f64,
    /// The highest.
    pub(super) to: f64,
    /// From one to the next.
    pub(super) step: f64,
}

impl Axis {
    /// An axis that covers values from `least` to `greatest`, with about this many steps.
    pub(crate) fn around(least: f64, greatest: f64, steps: f64) -> Self {
        let (least, greatest) = if least.is_finite() && greatest.is_finite() { (least, greatest) } else { (0.0, 1.0) };
        let greatest = if greatest > least { greatest } else { least + if least == 0.0 { 1.0 } else { least.abs() } };
        let step = round_step((greatest - least) / steps);
        Self { from: (least / step).floor() * step, to: (greatest / step).ceil() * step, step }
    }

    /// An axis that ends where the values end.
    pub(super) fn exact(from: f64, to: f64, steps: f64) -> Self {
        let axis = Self::around(from, to, steps);
        if to > from { Self { from, to, step: axis.step } } else { axis }
    }

    /// Position of a value: 0 at the start, 1 at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    /// The numbers on it.
    pub(super) fn numbers(&self) -> impl Iterator<Item = f64> + '_ {
        let first = (self.from / self.step - 1e-9).ceil();
        // Bounded, whatever the values were.
        (0..32)
            .map(move |at| (first + f64::from(at)) * self.step)
            .take_while(|value| *value <= self.to + self.step * 1e-6)
    }

    /// Decimals that its numbers need.
    pub(super) fn decimals(&self) -> usize {
        (-(self.step.log10() + 1e-9).floor()).clamp(0.0, 6.0) as usize
    }
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `least`.
pub(super) fn round_step(least: f64) -> f64 {
    if !least.is_finite() || least <= 0.0 {
        return 1.0;
    }
    let ten = 10.0_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|digit| digit * ten)
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * ten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (least, wanted) in [(0.03, 0.05), (1.0, 1.0), (1.1, 2.0), (3.0, 5.0), (700.0, 1000.0), (0.0, 1.0)] {
            assert!((round_step(least) / wanted - 1.0).abs() < 1e-9, "{least}");
        }
    }

    #[test]
    fn axis_covers_values_with_few_numbers() {
        for (least, greatest) in [(0.0, 1.0), (3.2, 17.9), (5.0, 5.0), (0.0, 0.0), (f64::NAN, 1.0), (-2.0, 1e12)] {
            let axis = Axis::around(least, greatest, 5.0);
            assert!(axis.from < axis.to && (2..=9).contains(&axis.numbers().count()), "{axis:?}");
            assert!((0.0..=1.0).contains(&axis.place(greatest)));
        }
        let axis = Axis::around(0.0, 0.37, 5.0);
        assert_eq!((axis.decimals(), axis.numbers().count()), (1, 5));
    }
}
