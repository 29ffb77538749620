//! Whether the input supports a cell, or only the super-resolved picture shows it.
//!
//! The measure is the offset of a cell: the signed difference between the downscaled super-resolved picture and the
//! input, averaged over the cell in each channel; the greatest absolute value of the three. Sensor noise and rounding of
//! outlines average out, while a cell that exists only in the super-resolved picture differs by its whole contrast in one
//! direction. The mean absolute difference cannot distinguish the two: it grows with the noise that super-resolution
//! removes.
//!
//! Measured on the 80 fields of `train_tmp` with models 0.1.0 (4800 cells), and with disks of the cells' median size and
//! colour painted into the super-resolved background (240), as offset over [`allowed_offset_levels`]:
//!
//! | input | maximum over cells | minimum over painted disks |
//! |---|---|---|
//! | unchanged | 0.69 | 2.64 |
//! | noise of 5 levels | 0.68 | 2.36 |
//! | noise of 5 levels, and a super-resolution that would remove all of it | 0.77 | 2.55 |
//! | JPEG quality 50 | 0.51 | 1.72 |
//! | blurred by 1 px | 0.16 | 1.97 |
//! | light of 60 % | 0.41 | 1.24 |
//! | contrast of 50 % | 0.29 | 0.46 (2 of 240 below 1) |
//!
//! False negatives: disks fainter than the allowance, as in the last row. False positives: a few cells of an input
//! sharpened beyond what a lens does, whose halos super-resolution does not reproduce (75 of 4970).

/// Offset that downscaling and the models leave on real cells of any size, in levels (0..=255).
pub const SYSTEMATIC_OFFSET_LEVELS: f64 = 4.0;

/// Allowance for noise on a cell of one input pixel, in levels: four times a standard deviation of 5. Over n pixels its
/// mean is sqrt(n) times smaller.
pub const NOISE_OFFSET_LEVELS: f64 = 20.0;

/// Greatest offset allowed for a cell of `input_px` input pixels, in levels.
pub fn allowed_offset_levels(input_px: f64) -> f64 {
    SYSTEMATIC_OFFSET_LEVELS + NOISE_OFFSET_LEVELS / input_px.sqrt()
}

/// How one cell of the super-resolved picture agrees with the input.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CellConsistency {
    /// Mean absolute difference, in levels: the consistency of the cell.
    pub levels: f64,
    /// Absolute mean difference of the channel where it is greatest, in levels.
    pub offset_levels: f64,
    /// Area of the cell in input pixels, including fractions.
    pub input_px: f64,
}

impl CellConsistency {
    /// Whether the input supports the cell: its offset is within the allowance for its size.
    pub fn supported(&self) -> bool {
        self.offset_levels <= allowed_offset_levels(self.input_px)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_offset_is_larger_for_small_cells() {
        let of = |offset_levels, input_px| CellConsistency { levels: 0.0, offset_levels, input_px }.supported();
        assert!(of(23.9, 1.0) && !of(24.1, 1.0));
        assert!(of(8.9, 16.0) && !of(9.1, 16.0));
        assert!(!of(4.7, 1000.0));
    }

    #[test]
    fn noise_without_offset_is_supported() {
        let noisy = CellConsistency { levels: 40.0, offset_levels: 0.5, input_px: 12.0 };
        assert!(noisy.supported());
    }
}
