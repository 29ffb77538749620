//! A loaded engine allocates nothing if a net is one integer program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bloodseg::memory::counting::{Counting, heap};
use bloodseg_kernels::{arena::Arena, conv::Conv, kernel, map::Shape, program::Draft, step::Step};
use bloodseg_vision::{
    engine::{Engine, Setup},
    model::{golden, store::Models},
    pipeline::Pipeline,
};

#[global_allocator]
static HEAP: Counting = Counting;

fn allocations(work: impl FnOnce()) -> (u64, isize) {
    let before = heap().unwrap();
    work();
    let after = heap().unwrap();
    (after.allocations - before.allocations, after.live_bytes as isize - before.live_bytes as isize)
}

// Without the test harness, whose thread allocates at any time and would be counted too.
fn runs_allocate_nothing_once_arena_exists() {
    for kernel in kernel::available() {
        let shape = Shape::new(16, 16, 32);
        let conv = Conv {
            input: shape,
            out_channels: 32,
            kernel: [3; 2],
            stride: [1; 2],
            pads: [1; 4],
            weights: golden::input(3, 32 * 32 * 9).into_iter().map(u8::cast_signed).collect(),
            bias: vec![5; 32],
            scale: vec![1e-4; 32],
            input_zero: 128,
            output_zero: 0,
            range: [0, 255],
        };
        let mut draft = Draft::default();
        let input = draft.input(shape);
        let first = draft.push(Step::Conv(kernel.prepare(&conv).unwrap()), &[input], shape);
        let second = draft.push(Step::Conv(kernel.prepare(&conv).unwrap()), &[first], shape);
        let joined = draft.push(Step::Concat, &[first, second], Shape::new(16, 16, 64));
        let program = draft.finish(&[joined]);
        let mut arena = Arena::new(program.arena_bytes());
        let (levels, mut output) = (golden::input(1, shape.bytes()), vec![0; 2 * shape.bytes()]);
        let counted = allocations(|| program.run(&mut arena, &[&levels], &mut [&mut output]).unwrap());
        assert_eq!(counted, (0, 0), "{}", kernel.name());
    }

    let models = Models::embedded().unwrap();
    for (model, edge) in [(&models.ssr, 64), (&models.unet, 256)] {
        let mut engine = Engine::load(model, edge, edge, &Setup::default()).unwrap();
        let input = golden::input(2, engine.input_shape().iter().product());
        let mut output = vec![0; engine.output_shape().iter().product()];
        // The first run allocates the arena.
        engine.run(&input, &mut output).unwrap();
        let runs: Vec<_> = (0..20).map(|_| allocations(|| engine.run(&input, &mut output).unwrap())).collect();
        assert!(runs.iter().all(|run| *run == (0, 0)), "{}: {runs:?}", model.manifest.name);
    }

    // Memory does not grow with the number of tiles that were run.
    let mut pipeline = Pipeline::load_with(&models, &Setup::default(), 2).unwrap();
    let picture = bloodseg_smear::set::field(1, 1, 512).picture;
    let picture = image::imageops::thumbnail(&picture, 110, 64);
    pipeline.analyse_any(&picture).unwrap();
    let (_, growth) = allocations(|| {
        for _ in 0..10 {
            pipeline.analyse_any(&picture).unwrap();
        }
    });
    assert_eq!(growth, 0, "live heap grew");
}

fn main() {
    runs_allocate_nothing_once_arena_exists();
}
