//! How many cells a picture may have, and how long their outlines may be.

/// Most cells in one picture: labels are 16 bit and 0 is the background.
pub const MAX_CELLS: usize = u16::MAX as usize;

/// Longest outline of a cell that is kept, in steps along the edges of pixels; of a longer one its box is kept.
pub const MAX_OUTLINE_STEPS: u32 = 65_536;

/// Most bytes of all outlines of a frame; cells beyond have their box alone.
pub const MAX_OUTLINES_BYTES: usize = 1024 * 1024;
