//! The maximum memory of the page.

use super::{board::Board, history::RecentCells};
use crate::{
    page::limits::{
        MAX_PAGE_CONNECTIONS, MAX_PAGE_HEADER_BYTES, MAX_PAGE_PICTURE_SIDE_PX, MAX_PAGE_TEXT_BYTES,
        PAGE_PNG_SLACK_BYTES,
    },
    run::limits::THREAD_STACK_BYTES,
};
use bloodseg_vision::geometry::SCALE;

/// How the figure is determined.
pub const WORDS: &str = "planned: board, encoder, and full connections; `--http off` takes none";

/// Bytes for frames of this size at the scale of the models, of this many bytes each as delivered, with every connection
/// open and stuck with the largest response.
pub fn bytes(width: u32, height: u32, frame_bytes: u64) -> u64 {
    let picture = Board::picture_bytes(width, height);
    let side = (width.max(height) * SCALE).min(MAX_PAGE_PICTURE_SIDE_PX);
    let png = picture.min(3 * u64::from(side) * u64::from(side)) + PAGE_PNG_SLACK_BYTES;
    // The board's pictures, the copy being encoded, the outlines, and an encoded picture.
    let pictures = 2 * picture + 2 * png;
    // Each connection may hold an outdated picture; three more are kept.
    let connections =
        MAX_PAGE_CONNECTIONS as u64 * (2 * MAX_PAGE_HEADER_BYTES as u64 + png.max(MAX_PAGE_TEXT_BYTES)) + 3 * png;
    // A frame that is larger than at the scale of the models is shown in its own size.
    let side_px = u64::from(MAX_PAGE_PICTURE_SIDE_PX);
    let shown = frame_bytes.min(3 * side_px * side_px);
    shown + pictures + connections + RecentCells::bytes() + THREAD_STACK_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_memory_is_bounded_for_small_and_large_frames() {
        assert!(bytes(64, 64, 3 * 64 * 64) < 7 << 20, "{}", bytes(64, 64, 3 * 64 * 64));
        assert!(bytes(1024, 1024, 3 << 20) < 40 << 20, "{}", bytes(1024, 1024, 3 << 20));
    }
}
