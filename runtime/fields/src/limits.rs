//! How much of earlier fields is stored, and how many cells are compared.

/// Maximum number of cells of one picture: labels are 16 bit and 0 is the background.
pub const MAX_CELLS: usize = u16::MAX as usize;

/// Maximum number of stored fields; the oldest is replaced. A scan in rows passes the previous row within two rows, so
/// rows may have 32 fields.
pub const MAX_FIELDS: usize = 64;

/// Maximum number of cells that a field is compared by, the largest ones: a field with more has enough of them in a
/// tenth of its area.
pub const MAX_ANCHORS: usize = 256;

/// Maximum number of stored cells per field that the border cuts.
pub const MAX_RIM: usize = 256;

/// Maximum number of bins of the shift histogram along one side: 32 KiB of votes in all, which fit into the L1 cache. A
/// multiple of two.
pub(crate) const MAX_BINS: usize = 128;

/// Maximum number of buckets of the neighbour grid along one side.
pub(crate) const MAX_BUCKETS: usize = 64;

/// Number of latest distinct fields that are searched for particles that keep their place in the picture.
pub(crate) const STUCK_FIELDS: usize = 12;

/// A cell is stuck if it is at the same position of the picture in at least this many of them. Two unrelated cells lie
/// within the tolerance of a position in at most 3 of 100 fields: by chance it happens to 1 cell in a million.
pub(crate) const MIN_STUCK: u8 = 6;

/// Maximum size of [`crate::Fields`] in bytes: 6 KiB per field, for 16 bytes per anchor and 8 per rim cell, for 64
/// fields and the current frame, 390 KiB; 64 KiB for the states of the cells, 64 for votes and their thresholds, and 32
/// for the rest.
pub const MAX_BYTES: usize = 576 * 1024;

const _: () = {
    // If every pair votes for the same bin, its 16 bits are exceeded by one vote only, and additions saturate.
    assert!(MAX_ANCHORS * MAX_ANCHORS <= u16::MAX as usize + 1);
    assert!(MAX_BINS * MAX_BINS <= u16::MAX as usize + 1 && MAX_BINS.is_multiple_of(2));
    assert!(STUCK_FIELDS <= MAX_FIELDS && (MIN_STUCK as usize) <= STUCK_FIELDS);
    assert!(MAX_ANCHORS <= MAX_CELLS && MAX_RIM <= MAX_CELLS);
};
