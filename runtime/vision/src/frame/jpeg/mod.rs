//! Checks that a JPEG is complete. Decoders silently fill missing data with grey, so the file is scanned before it is
//! decoded: its segments, and each scan to its last block.
//!
//! The checks: every scan has all its blocks and nothing after them, restart markers are in sequence, all codes are
//! valid, and a file without an end marker has all its scans. Damage that keeps the number of blocks and leaves valid
//! codes is not detected, because the format has no checksum.

mod bits;
mod block;
mod huffman;
mod scan;
mod segments;
#[cfg(test)]
mod tests;

pub use segments::{Walk, kind_of};

/// Why a JPEG is not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The file ends before the picture does.
    CutOff,
    /// The data is invalid.
    Damaged(&'static str),
    /// Possibly complete, but not supported.
    Unread(&'static str),
}

/// Result of a scan.
pub type Result<T> = std::result::Result<T, Fault>;
