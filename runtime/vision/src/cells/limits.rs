//! Number of cells in a picture, and length of their outlines.

/// Most cells in one picture: labels are 16 bit and 0 is the background.
pub const MAX_CELLS: usize = u16::MAX as usize;

/// Longest outline that is stored, in steps along pixel edges; a longer one is replaced by its box.
pub const MAX_OUTLINE_STEPS: u32 = 65_536;

/// Most bytes of all outlines of a frame; further cells have only a box.
pub const MAX_OUTLINES_BYTES: usize = 1024 * 1024;
