//! Frames: pictures decoded, checked and scaled for the models.

pub mod components;
pub mod decode;
pub mod flat_field;
pub mod jpeg;
pub mod limits;
pub mod mirror;
pub mod name;
pub mod normalise;
pub mod pool;
pub mod quality;
pub mod reference;
pub mod refit;
pub mod resize;
pub mod row_resize;
pub mod specimen;
pub mod tiff;

use image::{ImageBuffer, Luma};

use crate::placement::Scaled;
use name::FrameName;
use pool::Picture;

/// One number per pixel: 0 is background, cells are 1..=n in raster order of their first pixel.
pub type Labels = ImageBuffer<Luma<u16>, Vec<u16>>;

/// One frame from a source.
#[derive(Debug, Clone)]
pub struct Frame {
    /// 1 for the first frame that the source delivered.
    pub number: u64,
    /// Name for tables and files: a file name, or the source's name and the frame's number.
    pub name: FrameName,
    /// RGB, of any size.
    pub picture: Picture,
    /// Where it lies on the picture of the camera or file, and its pitch.
    pub origin: Scaled,
}
