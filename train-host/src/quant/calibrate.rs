//! Chooses the grid of every value and the exponents of all weights.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use crate::net::{
    INPUT, Net, Op, Value,
    forward::values,
    grids::{Grid, Grids, sources, tied, zero_point},
    params::Params,
};

/// Exponents tried for values: steps of 2^-12 to 2^2.
const VALUE_EXPONENTS: std::ops::RangeInclusive<i32> = -12..=2;

/// Exponents tried for weights.
const WEIGHT_EXPONENTS: std::ops::RangeInclusive<i32> = -16..=0;

/// Grids of `net` for inputs on grid `input`, calibrated on batches of real inputs.
///
/// `output` fixes the grid of the last convolution (the meaning of the output levels).
pub fn calibrate(net: &Net, params: &Params, input: Grid, output: Grid, batches: &[Tensor]) -> Grids {
    let _no_grad = tch::no_grad_guard();
    let mut errors: BTreeMap<Value, Vec<f64>> = BTreeMap::new();
    for batch in batches {
        let all = values(net, params, None, batch);
        for (value, layer, _) in net.convs() {
            let Op::Conv { sign, .. } = layer.op else { continue };
            let x = &all[value];
            let tried = errors.entry(value).or_insert_with(|| vec![0.0; VALUE_EXPONENTS.count()]);
            for (sum, exponent) in tried.iter_mut().zip(VALUE_EXPONENTS) {
                let grid = Grid { exponent, zero_point: zero_point(sign) };
                let snapped = x.fake_quantize_per_tensor_affine(grid.scale(), i64::from(grid.zero_point), 0, 255);
                *sum += (snapped - x).square().mean(Kind::Double).double_value(&[]);
            }
        }
    }
    // Concatenated values must share a grid, so their errors are summed.
    for group in tied(net) {
        let mut sum = vec![0.0; VALUE_EXPONENTS.count()];
        for value in &group {
            for (total, error) in sum.iter_mut().zip(&errors[value]) {
                *total += error;
            }
        }
        for value in &group {
            errors.insert(*value, sum.clone());
        }
    }
    let mut grids = vec![input];
    for value in 1..=net.output() {
        let layer = &net.layers[value - 1];
        let grid = match layer.op {
            Op::Conv { sign, .. } => {
                Grid { exponent: best(&errors[&value], VALUE_EXPONENTS), zero_point: zero_point(sign) }
            }
            Op::AddOnGridOf(other) => grids[other],
            _ => grids[layer.input],
        };
        grids.push(grid);
    }
    fix_output(net, output, &mut grids);
    Grids { values: grids, weights: weight_exponents(net, params) }
}

/// Assigns the output's grid to its source and everything that only moves it.
fn fix_output(net: &Net, output: Grid, grids: &mut [Grid]) {
    let origin = sources(net, net.output());
    for value in (1..=net.output()).filter(|value| sources(net, *value) == origin) {
        grids[value] = output;
    }
    debug_assert_ne!(origin, vec![INPUT]);
}

/// Exponent of each output channel of each convolution, by least squared error.
fn weight_exponents(net: &Net, params: &Params) -> BTreeMap<String, Vec<i32>> {
    net.convs()
        .map(|(_, layer, _)| {
            let weight = &params[&format!("{}.weight", layer.name)];
            let errors: Vec<Tensor> = WEIGHT_EXPONENTS
                .map(|exponent| {
                    let scale = 2f64.powi(exponent);
                    let snapped = (weight / scale).round().clamp(-127.0, 127.0) * scale;
                    (snapped - weight).square().to_kind(Kind::Double).sum_dim_intlist(
                        [1i64, 2, 3].as_slice(),
                        false,
                        None,
                    )
                })
                .collect();
            let chosen = Tensor::stack(&errors, 0).argmin(0, false);
            let exponents = (0..layer.channels)
                .map(|channel| *WEIGHT_EXPONENTS.start() + chosen.int64_value(&[channel]) as i32)
                .collect();
            (layer.name.to_owned(), exponents)
        })
        .collect()
}

fn best(errors: &[f64], exponents: impl Iterator<Item = i32>) -> i32 {
    errors
        .iter()
        .zip(exponents)
        .min_by(|a, b| a.0.total_cmp(b.0))
        .map_or(*VALUE_EXPONENTS.start(), |(_, exponent)| exponent)
}
