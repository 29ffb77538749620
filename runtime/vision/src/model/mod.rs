//! Models as files: manifests, the gate that validates models before the engine reads them, and the embedded models.

pub mod gate;
pub mod golden;
pub mod limits;
pub mod manifest;
pub mod onnx_gate;
pub mod store;
