//! Models as files: the manifest that describes one, the gate that checks one before the engine sees it, the models that
//! the binary carries, bundles of models that are signed, and the slots that they are installed into.

pub mod gate;
pub mod golden;
pub mod limits;
pub mod manifest;
pub mod onnx_gate;
pub mod store;
