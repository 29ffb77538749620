//! Tiles: a picture of any size is cut into overlapping 64x64 squares, and the outputs of the models are stitched into
//! one picture.

pub mod grid;
pub mod limits;
pub mod stitch;
