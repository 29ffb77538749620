//! A picture in, blood cells out: super-resolution, segmentation and measures by int8 nets in fixed memory.
//!
//! A picture of a stained thin smear is rescaled so that its red cells are 5.5 pixels wide, super-resolved to four times
//! its size, and segmented there. The result is a label and a row of measures for every red cell, white cell and
//! platelet. **Not a medical device.**
//!
//! ```
//! use bloodseg_vision::{
//!     analyser::{Analyser, Options},
//!     model::store::Models,
//! };
//! use image::RgbImage;
//!
//! let mut analyser = Analyser::new(&Models::embedded()?, Options::default())?;
//! // In place of a picture: no light.
//! let found = analyser.analyse(&RgbImage::new(320, 240))?;
//! match found.counts() {
//!     Some(counts) => println!("{} cells", counts.cells),
//!     None => println!("not counted: {}", found.reason()),
//! }
//! # Ok::<(), bloodseg_vision::error::Error>(())
//! ```
//!
//! [`analyser`] is the entry point: `bloodseg segment` is built on it. `examples/` has a program that prints the cells
//! of a file, and one that stays within a budget of memory.
//!
//! # Models
//!
//! [`Models::embedded`](model::store::Models::embedded) are part of the library, if `models/` has the four files when it
//! is compiled. [`Models::load`](model::store::Models::load) reads a folder; `bloodseg-bundles` reads signed bundles. A
//! strict gate checks every model before it runs, and results are the same on every processor, to the last byte.
//!
//! # Scale
//!
//! The pitch is the edge of a pixel in the specimen. If [`Options::um_per_px`](analyser::Options::um_per_px) or the
//! file gives none, the red cells of the picture are measured, and a picture whose scale cannot be determined is not
//! counted. Pictures of one microscope should share their scale:
//! [`Analyser::share_scale`](analyser::Analyser::share_scale).
//!
//! A count that is missing differs from 0: [`Found::counts`](analyser::Found::counts) is `None` for a picture that is out
//! of focus, empty, badly exposed, or of unknown scale.
//!
//! # Memory
//!
//! [`Analyser::memory_bytes`](analyser::Analyser::memory_bytes) states what a picture takes at most before it is
//! analysed; if its scale is not known, for the worst case. [`Options::most_bytes`](analyser::Options::most_bytes) is a
//! limit: only pictures that turn out to need more are rejected. Memory is kept from picture to picture. Threads: an
//! analyser is `Send`, and [`Analyser::another`](analyser::Analyser::another) shares the weights.
//!
//! # Errors
//!
//! Every [`error::Error`] says what was found, what was expected and what to do. [`error::Error::kind`] says who can fix
//! it: the picture or an option, a model, or a bug. No picture, number, file or model makes the library panic.
//!
//! # Units
//!
//! Units end names: `_px`, `_um`, `_ms`, `_bytes`. Pixels are those of the super-resolved picture unless a name says
//! otherwise, with the origin at the outer corner of the first; [`placement`] maps them to the input. Levels are 0 to 255.
//!
//! # Features
//!
//! Both are on by default. Every build computes the same.
//!
//! - `built-in-models`: the weights of [`model::store::Models::embedded`]. Without it, that is an error: load a folder or a
//!   bundle.
//! - `drawing`: [`pictures`] and [`overlay`].
//!
//! # Modules
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
//! 10. [`analyser`]: the front end to all of it.
//!
//! Nothing here opens a network connection, a database or a camera, prints, or has global state.

// The tiny models of the tests are shared with other crates, which see this library under this name.
#[cfg(test)]
extern crate self as bloodseg_vision;

pub mod analyser;
pub mod calibration;
pub mod cells;
pub mod consistency;
pub mod digest;
pub mod engine;
pub mod error;
pub mod frame;
pub mod geometry;
pub mod model;
#[cfg(feature = "drawing")]
pub mod overlay;
#[cfg(feature = "drawing")]
pub mod pictures;
pub mod pipeline;
pub mod placement;
pub mod scale;
pub mod segmentation;
pub mod super_resolution;
pub mod support;
pub mod tile;

/// The examples in `docs/library.md`, as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
struct LibraryPage;
