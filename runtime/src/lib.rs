//! bloodseg: low-resolution microscope frames in, blood cells with measures out.
//!
//! The folders are the way of the data: [`frame`] -> tile -> super-resolution -> segmentation -> cells -> records.

pub mod error;
pub mod frame;
pub mod limits;
pub mod model;
pub mod smear;
