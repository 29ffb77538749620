//! A model's graph, for the strict reader only.

use bloodseg_vision::model::onnx_gate;

/// The bytes are an ONNX file.
///
/// # Panics
/// If the reader panics, or is inconsistent about the same bytes.
pub fn meet(bytes: &[u8]) -> bool {
    let taken = onnx_gate::check(bytes).is_ok();
    assert_eq!(onnx_gate::check(bytes).is_ok(), taken);
    taken
}
