//! Frames: pictures as they come in, decoded, checked and brought to the grids of the nets.

pub mod components;
pub mod decode;
pub mod flat_field;
pub mod mirror;
pub mod normalise;
pub mod quality;
pub mod reference;
pub mod refit;
pub mod resize;
pub mod row_resize;
