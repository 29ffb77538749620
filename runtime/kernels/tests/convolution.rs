//! Every kernel of this processor against a convolution written by definition, bit for bit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bloodseg_kernels::{
    arena::Arena,
    conv::{Conv, MAX_KERNEL},
    kernel::{self, Kernel},
    map::Shape,
};
use proptest::prelude::*;

/// By the definition: sums over taps and channels, padding is real zero, one rounding, half to even.
fn defined(conv: &Conv, input: &[u8]) -> Vec<u8> {
    let output = conv.output();
    let [kh, kw] = conv.kernel;
    let level = |y: isize, x: isize, channel: usize| {
        let inside = (0..conv.input.height as isize).contains(&y) && (0..conv.input.width as isize).contains(&x);
        let at = (y * conv.input.width as isize + x) * conv.input.channels as isize + channel as isize;
        if inside { i64::from(input[at as usize]) - i64::from(conv.input_zero) } else { 0 }
    };
    let mut levels = Vec::with_capacity(output.bytes());
    for y in 0..output.height {
        for x in 0..output.width {
            for out in 0..conv.out_channels {
                let mut sum = i64::from(conv.bias[out]);
                for channel in 0..conv.input.channels {
                    for row in 0..kh {
                        for column in 0..kw {
                            let weight = conv.weights[((out * conv.input.channels + channel) * kh + row) * kw + column];
                            let from_y = (y * conv.stride[0] + row) as isize - conv.pads[0] as isize;
                            let from_x = (x * conv.stride[1] + column) as isize - conv.pads[1] as isize;
                            sum += level(from_y, from_x, channel) * i64::from(weight);
                        }
                    }
                }
                let steps = (sum as f32 * conv.scale[out]).round_ties_even() as i64 + i64::from(conv.output_zero);
                levels.push(steps.clamp(i64::from(conv.range[0]), i64::from(conv.range[1])) as u8);
            }
        }
    }
    levels
}

fn run(kernel: &dyn Kernel, conv: &Conv, input: &[u8]) -> Vec<u8> {
    let prepared = kernel.prepare(conv).unwrap();
    // The initial contents of scratch and output must not matter.
    let mut scratch = Arena::new(prepared.scratch_bytes());
    scratch.bytes_mut().fill(0xa5);
    let mut output = vec![0x5a; conv.output().bytes()];
    prepared.run(input, &mut output, scratch.bytes_mut());
    output
}

fn check(conv: &Conv, input: &[u8]) {
    let wanted = defined(conv, input);
    for kernel in kernel::available() {
        let found = run(kernel, conv, input);
        let off = found.iter().zip(&wanted).position(|(a, b)| a != b);
        assert!(
            off.is_none(),
            "{}: level {off:?} of {} differs for {:?} to {:?}",
            kernel.name(),
            found.len(),
            (conv.input, conv.kernel, conv.stride, conv.pads),
            conv.output()
        );
    }
}

/// Reproducible bytes.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}

fn conv(
    input: Shape,
    out_channels: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    pads: [usize; 4],
    seed: u64,
) -> Conv {
    let taps = input.channels * kernel[0] * kernel[1];
    let drawn = noise(seed, out_channels * 3 + 4);
    // Sums of random weights spread like the square root of their number: most levels are in range, some saturate.
    let scale = 90.0 / (160.0 * 73.0 * (taps as f32).sqrt());
    Conv {
        input,
        out_channels,
        kernel,
        stride,
        pads,
        weights: noise(seed + 1, taps * out_channels).into_iter().map(u8::cast_signed).collect(),
        bias: drawn[4..].chunks(3).map(|c| (i32::from(c[0]) - 128) * 300).collect(),
        scale: drawn[4..].chunks(3).map(|c| scale * (0.5 + f32::from(c[1]) / 255.0)).collect(),
        input_zero: drawn[0],
        output_zero: if drawn[1] & 1 == 0 { 0 } else { drawn[2] },
        range: if drawn[1] & 2 == 0 { [0, 255] } else { [drawn[2] / 2, 255 - drawn[3] / 4] },
    }
}

#[test]
fn kernels_are_exact_on_layers_of_both_models() {
    let layers = [
        (64, 64, 3, 32, 5, 1),
        (64, 64, 32, 32, 3, 1),
        (64, 64, 32, 48, 3, 1),
        (64, 64, 32, 48, 3, 2),
        (32, 32, 48, 64, 3, 2),
        (16, 16, 64, 64, 3, 1),
        (16, 16, 64, 96, 1, 1),
        (32, 32, 72, 48, 3, 1),
        (64, 64, 32, 32, 1, 1),
    ];
    for (seed, (height, width, channels, out, kernel, stride)) in (1..).zip(layers) {
        let pad = kernel / 2;
        let input = Shape::new(height, width, channels);
        let conv = conv(input, out, [kernel; 2], [stride; 2], [pad; 4], seed);
        check(&conv, &noise(seed + 100, input.bytes()));
    }
}

#[test]
fn extreme_sums_do_not_overflow() {
    for (level, zero) in [(255, 0), (0, 255), (255, 255)] {
        for weight in [127, -128] {
            let input = Shape::new(6, 6, 64);
            let mut conv = conv(input, 16, [3; 2], [1; 2], [1; 4], 3);
            conv.weights.fill(weight);
            conv.input_zero = zero;
            conv.scale.fill(1e-4);
            check(&conv, &vec![level; input.bytes()]);
            // Alternating signs are the worst case for Winograd's patches.
            let alternating: Vec<u8> = (0..input.bytes()).map(|at| if at / 64 % 2 == 0 { 255 } else { 0 }).collect();
            check(&conv, &alternating);
        }
    }
}

#[test]
fn unsuitable_convolutions_are_rejected() {
    let good = conv(Shape::new(4, 4, 4), 4, [3; 2], [1; 2], [1; 4], 1);
    let refused = |spoil: fn(&mut Conv)| {
        let mut conv = good.clone();
        spoil(&mut conv);
        kernel::available().iter().all(|kernel| kernel.prepare(&conv).is_err())
    };
    assert!(!refused(|_| {}));
    assert!(refused(|conv| conv.kernel = [MAX_KERNEL + 1, 3]));
    assert!(refused(|conv| conv.stride = [0, 1]));
    assert!(refused(|conv| conv.pads = [3, 1, 1, 1]));
    assert!(refused(|conv| conv.weights.truncate(5)));
    assert!(refused(|conv| conv.scale[1] = f32::NAN));
    assert!(refused(|conv| conv.scale[1] = 0.0));
    assert!(refused(|conv| conv.bias[2] = i32::MIN));
    assert!(refused(|conv| conv.scale[0] = 1e9));
    assert!(refused(|conv| conv.range = [9, 8]));
    assert!(refused(|conv| conv.input = Shape::new(0, 4, 4)));
}

#[test]
fn kernels_are_found_by_unique_names() {
    let names: Vec<&str> = kernel::available().iter().map(|kernel| kernel.name()).collect();
    assert_eq!(names.last(), Some(&"portable"));
    for name in &names {
        assert_eq!(kernel::by_name(name).unwrap().name(), *name);
        assert_eq!(names.iter().filter(|other| *other == name).count(), 1);
    }
    assert!(kernel::by_name("none").is_none());
    assert_eq!(kernel::fastest().name(), names[0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]
    #[test]
    fn kernels_are_exact_on_any_shape(
        (height, width) in (1usize..20, 1usize..40),
        (channels, out) in (1usize..40, 1usize..36),
        kernel in (1usize..6, 1usize..6),
        stride in (1usize..4, 1usize..4),
        pads in (0usize..5, 0usize..5, 0usize..5, 0usize..5),
        seed in 1u64..1_000_000,
    ) {
        let (kh, kw) = kernel;
        let pads = [pads.0.min(kh - 1), pads.1.min(kw - 1), pads.2.min(kh - 1), pads.3.min(kw - 1)];
        prop_assume!(height + pads[0] + pads[2] >= kh && width + pads[1] + pads[3] >= kw);
        let input = Shape::new(height, width, channels);
        check(&conv(input, out, [kh, kw], [stride.0, stride.1], pads, seed), &noise(seed + 7, input.bytes()));
    }

    #[test]
    fn kernels_are_exact_on_any_3x3_shape(
        (height, width) in (1usize..14, 1usize..50),
        (channels, out) in (14usize..70, 1usize..36),
        pads in (0usize..3, 0usize..3, 0usize..3, 0usize..3),
        seed in 1u64..1_000_000,
    ) {
        let pads = [pads.0, pads.1, pads.2, pads.3];
        prop_assume!(height + pads[0] + pads[2] >= 3 && width + pads[1] + pads[3] >= 3);
        let input = Shape::new(height, width, channels);
        check(&conv(input, out, [3; 2], [1; 2], pads, seed), &noise(seed + 7, input.bytes()));
    }
}
