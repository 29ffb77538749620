//! How much of earlier fields is stored, and how many cells are compared.

/// Most cells of one picture: labels are 16 bit and 0 is the background.
pub const MAX_CELLS: usize = u16::MAX as usize;

/// Most stored fields; the oldest is replaced. A scan in rows meets the row before within two rows, so rows may have 32 fields.
pub const MAX_FIELDS: usize = 64;

/// Most cells of a field that it is compared by, the largest: a field of more has enough of them in a tenth of its area.
pub const MAX_ANCHORS: usize = 256;

/// Most cells cut by the border that are stored of a field.
pub const MAX_RIM: usize = 256;

/// Most bins of the histogram of shifts along one side, 32 KiB of votes in all, which stay in a first-level cache. A multiple of two.
pub(crate) const MAX_BINS: usize = 128;

/// Most buckets of the grid that neighbours are looked up in, along one side.
pub(crate) const MAX_BUCKETS: usize = 64;

/// Distinct fields, the latest, that are searched for particles that keep their place in the picture.
pub(crate) const STUCK_FIELDS: usize = 12;

/// A cell is stuck when it stands at one place of the picture in at least so many of them. Two unrelated cells lie within
/// the tolerance of a place in 3 of 100 fields at most: by chance it happens to 1 cell of a million.
pub(crate) const MIN_STUCK: u8 = 6;

/// Most bytes that [`crate::Fields`] takes: 6 KiB a field for 16 bytes an anchor and 8 a cell of the rim, which is 64 of them
/// and the frame at hand, 390 KiB; 64 KiB for the states of the cells, 64 for votes and their thresholds, and 32 for the rest.
pub const MAX_BYTES: usize = 576 * 1024;

const _: () = {
    // Two anchors of one place in every pair fill no bin beyond its 16 bits but by one vote, which saturates.
    assert!(MAX_ANCHORS * MAX_ANCHORS <= u16::MAX as usize + 1);
    assert!(MAX_BINS * MAX_BINS <= u16::MAX as usize + 1 && MAX_BINS.is_multiple_of(2));
    assert!(STUCK_FIELDS <= MAX_FIELDS && (MIN_STUCK as usize) <= STUCK_FIELDS);
    assert!(MAX_ANCHORS <= MAX_CELLS && MAX_RIM <= MAX_CELLS);
};
