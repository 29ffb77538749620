//! A model as an ONNX graph in QDQ form: `u8` between the layers, dequantize - convolution - quantize inside.

use anyhow::Result;
use prost::Message;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, tensor_proto::DataType};

use super::{
    attributes::{constant, edge, int, ints, node, text},
    integers::integers,
};
use crate::net::{
    INPUT, Net, Op, Sign, Value,
    grids::{Grid, Grids},
    params::Params,
};

/// ONNX operator set of the exported models.
pub const OPSET: i64 = 17;

/// The corresponding ONNX file format version.
const IR_VERSION: i64 = 8;

/// Name of the graph's input.
pub const INPUT_NAME: &str = "picture";

/// Name of the graph's output.
pub const OUTPUT_NAME: &str = "output";

/// Which form of the model to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Integers everywhere.
    Quantized,
    /// The same weights unrounded, `u8` only at the edges; to measure the cost of integers.
    Float,
}

/// A written graph.
#[derive(Debug)]
pub struct Written {
    /// The bytes of the ONNX file.
    pub bytes: Vec<u8>,
    /// The operators that occur, sorted.
    pub operators: Vec<String>,
}

/// Writes `net` as an ONNX file.
///
/// # Errors
/// Weights whose sums would not be exact; see [`integers`].
pub fn write(net: &Net, params: &Params, grids: &Grids, form: Form) -> Result<Written> {
    let mut writer = Writer { net, grids, form, nodes: Vec::new(), constants: Vec::new() };
    writer.layers(params)?;
    let Writer { nodes, constants, .. } = writer;
    let mut operators: Vec<String> = nodes.iter().map(|n| n.op_type.clone()).collect();
    operators.sort();
    operators.dedup();
    let shape = |value: Value| {
        let edge_px = net.edge_px(value);
        [1, net.channels(value), edge_px, edge_px]
    };
    let graph = GraphProto {
        name: net.name.into(),
        node: nodes,
        initializer: constants,
        input: vec![edge(INPUT_NAME, shape(INPUT))],
        output: vec![edge(OUTPUT_NAME, shape(net.output()))],
        ..Default::default()
    };
    let model = ModelProto {
        ir_version: IR_VERSION,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        producer_name: "bloodseg train-host".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph),
        ..Default::default()
    };
    Ok(Written { bytes: model.encode_to_vec(), operators })
}

struct Writer<'a> {
    net: &'a Net,
    grids: &'a Grids,
    form: Form,
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Writer<'_> {
    fn layers(&mut self, params: &Params) -> Result<()> {
        for index in 0..self.net.layers.len() {
            let value = index + 1;
            let layer = self.net.layers[index].clone();
            match layer.op {
                Op::Conv { kernel, stride, sign, .. } => {
                    let input = self.real(layer.input);
                    let (weight, bias) = match self.form {
                        Form::Quantized => self.weights_in_integers(value, params)?,
                        Form::Float => self.weights_in_floats(value, params)?,
                    };
                    let pad = kernel / 2;
                    let attributes = vec![
                        ints("kernel_shape", &[kernel, kernel]),
                        ints("strides", &[stride, stride]),
                        ints("pads", &[pad, pad, pad, pad]),
                    ];
                    let sum = format!("{}_sum", layer.name);
                    self.nodes.push(node("Conv", &[&input, &weight, &bias], &sum, attributes));
                    if self.form == Form::Float && sign == Sign::Positive {
                        // When quantized, saturation at zero point 0 acts as ReLU.
                        let name = self.real_name(value);
                        self.nodes.push(node("Relu", &[&sum], &name, vec![]));
                    } else {
                        self.finish(value, &sum);
                    }
                }
                Op::SpaceToDepth(n) => self.mover("SpaceToDepth", value, layer.input, vec![int("blocksize", n)]),
                Op::DepthToSpace(n) => {
                    self.mover("DepthToSpace", value, layer.input, vec![int("blocksize", n), text("mode", "DCR")]);
                }
                Op::Concat(other) => {
                    let names = [self.stored(layer.input), self.stored(other)];
                    let name = self.store_name(value);
                    self.nodes.push(node("Concat", &[&names[0], &names[1]], &name, vec![int("axis", 1)]));
                }
                Op::Repeat(n) => {
                    let input = self.stored(layer.input);
                    let copies = vec![input.as_str(); n as usize];
                    let name = self.store_name(value);
                    self.nodes.push(node("Concat", &copies, &name, vec![int("axis", 1)]));
                }
                Op::AddOnGridOf(other) => {
                    let names = [self.real(layer.input), self.real(other)];
                    let sum = format!("{}_sum", layer.name);
                    self.nodes.push(node("Add", &[&names[0], &names[1]], &sum, vec![]));
                    self.finish(value, &sum);
                }
            }
        }
        if self.form == Form::Float {
            let last = self.real_name(self.net.output());
            self.quantize(&last, OUTPUT_NAME, self.grids.values[self.net.output()]);
        }
        Ok(())
    }

    /// Ends a computation: quantizes it, or, in float, names the value.
    fn finish(&mut self, value: Value, sum: &str) {
        let name = self.store_name(value);
        match self.form {
            Form::Quantized => self.quantize(sum, &name, self.grids.values[value]),
            Form::Float => self.nodes.push(node("Identity", &[sum], &name, vec![])),
        }
    }

    /// A node that only moves values.
    fn mover(&mut self, op: &str, value: Value, input: Value, attributes: Vec<tract_onnx::pb::AttributeProto>) {
        let input = self.stored(input);
        let name = self.store_name(value);
        self.nodes.push(node(op, &[&input], &name, attributes));
    }

    /// Name of a value between layers: levels when quantized, real numbers in float.
    fn store_name(&self, value: Value) -> String {
        match self.form {
            Form::Float => self.real_name(value),
            Form::Quantized if value == INPUT => INPUT_NAME.into(),
            Form::Quantized if value == self.net.output() => OUTPUT_NAME.into(),
            Form::Quantized => self.net.layers[value - 1].name.into(),
        }
    }

    fn real_name(&self, value: Value) -> String {
        if value == INPUT { format!("{INPUT_NAME}_real") } else { format!("{}_real", self.net.layers[value - 1].name) }
    }

    /// Name of a stored value, created if needed.
    fn stored(&mut self, value: Value) -> String {
        match self.form {
            Form::Quantized => self.store_name(value),
            Form::Float => self.real(value),
        }
    }

    /// Name of a real-valued value, created if needed.
    fn real(&mut self, value: Value) -> String {
        let name = self.real_name(value);
        let is_levels = self.form == Form::Quantized || value == INPUT;
        if is_levels && !self.nodes.iter().any(|n| n.output[0] == name) {
            let from = if value == INPUT { INPUT_NAME.into() } else { self.store_name(value) };
            let grid = self.grids.values[value];
            let (scale, zero) = self.grid_constants(grid);
            self.nodes.push(node("DequantizeLinear", &[&from, &scale, &zero], &name, vec![]));
        }
        name
    }

    fn quantize(&mut self, from: &str, to: &str, grid: Grid) {
        let (scale, zero) = self.grid_constants(grid);
        self.nodes.push(node("QuantizeLinear", &[from, &scale, &zero], to, vec![]));
    }

    /// Names of the scale and the zero point of a grid; equal grids share them.
    fn grid_constants(&mut self, grid: Grid) -> (String, String) {
        let scale = format!("scale_2e{}", grid.exponent);
        let zero = format!("zero_{}", grid.zero_point);
        self.add(constant(&scale, DataType::Float, &[], (grid.scale() as f32).to_le_bytes().to_vec()));
        self.add(constant(&zero, DataType::Uint8, &[], vec![grid.zero_point]));
        (scale, zero)
    }

    fn add(&mut self, constant: TensorProto) {
        if !self.constants.iter().any(|c| c.name == constant.name) {
            self.constants.push(constant);
        }
    }

    fn weights_in_integers(&mut self, value: Value, params: &Params) -> Result<(String, String)> {
        let layer = self.net.layers[value - 1].clone();
        let conv = integers(self.net, &layer, params, self.grids)?;
        let out = conv.shape[0];
        let input = self.grids.values[layer.input];
        let floats = |shift: i32| -> Vec<u8> {
            conv.exponents.iter().flat_map(|e| 2f32.powi(e + shift).to_le_bytes()).collect()
        };
        let name = |part: &str| format!("{}_{part}", layer.name);
        let weight_bytes = conv.weight.iter().map(|w| w.to_le_bytes()[0]).collect();
        let bias_bytes = conv.bias.iter().flat_map(|b| b.to_le_bytes()).collect();
        self.add(constant(&name("weight_levels"), DataType::Int8, &conv.shape, weight_bytes));
        self.add(constant(&name("weight_scale"), DataType::Float, &[out], floats(0)));
        self.add(constant(&name("weight_zero"), DataType::Int8, &[out], vec![0; out as usize]));
        self.add(constant(&name("bias_levels"), DataType::Int32, &[out], bias_bytes));
        self.add(constant(&name("bias_scale"), DataType::Float, &[out], floats(input.exponent)));
        self.add(constant(&name("bias_zero"), DataType::Int32, &[out], vec![0; 4 * out as usize]));
        for part in ["weight", "bias"] {
            let inputs = ["levels", "scale", "zero"].map(|end| name(&format!("{part}_{end}")));
            let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
            self.nodes.push(node("DequantizeLinear", &inputs, &name(part), vec![int("axis", 0)]));
        }
        Ok((name("weight"), name("bias")))
    }

    fn weights_in_floats(&mut self, value: Value, params: &Params) -> Result<(String, String)> {
        let layer = &self.net.layers[value - 1];
        let mut names = Vec::new();
        let mut made = Vec::new();
        for part in ["weight", "bias"] {
            let tensor = params[&format!("{}.{part}", layer.name)].detach().to_device(tch::Device::Cpu).contiguous();
            let values = Vec::<f32>::try_from(tensor.view([-1]))?;
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            let name = format!("{}_{part}", layer.name);
            made.push(constant(&name, DataType::Float, &tensor.size(), bytes));
            names.push(name);
        }
        made.into_iter().for_each(|c| self.add(c));
        Ok((names.swap_remove(0), names.swap_remove(0)))
    }
}
