//! Resizing of 8-bit pictures, the one copy that the runtime and the trainer share.

use bloodseg_resize::Filter;
use image::{GrayImage, RgbImage};

use crate::error::{Error, Result};

/// Bicubic resize of an RGB picture to `width` x `height`, 8 bit a channel; see [`Filter::Bicubic`].
///
/// # Errors
/// [`Error::Internal`] for a picture without pixels.
pub fn resize_rgb(picture: &RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    rgb(picture, Filter::Bicubic, width, height)
}

/// Bicubic resize of a grey picture; see [`resize_rgb`].
///
/// # Errors
/// [`Error::Internal`] for a picture without pixels.
pub fn resize_gray(picture: &GrayImage, width: u32, height: u32) -> Result<GrayImage> {
    let bytes = bloodseg_resize::resize_gray(picture, picture.dimensions(), Filter::Bicubic, (width, height))
        .map_err(|e| fault(picture.dimensions(), width, height, &e))?;
    GrayImage::from_raw(width, height, bytes).ok_or_else(|| Error::internal("resize", "buffer size"))
}

/// Shrinks an RGB picture by averaging areas.
///
/// # Errors
/// [`Error::Internal`] for a picture without pixels.
pub fn shrink_area_rgb(picture: &RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    rgb(picture, Filter::Box, width, height)
}

fn rgb(picture: &RgbImage, filter: Filter, width: u32, height: u32) -> Result<RgbImage> {
    let bytes = bloodseg_resize::resize_rgb(picture, picture.dimensions(), filter, (width, height))
        .map_err(|e| fault(picture.dimensions(), width, height, &e))?;
    RgbImage::from_raw(width, height, bytes).ok_or_else(|| Error::internal("resize", "buffer size"))
}

fn fault((from_width, from_height): (u32, u32), width: u32, height: u32, found: &str) -> Error {
    Error::internal("resize", format!("{from_width}x{from_height} to {width}x{height}: {found}"))
}
