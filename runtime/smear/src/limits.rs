//! Size of a rendered smear.

/// Longest shorter side of a rendered smear, in pixels.
pub const MAX_SMEAR_SIDE_PX: u32 = 4096;
