//! Scales and zero points: exact powers of two, one in total or one per channel, with zero points of the levels' type.

use super::{
    Fault, fault,
    tensor::{Kind, Weights},
};

/// Exponents of scales. A wider range is useless for 8-bit levels, and the product of three stays a normal number.
const EXPONENTS: std::ops::RangeInclusive<i32> = -32..=32;

/// Checks a scale and its zero point for levels of `kind` and `shape`; a list of scales runs along `axis`. 32-bit levels
/// are biases, whose zero point is 0.
pub(super) fn check(
    scale: &Weights<'_>,
    zero_point: &Weights<'_>,
    kind: Kind,
    shape: &[u64],
    axis: usize,
) -> Result<(), Fault> {
    let along = shape.get(axis).copied();
    for part in [scale, zero_point] {
        let fits = part.shape.is_empty()
            || part.shape == [1]
            || (part.shape.len() == 1 && part.shape.first().copied() == along);
        if !fits {
            let found = format!("{} of shape {:?} for levels of shape {shape:?}", part.name, part.shape);
            return Err(fault(found, format!("one number, or one per index along axis {axis}")));
        }
    }
    if scale.len() != zero_point.len() {
        let found = format!("{} scales and {} zero points", scale.len(), zero_point.len());
        return Err(fault(format!("{}: {found}", scale.name), "equal numbers of both"));
    }
    if scale.kind != Kind::F32 {
        return Err(fault(format!("the scale {} of {:?}", scale.name, scale.kind), "f32"));
    }
    if let Some(value) = scale.floats().find(|value| !is_power_of_two(*value)) {
        let (least, most) = (EXPONENTS.start(), EXPONENTS.end());
        return Err(fault(
            format!("{}: the scale {value}", scale.name),
            format!("a power of two, 2^{least} to 2^{most}"),
        ));
    }
    if zero_point.kind != kind {
        let found = format!("the zero point {} of {:?}", zero_point.name, zero_point.kind);
        return Err(fault(found, format!("{kind:?}, like the levels")));
    }
    if kind == Kind::I32 && zero_point.data.iter().any(|byte| *byte != 0) {
        return Err(fault(format!("{}: a zero point that is not 0", zero_point.name), "0 for levels of 32 bits"));
    }
    Ok(())
}

fn is_power_of_two(value: f32) -> bool {
    let bits = value.to_bits();
    // Sign and mantissa are 0; a biased exponent of 127 is 2^0.
    let exponent = (bits >> 23).cast_signed() - 127;
    bits & 0x807f_ffff == 0 && EXPONENTS.contains(&exponent)
}

#[cfg(test)]
mod tests {
    use super::is_power_of_two;

    #[test]
    fn only_powers_of_two_in_range_are_accepted() {
        for exponent in -32..=32 {
            assert!(is_power_of_two(2_f32.powi(exponent)), "{exponent}");
        }
        for value in
            [0.0, -0.0, -1.0, 3.0, 0.1, 1.000_000_1, f32::NAN, f32::INFINITY, 2_f32.powi(33), 2_f32.powi(-33), 1e-45]
        {
            assert!(!is_power_of_two(value), "{value}");
        }
    }
}
