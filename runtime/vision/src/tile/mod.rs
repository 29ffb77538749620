//! Tiles: a picture of any size becomes overlapping 64x64 squares, and what the nets make of them
//! becomes one picture again.

pub mod grid;
pub mod limits;
pub mod stitch;
