//! An analysis allocates nothing after the first frames of its size.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bloodseg::memory::counting::{Counting, heap};
use bloodseg_vision::{
    engine::Setup,
    frame::{quality::Verdict, reference},
    model::{golden, store::Models},
    pipeline::Pipeline,
};
use image::{Rgb, RgbImage, imageops};

#[global_allocator]
static HEAP: Counting = Counting;

/// Allocations of the engine per run: none, because each of the two nets is one program.
const ENGINE_A_RUN: u64 = 0;

/// Frames until all persistent memory is allocated.
const WARM_UP: usize = 2;

/// Number of measured rounds over all frames.
const ROUNDS: usize = 2;

/// Cells on glass, few in some frames and many in others, and frames of poor quality.
fn frames(width: u32, height: u32) -> Vec<(RgbImage, bool)> {
    let field = |index| {
        let field = bloodseg_smear::set::field(index, 1, 512).picture;
        let across = imageops::crop_imm(&field, 0, 0, 512, 512).to_image();
        let lr = reference::prepare(&across).unwrap().lr;
        RgbImage::from_fn(width, height, |x, y| *lr.get_pixel(x % 64, y % 64))
    };
    let noise = RgbImage::from_raw(width, height, golden::input(5, 3 * (width * height) as usize)).unwrap();
    let few = {
        let mut few = field(0);
        few.enumerate_pixels_mut().filter(|(x, _, _)| *x > 20).for_each(|(_, _, pixel)| *pixel = Rgb([240; 3]));
        few
    };
    vec![
        (few, false),
        (field(0), false),
        (imageops::blur(&field(1), 3.0), false),
        (RgbImage::from_pixel(width, height, Rgb([235; 3])), false),
        (RgbImage::new(width, height), false),
        (noise.clone(), false),
        // More cells than any smear has, for the first time.
        (noise, true),
        (field(1), false),
        (imageops::blur(&field(1), 3.0), true),
    ]
}

fn counts() -> (u64, usize) {
    let heap = heap().unwrap();
    (heap.allocations, heap.live_bytes)
}

// Without the test harness, whose thread allocates at any time and would be counted too.
fn frames_allocate_nothing_after_warm_up() {
    let models = Models::embedded().unwrap();
    for ((width, height), threads) in [((64, 64), 1), ((64, 64), 2), ((61, 40), 1), ((100, 66), 1), ((100, 66), 2)] {
        let mut pipeline = Pipeline::load_with(&models, &Setup::default(), threads).unwrap();
        let frames = frames(width, height);
        // The warm-up uses the frame with the fewest cells: memory is allocated for the most anyway.
        for _ in 0..WARM_UP {
            pipeline.analyse_any(&frames[0].0).unwrap();
        }
        let mut most_cells = 0;
        let mut verdicts = Vec::with_capacity(ROUNDS * frames.len());
        let (_, live_before) = counts();
        for _ in 0..ROUNDS {
            for (frame, any) in &frames {
                let before = counts();
                let analysis = if *any { pipeline.analyse_any(frame) } else { pipeline.analyse(frame) }.unwrap();
                most_cells = most_cells.max(analysis.cells.len());
                let tiles = u64::from(analysis.tiles);
                let verdict = analysis.quality.verdict;
                let after = counts();
                assert!(after.0 - before.0 <= 2 * tiles * ENGINE_A_RUN, "{width}x{height}, {threads} threads");
                verdicts.push(verdict);
            }
        }
        let (_, live_after) = counts();
        assert_eq!(live_after, live_before, "{width}x{height}, {threads} threads");
        // Frames of every kind occurred, with few and with many cells.
        assert!(verdicts.contains(&Verdict::Good) && verdicts.contains(&Verdict::OutOfFocus), "{verdicts:?}");
        assert!(verdicts.contains(&Verdict::Empty) && verdicts.contains(&Verdict::UnderExposed), "{verdicts:?}");
        let fewest = pipeline.analyse_any(&frames[0].0).unwrap().cells.len();
        assert!(most_cells > 2 * fewest, "{most_cells} and {fewest} cells");
    }
}

/// The same with a segmenter that outputs maps of kinds.
fn frames_with_kinds_allocate_nothing_after_warm_up() {
    for ((width, height), threads) in [((64, 64), 1), ((100, 66), 2)] {
        let models = bloodseg_tiny_models::models_with_kinds();
        let mut pipeline = Pipeline::load_with(&models, &Setup::default(), threads).unwrap();
        let frames = frames(width, height);
        for _ in 0..WARM_UP {
            pipeline.analyse_any(&frames[0].0).unwrap();
        }
        let (_, live_before) = counts();
        for (frame, any) in frames.iter().cycle().take(ROUNDS * frames.len()) {
            let before = counts();
            let analysis = if *any { pipeline.analyse_any(frame) } else { pipeline.analyse(frame) }.unwrap();
            assert!(analysis.counts().has_kinds());
            let most = 2 * u64::from(analysis.tiles) * ENGINE_A_RUN;
            assert!(counts().0 - before.0 <= most, "{width}x{height}, {threads} threads");
        }
        assert_eq!(counts().1, live_before, "{width}x{height}, {threads} threads");
    }
}

fn main() {
    frames_with_kinds_allocate_nothing_after_warm_up();
    frames_allocate_nothing_after_warm_up();
}
