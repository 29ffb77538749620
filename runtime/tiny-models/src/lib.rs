//! Two tiny models for tests, with outputs that are known without an engine: super-resolution repeats each pixel 4x4
//! times, and the segmenter outputs 255 - red in both maps. The variant with kinds also outputs green for white cells and
//! blue for platelets. Operators and form are those of the real models.

// Each user of this file uses other parts of it.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::borrow::Cow;

use prost::Message;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, attribute_proto::AttributeType, tensor_proto::DataType, tensor_shape_proto as shape, type_proto,
};

use bloodseg_vision::model::{
    gate, golden,
    manifest::{CellRule, FORMAT, Golden, Manifest, Pitch, Role, Tensor, Training},
    store::{Model, Models},
};

pub fn models() -> Models {
    Models { ssr: take(&ssr()), unet: take(&unet()) }
}

/// The same with a segmenter that reports kinds.
pub fn models_with_kinds() -> Models {
    Models { ssr: take(&ssr()), unet: take(&unet_with_kinds()) }
}

/// A model before the gate, for tests to corrupt.
#[derive(Clone)]
pub struct Draft {
    pub graph: GraphProto,
    pub manifest: Manifest,
}

pub fn take(draft: &Draft) -> Model {
    try_take(draft).unwrap()
}

/// Encodes the graph, writes its size and hash to the manifest, and passes it through the gate.
pub fn try_take(draft: &Draft) -> bloodseg_vision::error::Result<Model> {
    let (text, onnx) = files(draft);
    Model::new(&text, Cow::Owned(onnx), draft.manifest.role, "fixture")
}

/// The model without the gate, for tests of what comes after it.
pub fn untried(draft: &Draft) -> bloodseg_vision::error::Result<Model> {
    let (text, onnx) = files(draft);
    Ok(Model { manifest: Manifest::parse(&text, "fixture")?, onnx: Cow::Owned(onnx) })
}

/// The text of the manifest, and the ONNX file.
pub fn files(draft: &Draft) -> (String, Vec<u8>) {
    let onnx = ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { version: 17, ..Default::default() }],
        graph: Some(draft.graph.clone()),
        ..Default::default()
    }
    .encode_to_vec();
    let mut manifest = draft.manifest.clone();
    manifest.size_bytes = onnx.len() as u64;
    manifest.sha256 = golden::sha256(&onnx);
    (manifest.to_text().unwrap(), onnx)
}

pub fn ssr() -> Draft {
    let weights: Vec<i8> = (0..48 * 3).map(|i| i8::from(i / 3 / 16 == i % 3)).collect();
    ssr_of(&weights, &[0; 48], |input, channel, at| input[channel * 4096 + at])
}

/// `answer` gives the level of a channel over the pixel `at` of the input's planes.
fn ssr_of(weights: &[i8], biases: &[i32], answer: impl Fn(&[u8], usize, usize) -> u8) -> Draft {
    let mut graph = convolution(Role::SuperResolution, weights, biases, "deep");
    let attributes = vec![word("mode", "CRD"), int("blocksize", 4)];
    graph.node.push(node("DepthToSpace", &["deep"], "output", attributes));
    draft(Role::SuperResolution, graph, |input, at| {
        let (channel, y, x) = (at / 65536, at / 256 % 256, at % 256);
        answer(input, channel, y / 4 * 64 + x / 4)
    })
}

/// Like [`ssr`], but low green also makes red low: the segmenter then finds cells that the input does not have.
pub fn inventive_ssr() -> Draft {
    let copies = |output: usize, input: usize| output == input || (output == 0 && input == 1);
    let weights: Vec<i8> = (0..48 * 3).map(|i| i8::from(copies(i / 3 / 16, i % 3))).collect();
    let biases: Vec<i32> = (0..48).map(|i| if i < 16 { -255 } else { 0 }).collect();
    ssr_of(&weights, &biases, |input, channel, at| {
        let level = input[channel * 4096 + at];
        // Both are 0..=255: red + green - 255, at least 0.
        if channel == 0 { level.saturating_sub(255 - input[4096 + at]) } else { level }
    })
}

pub fn unet() -> Draft {
    unet_of(2)
}

/// As [`unet`], with a third map that is the green of the input and a fourth that is its blue.
pub fn unet_with_kinds() -> Draft {
    unet_of(gate::CHANNELS_WITH_KINDS)
}

/// A segmenter with this many maps: 255 - red twice, green, then blue.
pub fn unet_of(channels: usize) -> Draft {
    let weights = |map| if map < 2 { [-1, 0, 0] } else { [0, i8::from(map == 2), i8::from(map > 2)] };
    let weights: Vec<i8> = (0..channels).flat_map(weights).collect();
    let biases: Vec<i32> = (0..channels).map(|map| if map < 2 { 255 } else { 0 }).collect();
    let graph = convolution(Role::Segmentation, &weights, &biases, "output");
    draft(Role::Segmentation, graph, |input, at| match at / 65536 {
        0 | 1 => 255 - input[at % 65536],
        map => input[(map - 1).min(2) * 65536 + at % 65536],
    })
}

/// Shapes of the input and output of a model whose convolution has this many channels.
fn shapes(role: Role, channels: usize) -> ([usize; 4], [usize; 4]) {
    let (input, mut output) = gate::shapes(role);
    if role == Role::Segmentation {
        output[1] = channels;
    }
    (input, output)
}

fn draft(role: Role, graph: GraphProto, answer: impl Fn(&[u8], usize) -> u8) -> Draft {
    let channels = graph.initializer.iter().find(|tensor| tensor.name == "biases").unwrap().dims[0];
    let (input, output) = shapes(role, channels as usize);
    let golden_input = golden::input(3, input.iter().product());
    let golden_output: Vec<u8> = (0..output.iter().product()).map(|at| answer(&golden_input, at)).collect();
    let mut operators: Vec<String> = graph.node.iter().map(|node| node.op_type.clone()).collect();
    operators.sort();
    operators.dedup();
    let tensor = |name: &str, shape| Tensor {
        name: name.into(),
        dtype: "u8".into(),
        shape,
        range: [0, 255],
        meaning: "test".into(),
    };
    let manifest = Manifest {
        format: FORMAT,
        name: if role == Role::SuperResolution { "ssr" } else { "unet" }.into(),
        version: "0".into(),
        role,
        file: "fixture.onnx".into(),
        size_bytes: 0,
        sha256: String::new(),
        opset: 17,
        operators,
        preparation: Default::default(),
        input: tensor("input", input),
        output: tensor("output", output),
        pitch: Pitch { um_per_px: 1.0, least_um_per_px: 1.0, greatest_um_per_px: 1.0, source: "test".into() },
        cells: (role == Role::Segmentation).then_some(CellRule {
            foreground_level: 128,
            peak_level: 140,
            saddle_depth: 16,
            white_saddle_depth: None,
            white_margin: 0,
            least_area_px: 12,
        }),
        training: Training {
            command: String::new(),
            seed: 0,
            epochs: 0,
            steps: 0,
            data: String::new(),
            licence: String::new(),
            parameters: 0,
            macs: 0,
        },
        figures: Default::default(),
        figures_from: String::new(),
        golden: Golden { generator: golden::GENERATOR.into(), seed: 3, output_sha256: golden::sha256(&golden_output) },
    };
    Draft { graph, manifest }
}

/// Dequantize, a 1x1 convolution of three channels, quantize; all scales 1.
fn convolution(role: Role, weights: &[i8], biases: &[i32], result: &str) -> GraphProto {
    let (input, output) = shapes(role, biases.len());
    let channels = biases.len() as i64;
    let tensor = |name: &str, kind, dims: Vec<i64>, raw_data| TensorProto {
        name: name.into(),
        data_type: kind as i32,
        dims,
        raw_data,
        ..Default::default()
    };
    let bytes = |bytes: &[i8]| bytes.iter().flat_map(|byte| byte.to_le_bytes()).collect::<Vec<u8>>();
    GraphProto {
        name: "fixture".into(),
        initializer: vec![
            tensor("one", DataType::Float, vec![], 1_f32.to_le_bytes().into()),
            tensor("zero_u8", DataType::Uint8, vec![], vec![0]),
            tensor("zero_i8", DataType::Int8, vec![], vec![0]),
            tensor("zero_i32", DataType::Int32, vec![], vec![0; 4]),
            tensor("weights", DataType::Int8, vec![channels, 3, 1, 1], bytes(weights)),
            tensor("biases", DataType::Int32, vec![channels], biases.iter().flat_map(|b| b.to_le_bytes()).collect()),
        ],
        node: vec![
            node("DequantizeLinear", &["input", "one", "zero_u8"], "x", vec![]),
            node("DequantizeLinear", &["weights", "one", "zero_i8"], "w", vec![]),
            node("DequantizeLinear", &["biases", "one", "zero_i32"], "b", vec![]),
            node("Conv", &["x", "w", "b"], "y", vec![ints("kernel_shape", &[1, 1])]),
            node("QuantizeLinear", &["y", "one", "zero_u8"], result, vec![]),
        ],
        input: vec![value("input", input)],
        output: vec![value("output", output)],
        ..Default::default()
    }
}

pub fn node(operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        name: output.into(),
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: vec![output.into()],
        attribute,
        ..Default::default()
    }
}

pub fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Ints as i32, ints: ints.into(), ..Default::default() }
}

pub fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i, ..Default::default() }
}

fn word(name: &str, s: &str) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::String as i32, s: s.into(), ..Default::default() }
}

fn value(name: &str, sizes: [usize; 4]) -> ValueInfoProto {
    let dim = |size: &usize| shape::Dimension {
        value: Some(shape::dimension::Value::DimValue(*size as i64)),
        ..Default::default()
    };
    let tensor = type_proto::Tensor {
        elem_type: DataType::Uint8 as i32,
        shape: Some(TensorShapeProto { dim: sizes.iter().map(dim).collect() }),
    };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() }),
        ..Default::default()
    }
}
