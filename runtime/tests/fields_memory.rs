//! Comparing a frame with earlier fields allocates nothing beyond the initial memory, which is bounded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bloodseg::memory::counting::{Counting, heap};
use bloodseg_fields::{
    Cell, Fields, Frame, State,
    limits::{MAX_BYTES, MAX_CELLS, MAX_FIELDS},
};
use bloodseg_smear::draw::Draw;

#[global_allocator]
static HEAP: Counting = Counting;

/// Cells of a window of `side_px` over one long specimen, at most 0.0015 per square pixel.
fn cells(count: usize, side_px: f64, seed: u64) -> Vec<Cell> {
    let mut draw = Draw::new(seed, 500);
    let cell = |_| {
        let (x_px, y_px) = (draw.between(0.0, side_px), draw.between(0.0, side_px));
        let touches_border = x_px.min(y_px) < 11.0 || x_px.max(y_px) > side_px - 11.0;
        Cell { x_px, y_px, area_px: draw.between(300.0, 460.0), touches_border }
    };
    (0..count).map(cell).collect()
}

// Without the test harness, whose thread allocates at any time and would be counted too.
fn main() {
    let sizes = [(0, 256.0), (1, 256.0), (40, 256.0), (100, 256.0), (5_000, 1_800.0), (MAX_CELLS, 6_600.0)];
    let frames: Vec<(Vec<Cell>, f64)> =
        (0..20).flat_map(|seed| sizes.map(|(count, side_px)| (cells(count, side_px, seed), side_px))).collect();
    let before = heap().unwrap();
    let mut fields = Fields::new();
    let after = heap().unwrap();
    assert!(after.live_bytes - before.live_bytes <= MAX_BYTES, "{} bytes", after.live_bytes - before.live_bytes);
    let mut states = [0; 3];
    for (number, (cells, side_px)) in (0..).zip(&frames) {
        let frame = Frame { number, width_px: *side_px, height_px: *side_px };
        // The stage stands still for one frame, and then moves.
        for dx in [0.0, 0.0, 40.0] {
            let moved = cells.iter().map(|cell| Cell { x_px: cell.x_px - dx, ..*cell });
            let inside = moved.filter(|cell| cell.x_px > 0.0);
            let sight = fields.see(&frame, inside).unwrap();
            states[match sight.state {
                State::New | State::TooFew => 0,
                State::Same { .. } => 1,
                State::Overlaps { .. } => 2,
            }] += 1;
        }
    }
    let end = heap().unwrap();
    assert_eq!((end.allocations, end.live_bytes), (after.allocations, after.live_bytes));
    assert!(states.iter().all(|&count| count > 40) && fields.len() == MAX_FIELDS, "{states:?}");
}
