//! Whether what was read supports a cell, or only the super-resolved picture shows it.
//!
//! The measure is the offset of a cell: the difference between the picture shrunk back and what was read, with its sign,
//! averaged over the cell in each channel; the greatest of the three in amount. Noise of the sensor and the rounding of
//! outlines go up and down and average away, while a cell that stands in the super-resolved picture alone differs by its
//! whole contrast, everywhere in one direction. The mean absolute difference cannot tell the two apart: it grows with
//! the noise that the super-resolution takes out.
//!
//! Measured on the 80 fields of `train_tmp` with the models 0.1.0 (4800 cells), and with disks of the cells' median
//! size and colour painted into the super-resolved background (240), as offset over [`allowed_offset_levels`]:
//!
//! | input | greatest of a cell | least of a painted disk |
//! |---|---|---|
//! | as it is | 0.69 | 2.64 |
//! | noise of 5 levels | 0.68 | 2.36 |
//! | noise of 5 levels, and a super-resolution that would take all of it out | 0.77 | 2.55 |
//! | JPEG of quality 50 | 0.51 | 1.72 |
//! | blurred by 1 px | 0.16 | 1.97 |
//! | light of 60 % | 0.41 | 1.24 |
//! | contrast of 50 % | 0.29 | 0.46 (2 of 240 below 1) |
//!
//! What it does not see: a disk fainter than the allowance, as in the last row. What it doubts wrongly: a few cells of an
//! input sharpened beyond what a lens does, whose halos the super-resolution does not follow (75 of 4970).

/// Offset that shrinking and the nets leave on honest cells however large they are, in levels (0..=255).
pub const SYSTEMATIC_OFFSET_LEVELS: f64 = 4.0;

/// What noise may add for a cell of one input pixel, in levels: four times a standard deviation of 5. Over n pixels its
/// mean is sqrt(n) times smaller.
pub const NOISE_OFFSET_LEVELS: f64 = 20.0;

/// Greatest offset that a cell of `input_px` pixels of the input may have, in levels.
pub fn allowed_offset_levels(input_px: f64) -> f64 {
    SYSTEMATIC_OFFSET_LEVELS + NOISE_OFFSET_LEVELS / input_px.sqrt()
}

/// How one cell of the super-resolved picture agrees with what was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CellConsistency {
    /// Mean absolute difference, in levels: the consistency of the cell.
    pub levels: f64,
    /// Amount of the mean difference, of the channel where it is greatest, in levels.
    pub offset_levels: f64,
    /// Area of the cell in pixels of the input; a part of a pixel counts as a part.
    pub input_px: f64,
}

impl CellConsistency {
    /// Whether the input supports the cell: its offset is no greater than allowed for its size.
    pub fn supported(&self) -> bool {
        self.offset_levels <= allowed_offset_levels(self.input_px)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_cell_may_differ_by_more_than_a_large_one() {
        let of = |offset_levels, input_px| CellConsistency { levels: 0.0, offset_levels, input_px }.supported();
        assert!(of(23.9, 1.0) && !of(24.1, 1.0));
        assert!(of(8.9, 16.0) && !of(9.1, 16.0));
        assert!(!of(4.7, 1000.0));
    }

    #[test]
    fn noise_alone_is_no_offset() {
        let noisy = CellConsistency { levels: 40.0, offset_levels: 0.5, input_px: 12.0 };
        assert!(noisy.supported());
    }
}
