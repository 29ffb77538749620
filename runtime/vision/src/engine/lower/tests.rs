//! Lowered graphs against the same graphs in stock tract.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bloodseg_kernels::kernel;
use tract_core::ops::{
    array::TypedConcat,
    cast::cast,
    cnn::{Conv, KernelFormat, MaxPool, PaddingSpec, PoolSpec},
    element_wise::ElementWiseOp,
    math,
    nn::{DataFormat, resize::NearestUpsample},
    quant::{DequantizeLinearF32, QuantizeLinearU8},
};

use super::*;
use crate::{engine::constants::Dequantized, model::golden};

struct Graph(TypedModel);

impl Graph {
    fn new(shape: [usize; 4]) -> (Self, OutletId) {
        let mut model = TypedModel::default();
        let source = model.add_source("source", u8::fact(shape)).unwrap();
        (Self(model), source)
    }

    fn wire(&mut self, op: impl Into<Box<dyn TypedOp>>, inputs: &[OutletId]) -> OutletId {
        let name = format!("node{}", self.0.nodes().len());
        self.0.wire_node(name, op, inputs).unwrap()[0]
    }

    fn real(&mut self, levels: OutletId, scale: f32, zero_point: i32) -> OutletId {
        self.wire(DequantizeLinearF32::new(scale, zero_point), &[levels])
    }

    fn levels(&mut self, real: OutletId, scale: f32, zero_point: u8) -> OutletId {
        let op = QuantizeLinearU8 { scale: scale.recip(), zero_point };
        self.wire(ElementWiseOp(Box::new(op), None), &[real])
    }

    /// A 3x3 convolution with one scale per output channel.
    fn conv(&mut self, real: OutletId, channels: [usize; 2], group: usize) -> OutletId {
        let [from, to] = channels;
        let drawn = golden::input(7, to * from / group * 9);
        let steps: Vec<f32> = (0..to).map(|out| 2f32.powi(-6 - (out % 3) as i32)).collect();
        let levels: Vec<i8> = drawn.into_iter().map(u8::cast_signed).collect();
        let levels = Tensor::from_shape(&[to, from / group, 3, 3], &levels).unwrap();
        let label = |what: &str, model: &TypedModel| format!("{what}{}", model.nodes().len());
        let parts = [levels, tensor1(&steps), Tensor::zero::<i8>(&[to]).unwrap()].map(|part| {
            let label = label("part", &self.0);
            self.0.add_const(label, part).unwrap()
        });
        let weights = self.wire(Dequantized { axis: 0 }, &parts);
        let bias: Vec<f32> = (0..to).map(|out| out as f32 / 16.0 - 0.5).collect();
        let label = label("bias", &self.0);
        let bias = self.0.add_const(label, tensor1(&bias)).unwrap();
        let pool_spec = PoolSpec {
            data_format: DataFormat::NCHW,
            kernel_shape: tvec![3, 3],
            padding: PaddingSpec::Explicit(tvec![1, 1], tvec![1, 1]),
            dilations: None,
            strides: Some(tvec![1, 1]),
            input_channels: from,
            output_channels: to,
        };
        let conv = Conv { pool_spec, kernel_fmt: KernelFormat::OIHW, group, q_params: None };
        self.wire(conv, &[real, weights, bias])
    }
}

/// Lowers a graph, runs both, and returns the nodes that stock tract still runs.
fn agree(graph: &Graph, output: OutletId, shape: [usize; 4]) -> Vec<String> {
    let mut model = graph.0.clone();
    model.select_output_outlets(&[output]).unwrap();
    let input = Tensor::from_shape(&shape, &golden::input(3, shape.iter().product())).unwrap();
    let pixels = input.clone().move_axis(1, 3).unwrap();
    let run = |model: TypedModel| {
        let made = model.into_runnable().unwrap().run(tvec!(pixels.clone().into_tvalue())).unwrap();
        made[0].clone().into_tensor().move_axis(3, 1).unwrap()
    };
    let wanted = run(lower(&model, None, &Arc::default()).unwrap().model.into_optimized().unwrap());
    let levels: Vec<u8> = wanted.try_as_plain_ram().unwrap().as_slice::<u8>().unwrap().to_vec();
    assert!(levels.iter().any(|level| *level != levels[0]), "a constant output proves nothing");
    let mut stock_nodes = Vec::new();
    for kernel in kernel::available() {
        let lowered = lower(&model, Some(kernel), &Arc::default()).unwrap();
        stock_nodes = super::stock_nodes(&lowered.model).unwrap();
        assert_eq!(run(lowered.model), wanted, "{}", kernel.name());
    }
    stock_nodes
}

#[test]
fn quantized_graph_is_lowered_completely() {
    let shape = [1, 20, 8, 12];
    let (mut graph, source) = Graph::new(shape);
    let real = graph.real(source, 0.0078125, 128);
    let sum = graph.conv(real, [20, 24], 1);
    let features = graph.levels(sum, 0.0625, 0);
    let pool_spec = PoolSpec {
        data_format: DataFormat::NCHW,
        kernel_shape: tvec![2, 2],
        padding: PaddingSpec::Valid,
        dilations: None,
        strides: Some(tvec![2, 2]),
        input_channels: 24,
        output_channels: 24,
    };
    let pooled = graph.wire(MaxPool { pool_spec, with_index_outputs: None }, &[features]);
    let spread = graph.wire(NearestUpsample { scales: tvec![1, 1, 2, 2] }, &[pooled]);
    let joined = graph.wire(TypedConcat { axis: 1 }, &[spread, features]);
    // another grid, with a ReLU
    let real = graph.real(joined, 0.0625, 3);
    let zero = graph.0.add_const("zero", Tensor::zero::<f32>(&[1, 1, 1, 1]).unwrap()).unwrap();
    let positive = graph.wire(math::max(), &[real, zero]);
    let other = graph.levels(positive, 0.125, 5);
    let (a, b) = (graph.real(other, 0.125, 5), graph.real(joined, 0.0625, 0));
    let sum = graph.wire(math::add(), &[a, b]);
    let added = graph.levels(sum, 0.25, 7);
    assert_eq!(agree(&graph, added, shape), [""; 0]);
}

#[test]
fn unrecognised_node_stays_in_stock_tract() {
    let shape = [1, 16, 6, 6];
    let (mut graph, source) = Graph::new(shape);
    let real = graph.real(source, 0.0078125, 128);
    let sum = graph.conv(real, [16, 16], 1);
    let first = graph.levels(sum, 0.0625, 0);
    let real = graph.real(first, 0.0625, 0);
    let grouped = graph.conv(real, [16, 16], 4);
    let second = graph.levels(grouped, 0.25, 128);
    let real = graph.real(second, 0.25, 128);
    let sum = graph.conv(real, [16, 8], 1);
    let third = graph.levels(sum, 0.5, 128);
    let stock = agree(&graph, third, shape);
    let convolutions = stock.iter().filter(|node| node.starts_with("Conv ")).count();
    assert_eq!(convolutions, 1, "{stock:?}");
}

#[test]
fn float_graph_is_not_lowered() {
    let shape = [1, 4, 6, 6];
    let (mut graph, source) = Graph::new(shape);
    let real = graph.wire(cast(f32::datum_type()), &[source]);
    let sum = graph.conv(real, [4, 4], 1);
    let levels = graph.levels(sum, 4.0, 128);
    let mut model = graph.0.clone();
    model.select_output_outlets(&[levels]).unwrap();
    let lowered = lower(&model, Some(kernel::fastest()), &Arc::default()).unwrap();
    assert!(lowered.programs.is_empty());
    assert!(agree(&graph, levels, shape).iter().any(|node| node.starts_with("Conv ")));
}
