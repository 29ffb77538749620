//! The gate in front of the engine: no model reaches it before it has been validated against its manifest.
//!
//! The engine was not designed for hostile files: a valid graph with an absurd number can end the process. A model is
//! accepted only if its size, hash, role, shapes and operators are supported, and the contents of the graph are sane
//! ([`onnx_gate`], a separate reader). The engine plans what that reader has parsed.

use super::{
    golden,
    manifest::{Manifest, Role, Tensor},
    onnx_gate::{self, Fault},
};
use crate::{
    error::{Error, Result},
    geometry::{SCALE, TILE_PX, TILE_SR_PX},
    model::limits::MAX_MODEL_BYTES,
};

/// Supported operators. `Identity` names values in the float twins that `eval` uses to measure drift.
pub const OPERATORS: [&str; 9] =
    ["Add", "Concat", "Conv", "DepthToSpace", "DequantizeLinear", "Identity", "QuantizeLinear", "Relu", "SpaceToDepth"];

/// ONNX operator sets that the engine is known to support.
pub const OPSETS: std::ops::RangeInclusive<u32> = 17..=18;

const RESTORE: &str = "Restore the model and its manifest together, or omit --models to use the built-in ones";

/// Output maps of a segmenter that reports kinds: foreground, core, white, platelet. Others have the first two.
pub const CHANNELS_WITH_KINDS: usize = 4;

/// Shapes of the input and output required by a role, batch first, channels before rows. The output of a segmenter may
/// also have [`CHANNELS_WITH_KINDS`] channels.
pub fn shapes(role: Role) -> ([usize; 4], [usize; 4]) {
    let (tile, sr) = (TILE_PX as usize, TILE_SR_PX as usize);
    match role {
        Role::SuperResolution => ([1, 3, tile, tile], [1, 3, sr, sr]),
        Role::Segmentation => ([1, 3, sr, sr], [1, 2, sr, sr]),
    }
}

/// Output pixels per input pixel along each axis.
pub fn scale(role: Role) -> usize {
    match role {
        Role::SuperResolution => SCALE as usize,
        Role::Segmentation => 1,
    }
}

/// Checks a manifest, then `onnx` against it; `origin` names the model in errors.
///
/// # Errors
/// [`Error::Model`] with the difference.
pub fn check(manifest: &Manifest, role: Role, onnx: &[u8], origin: &str) -> Result<()> {
    check_with(manifest, role, onnx, origin, true)
}

/// The same without the hash, for built-in models.
///
/// # Errors
/// As [`check`].
#[cfg(built_in_models)]
pub(super) fn check_without_hash(manifest: &Manifest, role: Role, onnx: &[u8], origin: &str) -> Result<()> {
    check_with(manifest, role, onnx, origin, false)
}

fn check_with(manifest: &Manifest, role: Role, onnx: &[u8], origin: &str, with_hash: bool) -> Result<()> {
    check_manifest(manifest, role, origin)?;
    let fault = |found: String, expected: String| Err(Error::model(origin, found, expected, RESTORE));
    let size_bytes = onnx.len() as u64;
    if size_bytes > MAX_MODEL_BYTES {
        return fault(format!("a model of {size_bytes} bytes"), format!("at most {MAX_MODEL_BYTES} bytes"));
    }
    if size_bytes != manifest.size_bytes {
        let found = format!("a model of {size_bytes} bytes");
        return fault(found, format!("{} bytes, as its manifest says", manifest.size_bytes));
    }
    let sha256 = if with_hash { golden::sha256(onnx) } else { manifest.sha256.clone() };
    if sha256 != manifest.sha256 {
        return fault(format!("sha256 {sha256}"), format!("{}, as its manifest says", manifest.sha256));
    }
    match onnx_gate::check(onnx).and_then(|seen| seen.agree(manifest)) {
        Ok(()) => Ok(()),
        Err(Fault { found, expected }) => fault(found, expected),
    }
}

fn check_manifest(manifest: &Manifest, role: Role, origin: &str) -> Result<()> {
    let fault = |found: String, expected: String| Err(Error::model(origin, found, expected, RESTORE));
    if manifest.role != role {
        return fault(format!("a model for {:?}", manifest.role), format!("one for {role:?}"));
    }
    let (input, output) = shapes(role);
    let with_kinds = (role == Role::Segmentation).then(|| [output[0], CHANNELS_WITH_KINDS, output[2], output[3]]);
    check_tensor(&manifest.input, "input", input, None, origin)?;
    check_tensor(&manifest.output, "output", output, with_kinds, origin)?;
    if let Some(unknown) = manifest.operators.iter().find(|name| !OPERATORS.contains(&name.as_str())) {
        return fault(format!("operator {unknown}"), format!("one of {}", OPERATORS.join(", ")));
    }
    if !OPSETS.contains(&manifest.opset) {
        return fault(format!("opset {}", manifest.opset), format!("{} to {}", OPSETS.start(), OPSETS.end()));
    }
    if manifest.golden.generator != golden::GENERATOR {
        return fault(format!("golden generator {:?}", manifest.golden.generator), format!("{:?}", golden::GENERATOR));
    }
    match (role, &manifest.cells) {
        (Role::Segmentation, None) => fault("no [cells]".into(), "the rule for extracting cells".into()),
        (Role::SuperResolution, Some(_)) => fault("[cells]".into(), "none in a super-resolution model".into()),
        _ => Ok(()),
    }
}

fn check_tensor(tensor: &Tensor, what: &str, shape: [usize; 4], or: Option<[usize; 4]>, origin: &str) -> Result<()> {
    let fault = |found: String, expected: String| Err(Error::model(origin, found, expected, RESTORE));
    if tensor.dtype != "u8" {
        return fault(format!("{what} of {}", tensor.dtype), "u8".into());
    }
    if tensor.shape != shape && Some(tensor.shape) != or {
        let other = or.map_or_else(String::new, |or| format!(" or {or:?}"));
        return fault(format!("{what} of shape {:?}", tensor.shape), format!("{shape:?}{other}"));
    }
    if tensor.range[0] >= tensor.range[1] {
        return fault(format!("{what} range {:?}", tensor.range), "least before greatest".into());
    }
    Ok(())
}
