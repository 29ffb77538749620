//! The model in libtorch, in float or with simulated quantization.

use tch::{Kind, Tensor};

use super::{
    Net, Op, Sign,
    grids::{Grid, Grids},
    params::Params,
};

/// Space to depth in ONNX's order: `[N, C, H, W]` to `[N, n * n * C, H / n, W / n]`. Channels are innermost in memory, as
/// libtorch's CPU convolutions prefer.
pub fn space_to_depth(x: &Tensor, n: i64) -> Tensor {
    let (b, c, h, w) = shape4(x);
    let rows = x.permute([0, 2, 3, 1]).reshape([b, h / n, n, w / n, n, c]);
    let packed = rows.permute([0, 1, 3, 2, 4, 5]).reshape([b, h / n, w / n, n * n * c]);
    packed.permute([0, 3, 1, 2])
}

/// Depth to space in ONNX's DCR order, the inverse of [`space_to_depth`].
pub fn depth_to_space(x: &Tensor, n: i64) -> Tensor {
    let (b, c, h, w) = shape4(x);
    let c = c / (n * n);
    let rows = x.permute([0, 2, 3, 1]).reshape([b, h, w, n, n, c]);
    let spread = rows.permute([0, 1, 3, 2, 4, 5]).reshape([b, h * n, w * n, c]);
    spread.permute([0, 3, 1, 2])
}

fn shape4(x: &Tensor) -> (i64, i64, i64, i64) {
    let size = x.size();
    (size[0], size[1], size[2], size[3])
}

/// Rounds to a grid in the forward pass, and passes the gradient where nothing saturates.
///
/// Whole-tensor operations, because libtorch's own fake quantization is not vectorised on CPUs. The last sum is exact:
/// its terms differ by less than a step.
fn snap(x: &Tensor, grid: Grid) -> Tensor {
    let (scale, zero) = (grid.scale(), f64::from(grid.zero_point));
    let inside = x.clamp(-zero * scale, (255.0 - zero) * scale);
    let rest = tch::no_grad(|| (&inside / scale).round() * scale - &inside);
    inside + rest
}

/// Rounds weights `[out, in, k, k]` to -127..=127 steps of their channel.
fn snap_weight(weight: &Tensor, exponents: &[i32]) -> Tensor {
    let scales: Vec<f32> = exponents.iter().map(|e| 2f32.powi(*e)).collect();
    let scale = Tensor::from_slice(&scales).to_device(weight.device());
    let zero = Tensor::zeros([exponents.len() as i64], (Kind::Int, weight.device()));
    weight.fake_quantize_per_channel_affine(&scale, &zero, 0, -127, 127)
}

/// Rounds a bias to the steps of the accumulator, straight through.
fn snap_bias(bias: &Tensor, exponents: &[i32], input: Grid) -> Tensor {
    let steps: Vec<f32> = exponents.iter().map(|e| 2f32.powi(e + input.exponent)).collect();
    let step = Tensor::from_slice(&steps).to_device(bias.device());
    let rounded = (bias / &step).round() * &step;
    bias + (rounded - bias).detach()
}

/// Runs the model on real values `[N, C, H, W]` and returns the real values of every value, the input first.
///
/// With `grids`, every convolution and sum is rounded to its grid, which is exactly what the exported model computes; the
/// input must already be on its grid.
///
/// Convolutions are computed in the type of `input`. `f32` is exact. `BFloat16` is only for training: 8-bit levels and
/// weights are exact in it, but each sum is rounded to 8 bits; the last layer and sums of values are always `f32`.
pub fn values(net: &Net, params: &Params, grids: Option<&Grids>, input: &Tensor) -> Vec<Tensor> {
    let mut values = vec![input.shallow_clone()];
    let computed = input.kind();
    for (index, layer) in net.layers.iter().enumerate() {
        let x = &values[layer.input];
        let grid = grids.map(|g| g.values[index + 1]);
        let y = match layer.op {
            Op::Conv { kernel, stride, sign, .. } => {
                let weight = &params[&format!("{}.weight", layer.name)];
                let bias = &params[&format!("{}.bias", layer.name)];
                let pad = [kernel / 2, kernel / 2];
                let sum = |weight: &Tensor, bias: &Tensor| {
                    let (weight, bias) = (weight.to_kind(computed), bias.to_kind(computed));
                    x.to_kind(computed).conv2d(&weight, Some(&bias), [stride, stride], pad, [1, 1], 1)
                };
                match grids {
                    Some(g) => {
                        let exponents = &g.weights[layer.name];
                        let weight = snap_weight(weight, exponents);
                        let bias = snap_bias(bias, exponents, g.values[layer.input]);
                        let snapped = snap(&sum(&weight, &bias), g.values[index + 1]);
                        if sign == Sign::Positive { snapped.to_kind(computed) } else { snapped }
                    }
                    None if sign == Sign::Positive => sum(weight, bias).relu(),
                    None => sum(weight, bias).to_kind(Kind::Float),
                }
            }
            Op::SpaceToDepth(n) => space_to_depth(x, n),
            Op::DepthToSpace(n) => depth_to_space(x, n),
            Op::Concat(other) => Tensor::cat(&[x, &values[other]], 1),
            Op::Repeat(n) => x.repeat([1, n, 1, 1]),
            Op::AddOnGridOf(other) => {
                let sum = x.to_kind(Kind::Float) + values[other].to_kind(Kind::Float);
                match grid {
                    Some(grid) => snap(&sum, grid),
                    None => sum,
                }
            }
        };
        values.push(y);
    }
    values
}

/// Only the output; see [`values`].
pub fn forward(net: &Net, params: &Params, grids: Option<&Grids>, input: &Tensor) -> Tensor {
    match values(net, params, grids, input).pop() {
        Some(output) => output,
        None => input.shallow_clone(),
    }
}

/// Levels `u8` to real values on a grid, `f32`.
pub fn to_real(levels: &Tensor, grid: Grid) -> Tensor {
    (levels.to_kind(Kind::Float) - f64::from(grid.zero_point)) * grid.scale()
}

/// Real values to levels `u8`, rounded half to even and saturated.
pub fn to_levels(real: &Tensor, grid: Grid) -> Tensor {
    (real / grid.scale() + f64::from(grid.zero_point)).round().clamp(0.0, 255.0).to_kind(Kind::Uint8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        net::{grids::Grid, ssr, unet},
        quant::calibrate::calibrate,
    };
    use tch::Device;

    #[test]
    fn shuffles_follow_onnx_definition() {
        // ONNX's own DepthToSpace example, DCR: 8 channels of 2x3 in blocks of 2.
        let x = Tensor::arange(48, (Kind::Float, Device::Cpu)).view([1, 8, 2, 3]);
        let y = depth_to_space(&x, 2);
        let first_row = Vec::<f32>::try_from(y.get(0).get(0).get(0)).unwrap_or_default();
        assert_eq!(first_row, [0.0, 12.0, 1.0, 13.0, 2.0, 14.0]);
        assert_eq!(space_to_depth(&y, 2), x);
    }

    #[test]
    fn quantized_values_lie_on_their_grids() {
        let _turn = crate::generator();
        tch::manual_seed(3);
        for (net, output) in [(ssr::net(), Grid::PICTURE), (unet::net(), Grid::MAP)] {
            let params = crate::net::params::init(&net, Device::Cpu);
            let levels = Tensor::randint(256, [2, 3, 32, 32], (Kind::Uint8, Device::Cpu));
            let input = to_real(&levels, Grid::PICTURE);
            let grids = calibrate(&net, &params, Grid::PICTURE, output, std::slice::from_ref(&input));
            assert_eq!(grids.values[net.output()], output);
            for (value, x) in values(&net, &params, Some(&grids), &input).iter().enumerate() {
                let again = to_real(&to_levels(x, grids.values[value]), grids.values[value]);
                assert_eq!(&again, x, "{} value {value}", net.name);
            }
        }
    }

    #[test]
    fn gradients_pass_through_quantization() {
        let _turn = crate::generator();
        tch::manual_seed(4);
        let net = unet::net();
        let params: Params = crate::net::params::init(&net, Device::Cpu)
            .into_iter()
            .map(|(name, p)| (name, p.set_requires_grad(true)))
            .collect();
        let input = to_real(&Tensor::randint(256, [1, 3, 32, 32], (Kind::Uint8, Device::Cpu)), Grid::PICTURE);
        let grids = calibrate(&net, &params, Grid::PICTURE, Grid::MAP, std::slice::from_ref(&input));
        forward(&net, &params, Some(&grids), &input).square().mean(Kind::Float).backward();
        for (name, p) in &params {
            assert!(p.grad().abs().sum(Kind::Float).double_value(&[]) > 0.0, "{name} learns nothing");
        }
    }

    #[test]
    fn quantization_error_is_small() {
        let _turn = crate::generator();
        tch::manual_seed(5);
        let net = ssr::net();
        let params = crate::net::params::init(&net, Device::Cpu);
        let input = to_real(&Tensor::randint(256, [2, 3, 64, 64], (Kind::Uint8, Device::Cpu)), Grid::PICTURE);
        let grids = calibrate(&net, &params, Grid::PICTURE, Grid::PICTURE, std::slice::from_ref(&input));
        let difference = forward(&net, &params, Some(&grids), &input)
            - forward(&net, &params, None, &input).clamp(-1.0, 127.0 / 128.0);
        let levels = (difference.square().mean(Kind::Float).sqrt() * 128.0).double_value(&[]);
        assert!(levels < 2.0, "{levels} levels");
    }
}
