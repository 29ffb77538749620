//! A picture in, blood cells out.
//!
//! The modules are the steps of processing, in order:
//!
//! 1. [`frame`]: pictures are decoded within limits, checked, normalised, resized.
//! 2. [`tile`]: the grid of overlapping 64x64 tiles, and seamless stitching.
//! 3. [`model`]: manifests, the gate in front of the engine, the built-in models.
//! 4. [`engine`]: runs a model on bytes; the only module that uses tract.
//! 5. [`super_resolution`] and [`segmentation`]: one model each, and the meaning of its tensors.
//! 6. [`cells`]: maps to labels, labels to measures; [`consistency`] and [`support`] determine whether the input supports
//!    a cell.
//! 7. [`pipeline`]: all steps in sequence, with memory reused from frame to frame.
//! 8. [`scale`] determines the size of the red cells and rescales pictures for the models; [`placement`] maps results to
//!    the input; [`calibration`] measures the pitch of a camera.
//! 9. [`pictures`] and [`overlay`] draw the results.
//!
//! Nothing here opens a network connection, a database or a camera, prints, or has global state.

// The tiny models of the tests are shared with other crates, which see this library under this name.
#[cfg(test)]
extern crate self as bloodseg_vision;

pub mod calibration;
pub mod cells;
pub mod consistency;
pub mod digest;
pub mod engine;
pub mod error;
pub mod frame;
pub mod geometry;
pub mod model;
pub mod overlay;
pub mod pictures;
pub mod pipeline;
pub mod placement;
pub mod scale;
pub mod segmentation;
pub mod super_resolution;
pub mod support;
pub mod tile;
