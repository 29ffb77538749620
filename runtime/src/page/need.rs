//! What the page may take of the memory, at most.

use super::{board::Board, history::RecentCells};
use crate::limits::{
    PAGE_CONNECTIONS, PAGE_HEADER_BYTES, PAGE_PICTURE_SIDE_PX, PAGE_PNG_SLACK_BYTES, PAGE_TEXT_BYTES, SCALE,
    THREAD_STACK_BYTES,
};

/// Where the figure comes from.
pub const WORDS: &str = "planned: board, encoder, and full connections; `--http off` takes none";

/// Bytes for frames of a size, with every connection there may be, each stuck with the largest answer in its hands.
pub fn bytes(width: u32, height: u32) -> u64 {
    let picture = Board::picture_bytes(width, height);
    let side = (width.max(height) * SCALE).min(PAGE_PICTURE_SIDE_PX);
    let png = picture.min(3 * u64::from(side) * u64::from(side)) + PAGE_PNG_SLACK_BYTES;
    // The board's pictures, the copy that is encoded, the outlines, and a picture while it is encoded.
    let pictures = 2 * picture + 2 * png;
    // Each connection may hold a picture that is the latest no more; three more are kept.
    let connections = PAGE_CONNECTIONS as u64 * (2 * PAGE_HEADER_BYTES as u64 + png.max(PAGE_TEXT_BYTES)) + 3 * png;
    pictures + connections + RecentCells::bytes() + THREAD_STACK_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_takes_little_and_no_frame_takes_much() {
        assert!(bytes(64, 64) < 6 << 20, "{}", bytes(64, 64));
        assert!(bytes(1024, 1024) < 40 << 20, "{}", bytes(1024, 1024));
    }
}
