//! A model as a list of layers. Each model has one description with two consumers: [`forward`] runs it in libtorch,
//! [`crate::export`] writes it as ONNX, so the two cannot diverge.

pub mod forward;
pub mod grids;
pub mod params;
pub mod ssr;
pub mod straight;
pub mod unet;

/// Number of a value: 0 is the input, value `i + 1` is the output of layer `i`.
pub type Value = usize;

/// The input of every model.
pub const INPUT: Value = 0;

/// The range of a value, which decides its zero point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Zero and above (after a ReLU): zero point 0, so that saturation at 0 acts as ReLU.
    Positive,
    /// Both signs: zero point 128.
    Both,
}

/// A layer's operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Square convolution with bias, zero-padded by `kernel / 2`.
    Conv {
        /// Output channels.
        out: i64,
        /// Edge of the kernel.
        kernel: i64,
        /// Stride both ways.
        stride: i64,
        /// [`Sign::Positive`] means a ReLU follows.
        sign: Sign,
    },
    /// `[C, H, W]` to `[C * n * n, H / n, W / n]`, channels ordered (row, column, C).
    SpaceToDepth(i64),
    /// The inverse of [`Op::SpaceToDepth`]: ONNX's DCR mode.
    DepthToSpace(i64),
    /// Concatenates the channels of both inputs.
    Concat(Value),
    /// Repeats the channels `n` times.
    Repeat(i64),
    /// Sum of both inputs on the grid of the second, saturating.
    AddOnGridOf(Value),
}

/// A layer: an operation on an earlier value.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Name, which becomes the names in the ONNX graph and in the checkpoints.
    pub name: &'static str,
    /// Its input value.
    pub input: Value,
    /// Its operation.
    pub op: Op,
    /// Number of output channels.
    pub channels: i64,
    /// Edge of its output relative to the low-resolution grid: `(multiply, divide)`.
    pub scale: (i64, i64),
}

/// A model.
#[derive(Debug, Clone)]
pub struct Net {
    /// Name of the model and of its ONNX graph.
    pub name: &'static str,
    /// Channels of the input.
    pub input_channels: i64,
    /// Edge of the input for one tile.
    pub input_px: i64,
    /// The layers in order.
    pub layers: Vec<Layer>,
}

impl Net {
    /// A model without layers.
    pub fn new(name: &'static str, input_channels: i64, input_px: i64) -> Self {
        Self { name, input_channels, input_px, layers: Vec::new() }
    }

    /// Channels and edge scale of a value.
    fn shape(&self, value: Value) -> (i64, (i64, i64)) {
        if value == INPUT {
            (self.input_channels, (1, 1))
        } else {
            let layer = &self.layers[value - 1];
            (layer.channels, layer.scale)
        }
    }

    /// Channels of a value.
    pub fn channels(&self, value: Value) -> i64 {
        self.shape(value).0
    }

    /// Edge of a value in pixels, for an input of [`Net::input_px`].
    pub fn edge_px(&self, value: Value) -> i64 {
        let (multiply, divide) = self.shape(value).1;
        self.input_px * multiply / divide
    }

    /// The output value.
    pub fn output(&self) -> Value {
        self.layers.len()
    }

    /// Appends a layer and returns its value.
    pub fn push(&mut self, name: &'static str, input: Value, op: Op) -> Value {
        let (channels, (multiply, divide)) = self.shape(input);
        let (channels, scale) = match op {
            Op::Conv { out, stride, .. } => (out, (multiply, divide * stride)),
            Op::SpaceToDepth(n) => (channels * n * n, (multiply, divide * n)),
            Op::DepthToSpace(n) => (channels / (n * n), (multiply * n, divide)),
            Op::Concat(other) => (channels + self.channels(other), (multiply, divide)),
            Op::Repeat(n) => (channels * n, (multiply, divide)),
            Op::AddOnGridOf(_) => (channels, (multiply, divide)),
        };
        self.layers.push(Layer { name, input, op, channels, scale });
        self.layers.len()
    }

    /// Appends a convolution with ReLU.
    pub fn conv_relu(&mut self, name: &'static str, input: Value, out: i64, kernel: i64, stride: i64) -> Value {
        self.push(name, input, Op::Conv { out, kernel, stride, sign: Sign::Positive })
    }

    /// Appends a convolution without activation.
    pub fn conv(&mut self, name: &'static str, input: Value, out: i64, kernel: i64) -> Value {
        self.push(name, input, Op::Conv { out, kernel, stride: 1, sign: Sign::Both })
    }

    /// The convolutions: value, layer, input channels.
    pub fn convs(&self) -> impl Iterator<Item = (Value, &Layer, i64)> {
        self.layers.iter().enumerate().filter_map(|(index, layer)| match layer.op {
            Op::Conv { .. } => Some((index + 1, layer, self.channels(layer.input))),
            _ => None,
        })
    }

    /// Total number of weights and biases.
    pub fn parameters(&self) -> u64 {
        self.convs().map(|(_, layer, inputs)| layer.channels * (inputs * kernel(layer).pow(2) + 1)).sum::<i64>() as u64
    }

    /// Multiply-accumulates per tile, without biases.
    pub fn macs(&self) -> u64 {
        self.convs()
            .map(|(value, layer, inputs)| self.edge_px(value).pow(2) * layer.channels * inputs * kernel(layer).pow(2))
            .sum::<i64>() as u64
    }
}

fn kernel(layer: &Layer) -> i64 {
    match layer.op {
        Op::Conv { kernel, .. } => kernel,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_nets_are_within_mac_and_parameter_budget() {
        let (ssr, unet) = (ssr::net(), unet::net_with_kinds());
        assert!(ssr.macs() + unet.macs() <= 500_000_000, "{} + {}", ssr.macs(), unet.macs());
        assert!(ssr.parameters() + unet.parameters() <= 400_000, "{} + {}", ssr.parameters(), unet.parameters());
    }

    #[test]
    fn edges_and_channels_follow_the_layers() {
        let ssr = ssr::net();
        assert_eq!((ssr.channels(ssr.output()), ssr.edge_px(ssr.output())), (3, 256));
        let unet = unet::net();
        assert_eq!((unet.channels(unet.output()), unet.edge_px(unet.output())), (2, 256));
        let mut net = Net::new("t", 3, 64);
        let value = net.conv_relu("c", INPUT, 8, 3, 2);
        assert_eq!((net.edge_px(value), net.macs(), net.parameters()), (32, 32 * 32 * 8 * 27, 8 * 28));
    }

    #[test]
    fn layer_names_are_unique() {
        for net in [ssr::net(), unet::net(), unet::net_with_kinds()] {
            let mut names: Vec<&str> = net.layers.iter().map(|l| l.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), net.layers.len());
        }
    }
}
