//! Models as files: the manifest that describes one, the gate that checks one before the engine sees it,
//! and the models that the binary carries.

pub mod gate;
pub mod golden;
pub mod manifest;
pub mod onnx_gate;
pub mod store;
