//! The gate on the shipped models, the fixture's, and corrupted ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::{
    engine::fixture::{self, Draft, int, ints},
    model::gate,
};

fn onnx(draft: &Draft) -> Vec<u8> {
    fixture::files(draft).1
}

fn refusal(spoil: impl Fn(&mut Draft)) -> String {
    let mut draft = fixture::ssr();
    spoil(&mut draft);
    match check(&onnx(&draft)).and_then(|seen| seen.agree(&draft.manifest)) {
        Err(fault) => fault.to_string(),
        Ok(()) => panic!("it was accepted"),
    }
}

#[test]
fn shipped_models_and_float_twins_are_accepted() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    for (path, macs) in
        [("ssr", 179_699_712), ("unet", 316_276_736), ("float/ssr", 179_699_712), ("float/unet", 316_276_736)]
    {
        let text = std::fs::read_to_string(models.join(path).with_extension("toml")).unwrap();
        let manifest = Manifest::parse(&text, path).unwrap();
        let seen = check(&std::fs::read(models.join(path).with_extension("onnx")).unwrap()).unwrap();
        seen.agree(&manifest).unwrap();
        assert_eq!(seen.need.macs, macs, "{path}");
        let need = seen.need;
        assert!(0 < need.least_map_bytes && need.least_map_bytes < need.most_map_bytes, "{path}: {need:?}");
        assert!(manifest.training.parameters <= need.weight_bytes, "{path}: {need:?}");
    }
}

#[test]
fn fixture_is_described_as_built() {
    let seen = check(&onnx(&fixture::ssr())).unwrap();
    let (input, output) = gate::shapes(crate::model::manifest::Role::SuperResolution);
    assert_eq!((seen.input.1, seen.output.1, seen.opset), (input, output, 17));
    // A float, three zero points, 48 biases, 48x3 weights; the input, the convolved and the moved picture as levels.
    assert_eq!(seen.need.weight_bytes, 4 + 1 + 1 + 4 + 48 * 4 + 48 * 3);
    assert_eq!(seen.need.macs, 64 * 64 * 48 * 3);
    assert_eq!(seen.need.least_map_bytes, 2 * 64 * 64 * 48);
}

#[test]
fn invalid_attributes_are_rejected() {
    for blocksize in [0, -1, 3, 2, 1 << 40] {
        refusal(|draft| draft.graph.node[5].attribute[1] = int("blocksize", blocksize));
    }
    assert!(refusal(|draft| drop(draft.graph.node[5].attribute.pop())).contains("blocksize"));
    for (name, values) in [
        ("strides", [0, 1].as_slice()),
        ("strides", &[1]),
        ("strides", &[2, 2]),
        ("dilations", &[0, 0]),
        ("pads", &[1 << 40, 0, 0, 0]),
        ("pads", &[-1, 0, 0, 0]),
        ("pads", &[0, 0]),
        ("kernel_shape", &[1, 1]),
        ("other", &[1]),
    ] {
        refusal(|draft| draft.graph.node[3].attribute.push(ints(name, values)));
    }
    for (group, wanted) in [(0, "group"), (3, "groups"), (1 << 13, "group")] {
        assert!(refusal(|draft| draft.graph.node[3].attribute.push(int("group", group))).contains(wanted));
    }
    for axis in [5, -5, i64::MIN, i64::MAX] {
        assert!(refusal(|draft| draft.graph.node[0].attribute.push(int("axis", axis))).contains("axis"));
    }
}

#[test]
fn invalid_weights_and_scales_are_rejected() {
    for scale in [0.0, -0.0, -1.0, 3.0, 0.1, f32::NAN, f32::INFINITY, 1e-45, 2_f32.powi(40)] {
        let bytes = scale.to_le_bytes();
        refusal(|draft| draft.graph.initializer[0].raw_data = bytes.into());
    }
    for dims in
        [vec![48, 3, 1 << 40, 1], vec![48, 3, 0, 1], vec![48, 3, -1, 1], vec![48, 3, 1, 1, 1], vec![48, 1, 1, 3]]
    {
        refusal(|draft| draft.graph.initializer[4].dims = dims.clone());
    }
    assert!(refusal(|draft| draft.graph.initializer[4].raw_data.truncate(5)).contains("5 bytes"));
    assert!(refusal(|draft| draft.graph.initializer[4].data_type = 8).contains("element type 8"));
    assert!(refusal(|draft| draft.graph.initializer[4].int32_data = vec![1]).contains("raw data"));
    assert!(refusal(|draft| draft.graph.initializer[4].data_location = Some(1)).contains("raw data"));
    assert!(refusal(|draft| draft.graph.initializer[4].external_data = vec![Default::default()]).contains("raw data"));
    assert!(refusal(|draft| draft.graph.initializer[3].raw_data = vec![1, 0, 0, 0]).contains("zero point"));
    assert!(refusal(|draft| draft.graph.node[0].input[2] = "zero_i8".into()).contains("zero point"));
    assert!(refusal(|draft| draft.graph.node[0].input[1] = "zero_i8".into()).contains("scale"));
    assert!(refusal(|draft| drop(draft.graph.node[0].input.pop())).contains("inputs"));
}

#[test]
fn inconsistent_graph_is_rejected() {
    assert!(refusal(|draft| draft.graph.node[3].input[1] = "nowhere".into()).contains("no earlier node"));
    assert!(refusal(|draft| draft.graph.node.swap(0, 3)).contains("no earlier node"));
    assert!(refusal(|draft| draft.graph.node[1].output[0] = "x".into()).contains("twice"));
    assert!(refusal(|draft| draft.graph.node[1].output[0] = String::new()).contains("without a name"));
    assert!(refusal(|draft| draft.graph.node[1].output.push("z".into())).contains("more than one"));
    assert!(refusal(|draft| draft.graph.node[0].op_type = "Loop".into()).contains("Loop"));
    assert!(refusal(|draft| draft.graph.node[0].domain = "com.microsoft".into()).contains("com.microsoft"));
    assert!(refusal(|draft| draft.graph.output[0].name = "y".into()).contains("output"));
    assert!(refusal(|draft| draft.graph.output.clear()).contains("0 outputs"));
    assert!(refusal(|draft| draft.graph.input.clear()).contains("no earlier node"));
    assert!(refusal(|draft| draft.graph.sparse_initializer = vec![Default::default()]).contains("field 15"));
    assert!(refusal(|draft| draft.graph.quantization_annotation = vec![Default::default()]).contains("field 14"));
    let again = fixture::ssr().graph.node[5].clone();
    assert!(refusal(|draft| draft.graph.node = vec![again.clone(); 5000]).contains("4096 nodes"));
}

#[test]
fn graph_that_differs_from_manifest_is_rejected() {
    assert!(refusal(|draft| draft.manifest.operators.push("Relu".into())).contains("operators"));
    assert!(refusal(|draft| draft.manifest.opset = 18).contains("opset 17"));
    assert!(refusal(|draft| draft.manifest.input.name = "other".into()).contains("as its manifest says"));
    assert!(refusal(|draft| draft.manifest.output.shape[2] = 9).contains("as its manifest says"));
}

#[test]
fn rejects_two_graphs_in_one_file() {
    // A protobuf reader merges them; this one detects that there is more than one.
    let file = onnx(&fixture::ssr());
    let twice = [file.clone(), file.clone()].concat();
    assert!(check(&twice).unwrap_err().to_string().contains("more than one"), "{:?}", check(&twice));
    check(&file).unwrap();
}

#[test]
fn file_truncated_anywhere_is_rejected() {
    let file = onnx(&fixture::unet());
    for length in 0..file.len() {
        check(&file[..length]).unwrap_err();
    }
    for draft in [fixture::ssr(), fixture::unet()] {
        check(&[onnx(&draft), vec![0]].concat()).unwrap_err();
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = check(&bytes);
    }

    #[test]
    fn corrupted_file_does_not_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut file = onnx(&fixture::ssr());
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        let _ = check(&file);
    }
}
