//! A picture in, blood cells out.
//!
//! The modules are the steps of the data, in the order in which a picture meets them:
//!
//! 1. [`frame`]: pictures decoded under limits, judged, normalised, resized.
//! 2. [`tile`]: the grid of overlapping 64x64 tiles, and stitching without seams.
//! 3. [`model`]: manifests, the gate in front of the engine, the built-in models.
//! 4. [`engine`]: runs a net on bytes; the one module that touches tract.
//! 5. [`super_resolution`] and [`segmentation`]: a net each, and the meaning of its tensors.
//! 6. [`cells`]: maps to labels, labels to measures; [`consistency`] and [`support`] say whether the input supports a cell.
//! 7. [`pipeline`]: all of it in a row, in memory that is reused from frame to frame.
//! 8. [`scale`] finds how large the red cells of a picture are and brings it to the scale of the models; [`placement`] says
//!    where what was found lies on the input; [`calibration`] measures the pitch of a camera.
//! 9. [`pictures`] and [`overlay`] draw what came out.
//!
//! Nothing here opens a network connection, a database or a camera, prints, or keeps global state.

// The tiny models of the tests are shared with other crates, where this library has this name.
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
