//! Converts the graph that the gate has parsed to tract's.
//!
//! tract's own ONNX reader is not linked: the gate knows nine operators, and what it parsed is what runs. Each operator
//! becomes the nodes that tract's reader would create.

use std::collections::HashMap;

use bloodseg_kernels::{glue::Order, map::Shape};
use tract_core::{
    internal::*,
    ops::{
        array::TypedConcat,
        cnn::{Conv, KernelFormat, PaddingSpec, PoolSpec},
        math,
        nn::DataFormat,
        quant::{DequantizeLinearF32, quantize_linear_i8, quantize_linear_u8},
    },
};

use super::{constants::Dequantized, recognise};
use crate::model::onnx_gate::{Graph, Kind, Node, Weights};

/// Builds the graph for an input of `[1, channels, height, width]`, which may differ from the size in the file.
pub(super) fn typed(graph: &Graph<'_>, input_shape: [usize; 4]) -> TractResult<TypedModel> {
    let mut reading = Reading { model: TypedModel::default(), values: HashMap::new() };
    for weights in &graph.weights {
        let outlet = reading.model.add_const(weights.name, tensor(weights)?)?;
        reading.values.insert(weights.name, outlet);
    }
    for edge in &graph.inputs {
        let outlet = reading.model.add_source(edge.name, u8::fact(input_shape))?;
        reading.values.insert(edge.name, outlet);
    }
    for node in &graph.nodes {
        let outlet = reading.node(node).with_context(|| format!("{} {}", node.operator, node.output))?;
        reading.values.insert(node.output, outlet);
    }
    let outputs = graph.outputs.iter().map(|edge| reading.value(edge.name)).collect::<TractResult<Vec<_>>>()?;
    reading.model.select_output_outlets(&outputs)?;
    Ok(reading.model)
}

fn tensor(weights: &Weights<'_>) -> TractResult<Tensor> {
    let shape: TVec<usize> = weights.shape.iter().map(|&size| size as usize).collect();
    match weights.kind {
        Kind::F32 => Tensor::from_shape(&shape, &weights.floats().collect::<Vec<_>>()),
        Kind::U8 => Tensor::from_shape(&shape, weights.data),
        Kind::I8 => {
            let levels: Vec<i8> = weights.data.iter().map(|byte| byte.cast_signed()).collect();
            Tensor::from_shape(&shape, &levels)
        }
        Kind::I32 => {
            let levels = weights.data.as_chunks().0.iter().map(|four| i32::from_le_bytes(*four));
            Tensor::from_shape(&shape, &levels.collect::<Vec<_>>())
        }
    }
}

struct Reading<'g> {
    model: TypedModel,
    /// By name.
    values: HashMap<&'g str, OutletId>,
}

impl Reading<'_> {
    fn value(&self, name: &str) -> TractResult<OutletId> {
        self.values.get(name).copied().with_context(|| format!("{name} is read before it is made"))
    }

    fn node(&mut self, node: &Node<'_>) -> TractResult<OutletId> {
        let inputs = node.inputs.iter().map(|name| self.value(name)).collect::<TractResult<TVec<_>>>()?;
        match (node.operator, &inputs[..]) {
            ("Identity", &[value]) => Ok(value),
            ("DequantizeLinear", &[levels, scale, zero_point]) => self.real(node, levels, scale, zero_point),
            // The planner would fold them, and repeated concatenation grows from kilobytes to terabytes.
            _ if inputs.iter().all(|input| self.is_constant(*input)) => bail!("an operation on constants only"),
            ("QuantizeLinear", &[real, scale, zero_point]) => self.levels(node, real, scale, zero_point),
            ("Conv", &[input, weights]) => self.convolution(node, input, weights, None),
            ("Conv", &[input, weights, bias]) => self.convolution(node, input, weights, Some(bias)),
            ("Add", [_, _]) => self.wire(node.output, math::add(), &inputs),
            ("Relu", &[value]) => {
                let zero = self.model.add_const(format!("{}.zero", node.output), Tensor::zero::<f32>(&[1; 4])?)?;
                self.wire(node.output, math::max(), &[value, zero])
            }
            ("Concat", &[first, ..]) => {
                let rank = self.model.outlet_fact(first)?.rank() as i64;
                let axis = node.int("axis").unwrap_or(1);
                let axis = usize::try_from(if axis < 0 { axis + rank } else { axis })?;
                self.wire(node.output, TypedConcat::new(axis), &inputs)
            }
            ("DepthToSpace" | "SpaceToDepth", &[value]) => self.shuffle(node, value),
            _ => bail!("{} inputs", inputs.len()),
        }
    }

    fn wire(&mut self, name: &str, op: impl Into<Box<dyn TypedOp>>, inputs: &[OutletId]) -> TractResult<OutletId> {
        Ok(self.model.wire_node(name, op, inputs)?[0])
    }

    fn is_constant(&self, outlet: OutletId) -> bool {
        let node = self.model.node(outlet.node);
        node.outputs[outlet.slot].fact.konst.is_some() || node.op_is::<Dequantized>()
    }

    /// The single number of a scale or zero point.
    fn number<T: Datum + Copy>(&self, outlet: OutletId) -> TractResult<T> {
        let konst = self.model.outlet_fact(outlet)?.konst.as_ref().context("a scale or zero point that is computed")?;
        match konst.try_as_plain_ram()?.as_slice::<T>()? {
            [number] => Ok(*number),
            numbers => bail!("{} scales or zero points for one map", numbers.len()),
        }
    }

    fn real(&mut self, node: &Node<'_>, levels: OutletId, scale: OutletId, zero: OutletId) -> TractResult<OutletId> {
        if self.is_constant(levels) {
            let axis = node.int("axis").unwrap_or(1);
            return self.wire(node.output, Dequantized { axis }, &[levels, scale, zero]);
        }
        let zero_point = match self.model.outlet_fact(zero)?.datum_type {
            DatumType::U8 => i32::from(self.number::<u8>(zero)?),
            _ => i32::from(self.number::<i8>(zero)?),
        };
        self.wire(node.output, DequantizeLinearF32::new(self.number(scale)?, zero_point), &[levels])
    }

    fn levels(&mut self, node: &Node<'_>, real: OutletId, scale: OutletId, zero: OutletId) -> TractResult<OutletId> {
        // tract multiplies by the reciprocal.
        let scale = self.number::<f32>(scale)?.recip();
        match self.model.outlet_fact(zero)?.datum_type {
            DatumType::U8 => self.wire(node.output, quantize_linear_u8(scale, self.number(zero)?), &[real]),
            _ => self.wire(node.output, quantize_linear_i8(scale, self.number(zero)?), &[real]),
        }
    }

    fn convolution(
        &mut self,
        node: &Node<'_>,
        input: OutletId,
        weights: OutletId,
        bias: Option<OutletId>,
    ) -> TractResult<OutletId> {
        let group = node.size("group").unwrap_or(1);
        let shape = self.model.outlet_fact(weights)?.shape.as_concrete().context("weights of no fixed shape")?;
        let &[output_channels, each, rows, columns] = shape else { bail!("weights of shape {shape:?}") };
        let bias = match bias {
            // tract broadcasts a single bias.
            Some(bias) if output_channels == 1 => {
                self.wire(&format!("{}.bias", node.output), AxisOp::Rm(0), &[bias])?
            }
            Some(bias) => bias,
            None => self.model.add_const(format!("{}.bias", node.output), Tensor::zero::<f32>(&[])?)?,
        };
        let sizes = |name: &str| -> Option<TVec<usize>> { node.sizes(name).map(Iterator::collect) };
        let padding = match sizes("pads").as_deref() {
            Some(&[top, left, bottom, right]) => PaddingSpec::Explicit(tvec![top, left], tvec![bottom, right]),
            _ => PaddingSpec::Explicit(tvec![0, 0], tvec![0, 0]),
        };
        let pool_spec = PoolSpec {
            data_format: DataFormat::NCHW,
            kernel_shape: tvec![rows, columns],
            padding,
            dilations: sizes("dilations"),
            strides: sizes("strides"),
            input_channels: each * group,
            output_channels,
        };
        self.wire(node.output, Conv::new(pool_spec, KernelFormat::OIHW, group, None), &[input, weights, bias])
    }

    fn shuffle(&mut self, node: &Node<'_>, value: OutletId) -> TractResult<OutletId> {
        let shape = self.model.outlet_fact(value)?.shape.as_concrete().context("a map of no fixed shape")?;
        let &[1, channels, height, width] = shape else { bail!("a map of shape {shape:?}") };
        let from = Shape::new(height, width, channels);
        let block = node.size("blocksize").filter(|block| *block > 0).context("no blocksize")?;
        let changes = if node.operator == "DepthToSpace" {
            ensure!(channels.is_multiple_of(block * block), "{channels} channels in blocks of {block}");
            let order = if node.word("mode") == Some("CRD") { Order::ColumnRowDepth } else { Order::DepthColumnRow };
            recognise::depth_to_space(from, block, order)
        } else {
            ensure!(
                height.is_multiple_of(block) && width.is_multiple_of(block),
                "{height}x{width} in blocks of {block}"
            );
            recognise::space_to_depth(from, block)
        };
        let mut value = value;
        for (at, change) in changes.into_iter().enumerate() {
            value = self.wire(&format!("{}.{at}", node.output), change, &[value])?;
        }
        Ok(value)
    }
}
