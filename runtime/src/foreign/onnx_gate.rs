//! A model's graph, before anything but our own reader has seen it.

use bloodseg_vision::model::onnx_gate;

/// The bytes are an ONNX file.
///
/// # Panics
/// When the reader does, or when it is of two minds about the same bytes.
pub fn meet(bytes: &[u8]) -> bool {
    let taken = onnx_gate::check(bytes).is_ok();
    assert_eq!(onnx_gate::check(bytes).is_ok(), taken);
    taken
}
