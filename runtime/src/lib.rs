//! bloodseg: low-resolution microscope frames in, blood cells with measures out.
//!
//! The folders are the way of the data: [`camera`] -> [`frame`] -> [`tile`] -> [`super_resolution`] ->
//! [`segmentation`] -> [`cells`] -> [`records`]; [`pipeline`] is the steps in a row. [`smear`] renders pictures
//! whose cells are known.

// The fixture of the tests is shared with the integration tests, where the library has this name.
#[cfg(test)]
extern crate self as bloodseg;

pub mod bench;
pub mod calibration;
pub mod camera;
pub mod cells;
pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod engine;
pub mod error;
pub mod evaluation;
pub mod foreign;
pub mod frame;
pub mod host;
pub mod limits;
pub mod measures;
pub mod memory;
pub mod model;
pub mod outbox;
pub mod page;
pub mod pipeline;
pub mod records;
pub mod report;
pub mod run;
pub mod scale;
pub mod segmentation;
pub mod shard;
pub mod smear;
pub mod super_resolution;
pub mod tile;
