//! Forms in which kernels multiply levels and weights.

use std::fmt::Debug;

use bytemuck::{AnyBitPattern, NoUninit};

/// How a level becomes a lane, and a weight a factor.
pub(super) trait Form: Debug + Copy + Send + Sync + 'static {
    /// A level as multiplied.
    type Lane: AnyBitPattern + NoUninit + Default + Debug;
    /// A weight as multiplied.
    type Weight: AnyBitPattern + NoUninit + Debug + Send + Sync;

    /// A weight, converted.
    fn weight(weight: i8) -> Self::Weight;

    /// The offset subtracted from a level when it becomes a lane, for an input with zero point `zero_point`.
    fn taken_off(zero_point: u8) -> i32;

    /// The lane of a level.
    fn lane(level: u8, zero_point: u8) -> Self::Lane;
}

/// 16 bits: levels minus their zero point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wide;

impl Form for Wide {
    type Lane = i16;
    type Weight = i16;

    fn weight(weight: i8) -> i16 {
        i16::from(weight)
    }

    fn taken_off(zero_point: u8) -> i32 {
        i32::from(zero_point)
    }

    fn lane(level: u8, zero_point: u8) -> i16 {
        i16::from(level) - i16::from(zero_point)
    }
}

/// Unsigned bytes: unchanged levels.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Unsigned;

#[cfg(target_arch = "x86_64")]
impl Form for Unsigned {
    type Lane = u8;
    type Weight = i8;

    fn weight(weight: i8) -> i8 {
        weight
    }

    fn taken_off(_zero_point: u8) -> i32 {
        0
    }

    fn lane(level: u8, _zero_point: u8) -> u8 {
        level
    }
}

/// Signed bytes: levels minus 128.
#[cfg(target_arch = "aarch64")]
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed;

#[cfg(target_arch = "aarch64")]
impl Form for Signed {
    type Lane = i8;
    type Weight = i8;

    fn weight(weight: i8) -> i8 {
        weight
    }

    fn taken_off(_zero_point: u8) -> i32 {
        128
    }

    fn lane(level: u8, _zero_point: u8) -> i8 {
        (level ^ 128).cast_signed()
    }
}
