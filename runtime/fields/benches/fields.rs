//! A frame against a full memory of unrelated fields, and against fields around it. `cargo bench -p bloodseg-fields`

#![allow(clippy::unwrap_used)]

use bloodseg_fields::{Cell, Fields, Frame, limits::MAX_FIELDS};
use divan::{Bencher, black_box};
use rand::RngExt;
use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng};

fn main() {
    divan::main();
}

fn frame(number: u64, side_px: f64) -> Frame {
    Frame { number, width_px: side_px, height_px: side_px }
}

/// Scattered cells 22 pixels in diameter, 0.0015 per square pixel.
fn field(cells: usize, seed: u64) -> (f64, Vec<Cell>) {
    let side_px = (cells as f64 / 0.0015).sqrt();
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let cell = || Cell {
        x_px: rng.random::<f64>() * side_px,
        y_px: rng.random::<f64>() * side_px,
        area_px: 380.0 * (0.9 * (rng.random::<f64>() + rng.random::<f64>() - 1.0)).exp(),
        touches_border: false,
    };
    (side_px, std::iter::repeat_with(cell).take(cells).collect())
}

#[divan::bench(args = [10, 50, 100, 250, 1000])]
fn new_field_and_a_full_memory(bencher: Bencher<'_, '_>, cells: usize) {
    let mut fields = Fields::new();
    for number in 0..MAX_FIELDS as u64 {
        let (side_px, cells) = field(cells, number);
        fields.see(&frame(number, side_px), cells.iter().copied()).unwrap();
    }
    let mut number = 1000;
    bencher
        .with_inputs(|| {
            number += 1;
            (number, field(cells, number))
        })
        .bench_local_refs(|(number, (side_px, cells))| {
            black_box(fields.see(&frame(*number, *side_px), cells.iter().copied()).unwrap())
        });
}
