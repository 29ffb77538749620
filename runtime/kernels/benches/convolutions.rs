//! The 3x3 layers of both models by kernel, in multiply-accumulates per second, beside the peak of a loop of pure
//! multiplications. `cargo bench -p bloodseg-kernels`

#![allow(clippy::unwrap_used)]

use bloodseg_kernels::{arena::Arena, conv::Conv, kernel, map::Shape};
use divan::{Bencher, counter::ItemsCount};

fn main() {
    divan::main();
}

/// Edge of the map, input channels, output channels, kernel, stride.
const LAYERS: [[usize; 5]; 8] = [
    [64, 3, 32, 5, 1],
    [64, 32, 32, 3, 1],
    [64, 48, 32, 3, 1],
    [64, 32, 48, 3, 2],
    [32, 48, 48, 3, 1],
    [32, 72, 48, 3, 1],
    [16, 64, 64, 3, 1],
    [64, 32, 32, 1, 1],
];

/// Kernels with a measurable peak.
fn names() -> Vec<&'static str> {
    kernel::available().iter().filter(|kernel| kernel.saturate(1).is_some()).map(|kernel| kernel.name()).collect()
}

#[divan::bench(args = names(), sample_count = 30)]
fn peak(bencher: Bencher<'_, '_>, name: &str) {
    let kernel = kernel::by_name(name).unwrap();
    let macs = kernel.saturate(1).unwrap_or(0);
    const ROUNDS: u32 = 200_000;
    bencher.counter(ItemsCount::new(macs * u64::from(ROUNDS))).bench_local(|| kernel.saturate(ROUNDS));
}

#[divan::bench(args = LAYERS, sample_count = 30)]
fn fastest_kernel(bencher: Bencher<'_, '_>, [edge, from, to, kernel, stride]: [usize; 5]) {
    let input = Shape::new(edge, edge, from);
    let taps = from * kernel * kernel;
    let conv = Conv {
        input,
        out_channels: to,
        kernel: [kernel; 2],
        stride: [stride; 2],
        pads: [kernel / 2; 4],
        weights: (0..taps * to).map(|at| (at * 37 % 251) as u8 as i8).collect(),
        bias: vec![100; to],
        scale: vec![1e-4; to],
        input_zero: 128,
        output_zero: 0,
        range: [0, 255],
    };
    let prepared = kernel::fastest().prepare(&conv).unwrap();
    let mut scratch = Arena::new(prepared.scratch_bytes());
    let levels: Vec<u8> = (0..input.bytes()).map(|at| (at * 73 % 256) as u8).collect();
    let mut output = vec![0; conv.output().bytes()];
    bencher
        .counter(ItemsCount::new(conv.macs()))
        .bench_local(|| prepared.run(&levels, &mut output, scratch.bytes_mut()));
}
