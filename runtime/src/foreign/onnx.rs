//! A model's graph, with a matching manifest.

use std::borrow::Cow;

use bloodseg_vision::{
    engine::{Engine, Setup},
    error::{Error, ErrorKind, Result},
    model::{
        gate, golden,
        manifest::{Manifest, Role},
        onnx_gate,
        store::Model,
    },
};

const MANIFEST: &str = include_str!("onnx.toml");

/// Edge of the pictures that the model is planned for, in pixels.
const EDGE_PX: usize = 16;

/// A byte for the role, and the ONNX file. The manifest describes the file as correctly as possible, as an attacker's
/// would.
///
/// # Panics
/// If a fault is not reported as one of the model.
pub fn meet(bytes: &[u8]) -> bool {
    let Some((role, onnx)) = bytes.split_first() else { return false };
    let role = if role % 2 == 0 { Role::Segmentation } else { Role::SuperResolution };
    let checked =
        vouched(role, onnx).and_then(|model| Engine::load(&model, EDGE_PX, EDGE_PX, &Setup::default()).map(drop));
    if let Err(error) = &checked {
        assert_eq!(error.kind(), ErrorKind::Model, "{error}");
    }
    checked.is_ok()
}

fn vouched(role: Role, onnx: &[u8]) -> Result<Model> {
    let mut manifest = Manifest::parse(MANIFEST, "foreign")?;
    manifest.role = role;
    (manifest.input.shape, manifest.output.shape) = gate::shapes(role);
    manifest.cells = manifest.cells.filter(|_| role == Role::Segmentation);
    manifest.size_bytes = onnx.len() as u64;
    manifest.sha256 = golden::sha256(onnx);
    let seen = onnx_gate::check(onnx).map_err(|fault| Error::model("foreign", fault.found, fault.expected, ""))?;
    manifest.operators = seen.operators.into_iter().collect();
    Model::new(&manifest.to_text()?, Cow::Owned(onnx.to_vec()), role, "foreign")
}
