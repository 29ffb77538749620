//! The engine on the fixture's models, and on corrupted ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use tract_core::prelude::*;
use tract_onnx::{
    pb::{AttributeProto, TensorProto, attribute_proto::AttributeType, tensor_proto::DataType},
    prelude::InferenceModelExt,
};

use super::{
    Engine, STOCK, Setup,
    fixture::{self, Draft, int, ints},
    read,
};
use crate::{
    error::Result,
    model::{golden, manifest::Manifest, onnx_gate, store::Model},
};

fn load(draft: &Draft) -> Result<Engine> {
    fixture::untried(draft).and_then(|model| Engine::load(&model, 64, 64, &Setup::default()))
}

fn refusal(spoil: impl Fn(&mut Draft)) -> String {
    let mut draft = fixture::ssr();
    spoil(&mut draft);
    let error = load(&draft).unwrap_err();
    assert_eq!(error.kind(), crate::error::ErrorKind::Model);
    error.to_string()
}

#[test]
fn golden_output_is_verified_and_mismatch_reported() {
    let models = fixture::models();
    Engine::load(&models.ssr, 64, 64, &Setup::default()).unwrap().verify(&models.ssr).unwrap();
    Engine::load(&models.unet, 256, 256, &Setup::default()).unwrap().verify(&models.unet).unwrap();
    let mut other = models.ssr.clone();
    other.manifest.golden.seed += 1;
    let error = Engine::load(&other, 64, 64, &Setup::default()).unwrap().verify(&other).unwrap_err().to_string();
    assert!(error.contains("golden output"), "{error}");
}

#[test]
fn graph_runs_at_other_picture_sizes() {
    let models = fixture::models();
    let mut engine = Engine::load(&models.ssr, 32, 48, &Setup::default()).unwrap();
    assert_eq!((engine.input_shape(), engine.output_shape()), ([1, 32, 48, 3], [1, 128, 192, 3]));
    let input: Vec<u8> = (0..3 * 32 * 48).map(|i| (i % 253) as u8).collect();
    let mut output = vec![0; 3 * 128 * 192];
    for _ in 0..2 {
        output.fill(0);
        engine.run(&input, &mut output).unwrap();
        for (at, level) in output.iter().enumerate() {
            let (channel, y, x) = (at % 3, at / 3 / 192, at / 3 % 192);
            assert_eq!(*level, input[(y / 4 * 48 + x / 4) * 3 + channel]);
        }
    }
    assert!(engine.figures().activation_bytes >= 48 * 32 * 48);
}

#[test]
fn buffers_of_wrong_length_are_rejected() {
    let mut engine = load(&fixture::ssr()).unwrap();
    assert_eq!(engine.run(&[0; 7], &mut [0; 9]).unwrap_err().kind(), crate::error::ErrorKind::Internal);
}

#[test]
fn graph_that_differs_from_manifest_is_rejected() {
    assert!(refusal(|draft| draft.manifest.operators.push("Relu".into())).contains("operators"));
    assert!(refusal(|draft| draft.manifest.operators.clear()).contains("operators"));
    assert!(refusal(|draft| draft.manifest.opset = 18).contains("only opset 18"));
    assert!(refusal(|draft| draft.manifest.input.name = "other".into()).contains("input \"input\""));
    assert!(refusal(|draft| draft.graph.output.clear()).contains("0 outputs"));
    assert!(refusal(|draft| draft.graph.node[0].domain = "com.microsoft".into()).contains("com.microsoft"));
}

#[test]
fn invalid_attributes_and_tensors_are_rejected() {
    assert!(refusal(|draft| draft.graph.node[5].attribute[1] = int("blocksize", 0)).contains("blocksize"));
    assert!(refusal(|draft| draft.graph.node[3].attribute.push(ints("strides", &[0, 1]))).contains("strides"));
    assert!(refusal(|draft| draft.graph.node[3].attribute.push(ints("pads", &[1 << 40, 0, 0, 0]))).contains("pads"));
    assert!(refusal(|draft| draft.graph.node[3].attribute.push(ints("pads", &[-1, 0, 0, 0]))).contains("pads"));
    for (scale, what) in [(0.0, "the scale 0"), (-1.0, "the scale -1"), (f32::NAN, "the value NaN")] {
        let bytes = f32::to_le_bytes(scale);
        assert!(refusal(|draft| draft.graph.initializer[0].raw_data = bytes.into()).contains(what));
    }
    assert!(refusal(|draft| draft.graph.initializer[0].dims = vec![1, 1]).contains("one of shape [1, 1]"));
    let floats = |value: f32| TensorProto {
        name: "loose".into(),
        data_type: DataType::Float as i32,
        raw_data: value.to_le_bytes().into(),
        ..Default::default()
    };
    assert!(refusal(|draft| draft.graph.initializer.push(floats(f32::NAN))).contains("the value NaN"));
    let mut draft = fixture::ssr();
    draft.graph.initializer.push(floats(-1.0));
    load(&draft).unwrap();
    assert!(refusal(|draft| draft.graph.initializer[4].dims = vec![48, 3, 1 << 40, 1]).contains("shape"));
    assert!(refusal(|draft| draft.graph.initializer[4].dims = vec![48, 3, 0, 1]).contains("shape"));
    assert!(refusal(|draft| draft.graph.initializer[4].raw_data.truncate(5)).contains("5 bytes"));
    assert!(refusal(|draft| draft.graph.initializer[4].data_type = DataType::String as i32).contains("element type"));
    let tensor =
        AttributeProto { t: Some(TensorProto::default()), r#type: AttributeType::Tensor as i32, ..int("value", 0) };
    assert!(refusal(|draft| draft.graph.node[0].attribute.push(tensor.clone())).contains("neither a word"));
}

#[test]
fn exploding_constants_are_rejected() {
    // 16 KiB of weights that broadcast to 4 TiB.
    refusal(|draft| {
        for (at, name) in ["c0", "c1", "c2", "c3"].into_iter().enumerate() {
            let mut dims = vec![1; 4];
            dims[at] = 1024;
            let (name, raw_data) = (name.to_owned(), vec![0; 4096]);
            let data_type = DataType::Float as i32;
            draft.graph.initializer.push(TensorProto { name, data_type, dims, raw_data, ..Default::default() });
        }
        for (sum, a, b) in [("s0", "c0", "c1"), ("s1", "s0", "c2"), ("s2", "s1", "c3"), ("y2", "y", "s2")] {
            draft.graph.node.insert(4, fixture::node("Add", &[a, b], sum, vec![]));
        }
        draft.graph.node[4..8].reverse();
        draft.graph.node[8].input[0] = "y2".into();
        draft.manifest.operators.insert(0, "Add".into());
    });
    let error = refusal(|draft| {
        let joined = fixture::node("Concat", &["weights", "weights"], "joined", vec![int("axis", 0)]);
        draft.graph.node.insert(0, joined);
        draft.manifest.operators.insert(0, "Concat".into());
    });
    assert!(error.contains("constants only"), "{error}");
}

#[test]
fn inconsistent_graph_is_rejected() {
    refusal(|draft| draft.graph.node[3].input[1] = "nowhere".into());
    refusal(|draft| draft.graph.node[3].attribute[0] = ints("kernel_shape", &[3, 3]));
    refusal(|draft| draft.graph.node[5].attribute[1] = int("blocksize", 2));
    refusal(|draft| drop(draft.graph.node.remove(0)));
    refusal(|draft| draft.graph.initializer.clear());
}

#[test]
fn graphs_accepted_by_gate_can_be_wired() {
    let model = fixture::take(&fixture::ssr());
    let onnx = model.onnx.to_vec();
    let mut let_through = 0;
    for at in 0..onnx.len() {
        for bit in [1, 0x10, 0x80] {
            let mut bytes = onnx.clone();
            bytes[at] ^= bit;
            let Ok((graph, seen)) = onnx_gate::read(&bytes) else { continue };
            if seen.agree(&model.manifest).is_ok() {
                let_through += 1;
                read::typed(&graph, [1, 3, 64, 64]).unwrap_or_else(|e| panic!("byte {at}, bit {bit}: {e}"));
            }
        }
    }
    // Weight levels are unrestricted.
    assert!(let_through > 3 * 48, "{let_through} of {}", 3 * onnx.len());
}

/// The output of tract with its own ONNX reader for an input with interleaved channels.
fn tract_output(onnx: &[u8], edge: usize, pixels: &[u8]) -> Vec<u8> {
    let model = tract_onnx::onnx()
        .with_ignore_value_info(true)
        .with_ignore_output_shapes(true)
        .model_for_read(&mut &*onnx)
        .and_then(|model| model.with_input_fact(0, u8::fact([1, 3, edge, edge]).into()))
        .and_then(|model| model.into_optimized()?.into_runnable());
    let input = Tensor::from_shape(&[1, edge, edge, 3], pixels).unwrap().move_axis(3, 1).unwrap();
    let output = model.unwrap().run(tvec!(input.into_tvalue())).unwrap()[0].clone().into_tensor();
    output.move_axis(1, 3).unwrap().try_as_plain_ram().unwrap().as_slice::<u8>().unwrap().to_vec()
}

#[test]
fn output_matches_tract_onnx_reader() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    for (path, edge) in [("ssr", 32), ("unet", 64), ("float/ssr", 32), ("float/unet", 64)] {
        let text = std::fs::read_to_string(models.join(path).with_extension("toml")).unwrap();
        let onnx = std::fs::read(models.join(path).with_extension("onnx")).unwrap();
        let input = golden::input(5, 3 * edge * edge);
        let wanted = tract_output(&onnx, edge, &input);
        let model = Model { manifest: Manifest::parse(&text, path).unwrap(), onnx: onnx.into() };
        for setup in [Setup::with_kernel(STOCK).unwrap(), Setup::default()] {
            let mut engine = Engine::load(&model, edge, edge, &setup).unwrap();
            let mut output = vec![0; wanted.len()];
            engine.run(&input, &mut output).unwrap();
            assert!(output == wanted, "{path} with {}", setup.kernel());
        }
    }
}

#[test]
fn bytes_that_are_not_a_graph_are_rejected() {
    let (_, onnx) = fixture::files(&fixture::ssr());
    for bytes in [vec![], vec![0xff; 40], onnx[..onnx.len() / 2].to_vec()] {
        let mut model = fixture::take(&fixture::ssr());
        model.onnx = bytes.into();
        assert_eq!(Engine::load(&model, 64, 64, &Setup::default()).unwrap_err().kind(), crate::error::ErrorKind::Model);
    }
}

#[test]
fn built_in_nets_are_fully_integer_with_every_kernel() {
    let models = crate::model::store::Models::embedded().unwrap();
    for kernel in Setup::kernels() {
        let setup = Setup::with_kernel(kernel).unwrap();
        for (model, edge) in [(&models.ssr, 64), (&models.unet, 256)] {
            let mut engine = Engine::load(model, edge, edge, &setup).unwrap();
            assert_eq!(engine.figures().kernel, kernel);
            assert!(engine.figures().stock_nodes.is_empty(), "{:?}", engine.figures().stock_nodes);
            // The hash is what libtorch computed from the input in training.
            engine.verify(model).unwrap();
            engine.another().unwrap().verify(model).unwrap();
        }
        // One arena for both, as planned: 3 MiB are allowed.
        assert!((1..3 << 20).contains(&setup.arena_bytes()), "{}", setup.arena_bytes());
    }
    assert!(Setup::with_kernel("abacus").is_none());
}

#[test]
fn body_ends_with_last_convolution() {
    let models = fixture::models();
    let engine = Engine::load_body(&models.ssr, 64, 64, &Setup::default()).unwrap();
    assert_eq!(engine.output_shape(), [1, 64, 64, 48]);
}
