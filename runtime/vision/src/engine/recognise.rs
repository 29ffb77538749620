//! Recognises integer operations in a quantized graph.
//!
//! A value of `u8` levels is recognised if it can be computed from other such values in one integer step: a convolution
//! between dequantization and quantization, a sum of two dequantized maps, or an operation that moves levels. Float nodes
//! in between are looked through and not modified.

use bloodseg_kernels::{
    conv::Conv as IntegerConv,
    glue::{Add, Grid, Order, rescale_table},
    map::Shape,
};
use tract_core::{
    internal::*,
    ops::{
        array::TypedConcat,
        binary::TypedBinOp,
        cnn::{Conv, KernelFormat, MaxPool, PoolSpec},
        element_wise::ElementWiseOp,
        konst::Const,
        math,
        nn::{DataFormat, resize::NearestUpsample},
        quant::{DequantizeLinearF32, QuantizeLinearU8},
    },
};

use super::constants;

/// How a value is computed from others.
#[derive(Debug)]
pub(super) enum Recipe {
    Conv(Box<IntegerConv>),
    SpaceToDepth { block: usize },
    DepthToSpace { block: usize, order: Order },
    Concat,
    Add(Add),
    MaxPool { window: usize, stride: usize },
    RepeatPixels { factor: usize },
    Table(Box<[u8; 256]>),
}

/// A recognised value: its inputs and its operation.
#[derive(Debug)]
pub(super) struct Recognised {
    pub(super) recipe: Recipe,
    pub(super) inputs: Vec<OutletId>,
}

/// Shape of a map of levels; `None` for other values: other types or ranks, or more than one picture.
pub(super) fn shape(model: &TypedModel, outlet: OutletId) -> Option<Shape> {
    let fact = model.outlet_fact(outlet).ok()?;
    match fact.shape.as_concrete()? {
        &[1, channels, height, width] if fact.datum_type == u8::datum_type() => {
            Some(Shape::new(height, width, channels)).filter(|shape| shape.bytes() > 0)
        }
        _ => None,
    }
}

/// How a value of levels can be computed in integers; `None` if it cannot.
pub(super) fn recognise(model: &TypedModel, outlet: OutletId) -> Option<Recognised> {
    let output = shape(model, outlet)?;
    let node = model.node(outlet.node);
    let one = |recipe: Recipe| {
        let input = *node.inputs.first()?;
        shape(model, input).map(|_| Recognised { recipe, inputs: vec![input] })
    };
    if let Some(grid) = quantizer(node) {
        return quantized(model, *node.inputs.first()?, grid);
    }
    if let Some(concat) = node.op_as::<TypedConcat>() {
        let are_maps = node.inputs.iter().all(|input| shape(model, *input).is_some());
        return (concat.axis == 1 && are_maps)
            .then(|| Recognised { recipe: Recipe::Concat, inputs: node.inputs.to_vec() });
    }
    if let Some(pool) = node.op_as::<MaxPool>() {
        return max_pool(model, node, pool).and_then(one);
    }
    if let Some(upsample) = node.op_as::<NearestUpsample>() {
        return match upsample.scales.as_slice() {
            &[1, 1, down, across] if down == across && down > 0 => one(Recipe::RepeatPixels { factor: down }),
            _ => None,
        };
    }
    shuffle(model, outlet, output)
}

/// The grid to which a node quantizes.
fn quantizer(node: &TypedNode) -> Option<Grid> {
    let quantize = node.op_as::<ElementWiseOp>()?.0.downcast_ref::<QuantizeLinearU8>()?;
    // tract stores the reciprocal.
    Some(Grid { scale: quantize.scale.recip(), zero_point: quantize.zero_point })
}

/// The map of levels that a float value was dequantized from, and its grid.
fn dequantized(model: &TypedModel, outlet: OutletId) -> Option<(OutletId, Grid)> {
    let node = model.node(outlet.node);
    let op = node.op_as::<DequantizeLinearF32>()?;
    let levels = *node.inputs.first()?;
    shape(model, levels)?;
    let zero_point = u8::try_from(op.zero_point).ok()?;
    (op.scale.is_normal() && op.scale > 0.0).then_some((levels, Grid { scale: op.scale, zero_point }))
}

/// The input of a ReLU if the value is one, and whether it is.
fn before_relu(model: &TypedModel, outlet: OutletId) -> (OutletId, bool) {
    let node = model.node(outlet.node);
    let is_max = node.op_as::<TypedBinOp>().is_some_and(|op| op.0.is::<math::Max>());
    if is_max && let [value, low] = node.inputs.as_slice() {
        let is_zero = |t: &Tensor| t.cast_to_scalar::<f32>().is_ok_and(|low| low == 0.0);
        if constant(model, *low).is_some_and(|low| low.len() == 1 && is_zero(&low)) {
            return (*value, true);
        }
    }
    (outlet, false)
}

fn quantized(model: &TypedModel, real: OutletId, to: Grid) -> Option<Recognised> {
    let (real, relu) = before_relu(model, real);
    let lowest = if relu { to.zero_point } else { 0 };
    if let Some((levels, from)) = dequantized(model, real) {
        let recipe = Recipe::Table(Box::new(rescale_table(from, to, lowest)));
        return Some(Recognised { recipe, inputs: vec![levels] });
    }
    let node = model.node(real.node);
    if let Some(conv) = node.op_as::<Conv>() {
        return convolution(model, node, conv, to, lowest);
    }
    let is_sum = node.op_as::<TypedBinOp>().is_some_and(|op| op.0.is::<math::Add>());
    if let ([a, b], true, 0) = (node.inputs.as_slice(), is_sum, lowest) {
        let (a, b) = (dequantized(model, *a)?, dequantized(model, *b)?);
        let is_alike = shape(model, a.0) == shape(model, b.0) && a.0 != b.0;
        let recipe = Recipe::Add(Add { terms: [a.1, b.1], sum: to });
        return is_alike.then(|| Recognised { recipe, inputs: vec![a.0, b.0] });
    }
    None
}

fn convolution(model: &TypedModel, node: &TypedNode, conv: &Conv, to: Grid, lowest: u8) -> Option<Recognised> {
    let &[input, kernel, bias] = node.inputs.as_slice() else { return None };
    let (levels, from) = dequantized(model, input)?;
    let input = shape(model, levels)?;
    if conv.group != 1 || conv.kernel_fmt != KernelFormat::OIHW || conv.q_params.is_some() {
        return None;
    }
    let Window { kernel: size, stride, pads } = window(&conv.pool_spec, input)?;
    let (weights, weight_scales) = weights(model, kernel, conv.output_channels())?;
    let bias = constant(model, bias)?.cast_to::<f32>().ok()?.into_owned();
    let bias = bias.try_as_plain_ram().ok()?.as_slice::<f32>().ok()?.to_vec();
    let channels = conv.output_channels();
    let bias = if bias.len() == 1 { vec![bias[0]; channels] } else { bias };
    if bias.len() != channels || to.scale <= 0.0 {
        return None;
    }
    let steps: Vec<f32> = weight_scales.iter().map(|scale| scale * from.scale).collect();
    let in_steps = |(bias, step): (&f32, &f32)| {
        let steps = (f64::from(*bias) / f64::from(*step)).round_ties_even();
        (steps.abs() < f64::from(i32::MAX)).then_some(steps as i32)
    };
    let integer = IntegerConv {
        input,
        out_channels: channels,
        kernel: size,
        stride,
        pads,
        weights,
        bias: bias.iter().zip(&steps).map(in_steps).collect::<Option<_>>()?,
        scale: steps.iter().map(|step| step / to.scale).collect(),
        input_zero: from.zero_point,
        output_zero: to.zero_point,
        range: [lowest, u8::MAX],
    };
    integer.check().ok()?;
    Some(Recognised { recipe: Recipe::Conv(Box::new(integer)), inputs: vec![levels] })
}

struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
    pads: [usize; 4],
}

/// Rows and columns of a window, its strides, and its effective padding.
fn window(spec: &PoolSpec, input: Shape) -> Option<Window> {
    let &[rows, columns] = spec.kernel_shape.as_slice() else { return None };
    if spec.data_format != DataFormat::NCHW || spec.dilations().iter().any(|dilation| *dilation != 1) {
        return None;
    }
    let padding = spec.computed_padding(&[input.height, input.width]);
    let (down, across) = (padding.first()?, padding.get(1)?);
    Some(Window {
        kernel: [rows, columns],
        stride: [spec.stride(0), spec.stride(1)],
        pads: [down.pad_before, across.pad_before, down.pad_after, across.pad_after],
    })
}

/// `i8` weights with zero point 0, and a scale for each of `channels` output channels.
fn weights(model: &TypedModel, outlet: OutletId, channels: usize) -> Option<(Vec<i8>, Vec<f32>)> {
    let written = constants::written(model, outlet)?;
    let levels = written.levels.try_as_plain_ram().ok()?.as_slice::<i8>().ok()?.to_vec();
    let scales = match written.scales.as_slice() {
        [one] => vec![*one; channels],
        each if written.axis() == 0 && each.len() == channels => each.to_vec(),
        _ => return None,
    };
    written.is_symmetric().then_some((levels, scales))
}

/// The tensor of a constant value.
pub(super) fn constant(model: &TypedModel, outlet: OutletId) -> Option<Arc<Tensor>> {
    let node = model.node(outlet.node);
    if let Some(known) = model.outlet_fact(outlet).ok()?.konst.clone() {
        return Some(known);
    }
    if let Some(konst) = node.op_as::<Const>() {
        return Some(konst.val().clone());
    }
    if let Some(written) = constants::written(model, outlet) {
        return written.real().ok().map(Tensor::into_arc_tensor);
    }
    if node.inputs.is_empty() {
        return None;
    }
    let inputs: TVec<TValue> =
        node.inputs.iter().map(|input| constant(model, *input).map(IntoTValue::into_tvalue)).collect::<Option<_>>()?;
    let outputs = node.op.eval_out_of_plan(inputs).ok()??;
    outputs.get(outlet.slot).map(|value| value.clone().into_arc_tensor())
}

fn max_pool(model: &TypedModel, node: &TypedNode, pool: &MaxPool) -> Option<Recipe> {
    let input = shape(model, *node.inputs.first()?)?;
    let Window { kernel, stride, pads } = window(&pool.pool_spec, input)?;
    let is_plain = pool.with_index_outputs.is_none() && pads == [0; 4];
    (is_plain && kernel[0] == kernel[1] && stride[0] == stride[1])
        .then_some(Recipe::MaxPool { window: kernel[0], stride: stride[0] })
}

/// Number of nodes that tract uses for a depth-to-space shuffle.
const SHUFFLE_NODES: usize = 4;

/// Depth to space or back: four axis operations in a row.
fn shuffle(model: &TypedModel, outlet: OutletId, output: Shape) -> Option<Recognised> {
    let mut changes = Vec::with_capacity(SHUFFLE_NODES);
    let mut at = outlet;
    for _ in 0..SHUFFLE_NODES {
        let node = model.node(at.node);
        changes.push(node.op_as::<AxisOp>()?.clone());
        at = *node.inputs.first()?;
    }
    changes.reverse();
    let input = shape(model, at)?;
    let found = |recipe: Recipe| Some(Recognised { recipe, inputs: vec![at] });
    if output.height > input.height {
        let block = output.height / input.height;
        let order = [Order::DepthColumnRow, Order::ColumnRowDepth];
        let order = order.into_iter().find(|order| changes == depth_to_space(input, block, *order))?;
        return found(Recipe::DepthToSpace { block, order });
    }
    let block = input.height / output.height;
    if changes == space_to_depth(input, block) { found(Recipe::SpaceToDepth { block }) } else { None }
}

fn dims(sizes: &[usize]) -> TVec<TDim> {
    sizes.iter().map(|size| size.to_dim()).collect()
}

/// The axis operations of ONNX's DepthToSpace.
pub(super) fn depth_to_space(input: Shape, block: usize, order: Order) -> Vec<AxisOp> {
    let Shape { height, width, channels } = input;
    let depth = channels / (block * block);
    let (split, moves) = match order {
        Order::DepthColumnRow => ([block, block, depth], [AxisOp::Move(2, 5), AxisOp::Move(1, 3)]),
        Order::ColumnRowDepth => ([depth, block, block], [AxisOp::Move(3, 5), AxisOp::Move(2, 3)]),
    };
    let [first, second] = moves;
    vec![
        AxisOp::Reshape(1, dims(&[channels]), dims(&split)),
        first,
        second,
        AxisOp::Reshape(2, dims(&[height, block, width, block]), dims(&[height * block, width * block])),
    ]
}

/// The axis operations of ONNX's SpaceToDepth.
pub(super) fn space_to_depth(input: Shape, block: usize) -> Vec<AxisOp> {
    let Shape { height, width, channels } = input;
    vec![
        AxisOp::Reshape(2, dims(&[height, width]), dims(&[height / block, block, width / block, block])),
        AxisOp::Move(3, 1),
        AxisOp::Move(5, 2),
        AxisOp::Reshape(1, dims(&[block, block, channels]), dims(&[channels * block * block])),
    ]
}
