//! Whether all of a JPEG is there. Decoders fill in grey for what is missing and say nothing; so the file is walked before
//! it is decoded: its segments, and each scan to its last block.
//!
//! What is tested: every scan has all its blocks and nothing after them, every restart marker is the next one, no code is
//! invalid, and a file without an end marker has all its scans. Damage that keeps the number of blocks and leaves valid codes
//! is not found; no checksum is in the format.

mod bits;
mod block;
mod huffman;
mod scan;
mod segments;
#[cfg(test)]
mod tests;

pub use segments::{Walk, kind_of};

/// What was found in a JPEG that is not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The file ends before its picture does.
    CutOff,
    /// What is there cannot be right.
    Damaged(&'static str),
    /// Whole, maybe, but of a kind that is not read.
    Unread(&'static str),
}

/// Result of the walk.
pub type Result<T> = std::result::Result<T, Fault>;
