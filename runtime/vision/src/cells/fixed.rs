//! Formats numbers with a fixed number of decimals: a table has a dozen per cell, and the general formatting of the
//! standard library takes as long as the rest of the table.

use std::fmt;

/// Limit of the fast path; measures of a cell are smaller.
const MAX: f64 = 1e9;

/// Most decimals of the fast path.
const MAX_DECIMALS: usize = 4;

/// Digits of [`MAX`] with [`MAX_DECIMALS`].
const MAX_DIGITS: usize = 14;

/// Writes `value` with `decimals` decimals, exactly as `{:.decimals$}` does: halves go to the even digit.
pub(super) fn write(f: &mut fmt::Formatter<'_>, value: f64, decimals: usize) -> fmt::Result {
    match short(value, decimals) {
        Some((digits, from)) => {
            let (whole, part) = digits.split_at(MAX_DIGITS - decimals);
            f.write_str(std::str::from_utf8(&whole[from..]).map_err(|_| fmt::Error)?)?;
            if decimals > 0 {
                f.write_str(".")?;
                f.write_str(std::str::from_utf8(part).map_err(|_| fmt::Error)?)?;
            }
            Ok(())
        }
        None => write!(f, "{value:.decimals$}"),
    }
}

/// The digits of `value` times `10^decimals`, rounded, and where the number begins.
fn short(value: f64, decimals: usize) -> Option<([u8; MAX_DIGITS], usize)> {
    if !(value.is_sign_positive() && value < MAX && decimals <= MAX_DECIMALS) {
        return None;
    }
    let bits = value.to_bits();
    let (fraction, exponent) = (bits & ((1 << 52) - 1), (bits >> 52) as u32);
    // The value is `whole / 2^shift`. The product is exact: 53 bits and 14.
    let (whole, shift) = if exponent == 0 { (fraction, 1074) } else { (fraction | 1 << 52, 1075 - exponent) };
    let product = u128::from(whole) * u128::from(10_u64.pow(decimals as u32));
    let rounded = if shift > 127 {
        0
    } else {
        let (floor, rest, half) = (product >> shift, product & ((1 << shift) - 1), 1 << (shift - 1));
        floor + u128::from(rest > half || (rest == half && floor & 1 == 1))
    };
    let mut rounded = u64::try_from(rounded).ok()?;
    let (mut digits, mut from) = ([b'0'; MAX_DIGITS], MAX_DIGITS);
    while rounded > 0 {
        from = from.checked_sub(1)?;
        digits[from] += (rounded % 10) as u8;
        rounded /= 10;
    }
    Some((digits, from.min(MAX_DIGITS - decimals - 1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Fixed(f64, usize);

    impl fmt::Display for Fixed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write(f, self.0, self.1)
        }
    }

    #[test]
    fn halves_limits_and_non_finite_values_match_std() {
        let eighths = (0..100).map(|n| f64::from(n) / 8.0);
        let odd = [0.0, -0.0, -1.5, 1e-300, 5e-324, 0.99995, 9.99995, 999_999_999.999_9, 1e9, 1e300, f64::MAX];
        let none = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE];
        for value in eighths.chain(odd).chain(none) {
            for decimals in 0..7 {
                assert_eq!(Fixed(value, decimals).to_string(), format!("{value:.decimals$}"), "{value:e}, {decimals}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_number_matches_std(
            bits in any::<u64>(), measure in 0.0_f64..5000.0, sixteenths in 0_u32..1_000_000, decimals in 0_usize..6,
        ) {
            for value in [f64::from_bits(bits), measure, f64::from(sixteenths) / 16.0, f64::from(sixteenths) / 1e4] {
                prop_assert_eq!(Fixed(value, decimals).to_string(), format!("{value:.decimals$}"));
            }
        }
    }
}
