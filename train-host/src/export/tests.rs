//! Exported models against the trainer's own arithmetic, with onnx and onnxruntime as references.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::{path::Path, process::Command};

use tch::{Device, Kind, Tensor};

use super::graph::{Form, write};
use crate::{
    net::{
        Net,
        forward::{forward, to_levels, to_real},
        grids::{Grid, Grids},
        params::{self, Params},
        ssr, unet,
    },
    quant::calibrate::calibrate,
};
use bloodseg_vision::model::golden;

/// The output of onnxruntime for `input`; `None` if it is not installed. With and without its optimisations it may differ
/// by `tolerance` levels.
fn referee(model: &Path, input: &[u8], tolerance: u8) -> Option<Vec<u8>> {
    let Some(python) = std::env::var_os("BLOODSEG_REFEREE_PYTHON") else {
        eprintln!("skipped: BLOODSEG_REFEREE_PYTHON is not set; scripts/test sets it");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::write(&source, input).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/referee.py");
    let run = Command::new(python)
        .arg(script)
        .arg(model)
        .arg(&source)
        .arg(&target)
        .arg(tolerance.to_string())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    Some(std::fs::read(target).unwrap())
}

fn random_net(net: &Net, output: Grid) -> (Params, Grids, Tensor) {
    let _turn = crate::generator();
    tch::manual_seed(11);
    let params = params::init(net, Device::Cpu);
    let shape = [1, 3, net.input_px, net.input_px];
    let levels = Tensor::from_slice(&golden::input(5, shape.iter().product::<i64>() as usize)).view(shape);
    let grids = calibrate(net, &params, Grid::PICTURE, output, &[to_real(&levels, Grid::PICTURE)]);
    (params, grids, levels)
}

fn bytes(levels: &Tensor) -> Vec<u8> {
    Vec::try_from(levels.contiguous().view([-1])).unwrap()
}

#[test]
fn onnxruntime_and_trainer_agree_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    for (net, output) in [(ssr::net(), Grid::PICTURE), (unet::net(), Grid::MAP)] {
        let (params, grids, levels) = random_net(&net, output);
        let file = folder.path().join(net.name);
        std::fs::write(&file, write(&net, &params, &grids, Form::Quantized).unwrap().bytes).unwrap();
        let real = to_real(&levels, Grid::PICTURE);
        let ours = bytes(&to_levels(&forward(&net, &params, Some(&grids), &real), output));
        assert!(ours.iter().any(|level| *level != ours[0]), "a constant output proves nothing");
        let Some(theirs) = referee(&file, &bytes(&levels), 0) else { return };
        assert_eq!(ours, theirs, "{}", net.name);
    }
}

#[test]
fn float_twin_matches_float_net() {
    let folder = tempfile::tempdir().unwrap();
    for (net, output) in [(ssr::net(), Grid::PICTURE), (unet::net(), Grid::MAP)] {
        let (params, grids, levels) = random_net(&net, output);
        let file = folder.path().join(net.name);
        let written = write(&net, &params, &grids, Form::Float).unwrap();
        std::fs::write(&file, written.bytes).unwrap();
        assert_eq!(written.operators.iter().filter(|op| op.ends_with("Linear")).count(), 2);
        let ours = bytes(&to_levels(&forward(&net, &params, None, &to_real(&levels, Grid::PICTURE)), output));
        let Some(theirs) = referee(&file, &bytes(&levels), 1) else { return };
        // Float sums are computed in another order: a value at the edge of a step may round either way.
        let off = ours.iter().zip(&theirs).filter(|(a, b)| a != b).count();
        assert!(ours.iter().zip(&theirs).all(|(a, b)| a.abs_diff(*b) <= 1));
        assert!(off * 1000 <= ours.len(), "{off} of {}", ours.len());
    }
}

#[test]
fn quantized_graph_has_qdq_operators_and_int8_weights() {
    let net = unet::net();
    let (params, grids, _) = random_net(&net, Grid::MAP);
    let written = write(&net, &params, &grids, Form::Quantized).unwrap();
    let expected = ["Concat", "Conv", "DepthToSpace", "DequantizeLinear", "QuantizeLinear", "SpaceToDepth"];
    assert_eq!(written.operators, expected);
    let float = write(&net, &params, &grids, Form::Float).unwrap();
    assert!(written.bytes.len() * 3 < float.bytes.len(), "int8 weights take a quarter of the space");
}

#[test]
fn sums_beyond_exact_float_range_are_rejected() {
    let net = ssr::net();
    let (mut params, grids, _) = random_net(&net, Grid::PICTURE);
    let exponent = grids.weights["head"][0] + grids.values[0].exponent;
    let bias = Tensor::zeros([32], (Kind::Float, Device::Cpu)) + 2f64.powi(24 + exponent);
    params.insert("head.bias".into(), bias);
    let error = write(&net, &params, &grids, Form::Quantized).unwrap_err();
    assert!(format!("{error:#}").contains("head"), "{error:#}");
}

#[test]
fn committed_models_match_golden_hash_in_onnxruntime() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    for name in ["ssr", "unet"] {
        let text = std::fs::read_to_string(models.join(name).with_extension("toml")).unwrap();
        let manifest = bloodseg_vision::model::manifest::Manifest::parse(&text, name).unwrap();
        let file = models.join(&manifest.file);
        assert_eq!(golden::sha256(&std::fs::read(&file).unwrap()), manifest.sha256);
        let input = golden::input(manifest.golden.seed, manifest.input.shape.iter().product());
        let Some(output) = referee(&file, &input, 0) else { return };
        assert_eq!(golden::sha256(&output), manifest.golden.output_sha256, "{name}: onnxruntime against libtorch");
    }
}
