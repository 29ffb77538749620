//! The integers of a quantized model, and the check that float engines compute them exactly.

use anyhow::{Result, bail};
use tch::{Kind, Tensor};

use crate::net::{Layer, Net, grids::Grids, params::Params};

/// Above this magnitude, sums are not always exact in a 32-bit float.
const EXACT_LIMIT: i64 = 1 << 24;

/// One convolution in integers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvIntegers {
    /// Levels -127 to 127, `[out, in, k, k]` flattened.
    pub weight: Vec<i8>,
    /// Shape of `weight`.
    pub shape: [i64; 4],
    /// In steps of the accumulator, one per output channel.
    pub bias: Vec<i32>,
    /// Exponent of the weights' step, one per output channel.
    pub exponents: Vec<i32>,
}

/// The integers of a layer.
///
/// # Errors
/// A channel whose sums could exceed the range in which 32-bit floats are exact, so that engines could differ.
pub fn integers(net: &Net, layer: &Layer, params: &Params, grids: &Grids) -> Result<ConvIntegers> {
    let exponents = grids.weights[layer.name].clone();
    let input = grids.values[layer.input];
    let steps = |shift: i32| -> Tensor {
        Tensor::from_slice(&exponents.iter().map(|e| 2f64.powi(e + shift)).collect::<Vec<_>>())
    };
    let double = |name: &str| {
        params[&format!("{}.{name}", layer.name)].detach().to_device(tch::Device::Cpu).to_kind(Kind::Double)
    };
    let weight = double("weight");
    let size = weight.size();
    let levels = (weight / steps(0).view([-1, 1, 1, 1])).round().clamp(-127.0, 127.0);
    let bias = (double("bias") / steps(input.exponent)).round();

    let furthest = i64::from(input.zero_point.max(255 - input.zero_point));
    let reach =
        levels.abs().sum_dim_intlist([1i64, 2, 3].as_slice(), false, Kind::Double) * furthest as f64 + bias.abs();
    let greatest = reach.max().double_value(&[]) as i64;
    if greatest >= EXACT_LIMIT {
        bail!(
            "{} {}: sums may reach {greatest}; expected less than {EXACT_LIMIT} so that every engine is exact",
            net.name,
            layer.name
        );
    }
    Ok(ConvIntegers {
        weight: Vec::<i8>::try_from(levels.to_kind(Kind::Int8).contiguous().view([-1]))?,
        shape: [size[0], size[1], size[2], size[3]],
        bias: Vec::<i32>::try_from(bias.to_kind(Kind::Int).contiguous())?,
        exponents,
    })
}
