//! Trained models as files: ONNX in QDQ form, a float twin, and the manifest.

pub mod attributes;
pub mod bundle;
pub mod graph;
pub mod integers;

#[cfg(test)]
mod tests;
