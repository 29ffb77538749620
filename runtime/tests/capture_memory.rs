//! Frames of a camera take no memory but what was there from the start.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::time::Instant;

use bloodseg::{
    camera::{
        device::{
            Format, RawFrame,
            layout::{Layout, Range},
        },
        intake::{Intake, Scale},
    },
    memory::counting::{Counting, heap},
};

#[global_allocator]
static HEAP: Counting = Counting;

const FRAMES: u32 = 4;

// Without the test harness, whose own thread allocates when it likes and would be counted too.
fn a_frame_allocates_nothing() {
    for layout in [Layout::Yuyv, Layout::Grey, Layout::Nv12] {
        for scale in [Scale::WholeField, Scale::Factor(1.7), Scale::AsIs] {
            let stride = layout.row_bytes(640).unwrap();
            let bytes = vec![120; layout.frame_bytes(480, stride).unwrap()];
            let format = Format {
                layout,
                width_px: 640,
                height_px: 480,
                stride_bytes: stride as u32,
                most_bytes: bytes.len() as u32,
                range: Range::Limited,
            };
            let mut intake = Intake::new(format, None, None, scale, 2).unwrap();
            let (before, start) = (heap().unwrap(), Instant::now());
            for _ in 0..FRAMES {
                intake.take(RawFrame { bytes: &bytes, damaged: false }).unwrap();
            }
            let after = heap().unwrap();
            let frame_ms = start.elapsed().as_secs_f64() * 1e3 / f64::from(FRAMES);
            assert_eq!(after.allocations, before.allocations, "{layout}, {scale:?}");
            eprintln!("640x480 {layout}, {scale:?}: {frame_ms:.2} ms a frame");
        }
    }
}

fn main() {
    a_frame_allocates_nothing();
}
