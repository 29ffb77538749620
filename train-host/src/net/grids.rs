//! The grids that values are quantized to: powers of two, so that integer and float engines agree exactly.

use std::collections::BTreeMap;

use super::{INPUT, Net, Op, Sign, Value};

/// An 8-bit grid: `real = 2^exponent * (level - zero_point)`, levels 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Power of two of the step.
    pub exponent: i32,
    /// Level of zero: 0 or 128.
    pub zero_point: u8,
}

impl Grid {
    /// The grid of pictures: levels 0 to 255 are -1 to 127/128, so that padding is mid grey.
    pub const PICTURE: Self = Self { exponent: -7, zero_point: 128 };

    /// The grid of the segmenter's maps: a level is 1/16 of a logit.
    pub const MAP: Self = Self { exponent: -4, zero_point: 128 };

    /// The step.
    pub fn scale(self) -> f64 {
        2f64.powi(self.exponent)
    }
}

/// Grids of a quantized model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grids {
    /// Grid of each value, the input first.
    pub values: Vec<Grid>,
    /// Exponents of the weights' steps, one per output channel, by layer name; levels are -127 to 127.
    pub weights: BTreeMap<String, Vec<i32>>,
}

/// The values that share a grid with `value`'s source: follows pure data movements back to where the levels were computed
/// (the input, a convolution or a sum).
pub fn sources(net: &Net, value: Value) -> Vec<Value> {
    if value == INPUT {
        return vec![INPUT];
    }
    let layer = &net.layers[value - 1];
    match layer.op {
        Op::Conv { .. } | Op::AddOnGridOf(_) => vec![value],
        Op::SpaceToDepth(_) | Op::DepthToSpace(_) | Op::Repeat(_) => sources(net, layer.input),
        Op::Concat(other) => [sources(net, layer.input), sources(net, other)].concat(),
    }
}

/// Groups of values whose grids must be equal because they are concatenated.
pub fn tied(net: &Net) -> Vec<Vec<Value>> {
    (1..=net.output())
        .filter(|value| matches!(net.layers[value - 1].op, Op::Concat(_)))
        .map(|value| sources(net, value))
        .collect()
}

/// Zero point of a convolution's output, by its sign.
pub fn zero_point(sign: Sign) -> u8 {
    match sign {
        Sign::Positive => 0,
        Sign::Both => 128,
    }
}
