//! Frames: pictures as they come in, decoded, checked and brought to the grids of the nets.

pub mod reference;
pub mod resize;
