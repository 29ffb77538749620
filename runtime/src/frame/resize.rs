//! Resizing of 8-bit pictures, the one copy that the runtime and the trainer share.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{GrayImage, RgbImage};

use crate::error::{Error, Result};

/// Bicubic resize of an RGB picture to `width` x `height`, 8 bit a channel.
///
/// Catmull-Rom (a = -0.5), widened by the shrink factor, in fixed point: Pillow's `BICUBIC`
/// (Keys, "Cubic convolution interpolation for digital image processing", 1981).
pub fn resize_rgb(picture: &RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    let bytes = resize(picture.as_raw(), picture.dimensions(), PixelType::U8x3, FilterType::CatmullRom, width, height)?;
    RgbImage::from_raw(width, height, bytes).ok_or_else(|| Error::internal("resize_rgb", "buffer size"))
}

/// Bicubic resize of a grey picture; see [`resize_rgb`].
pub fn resize_gray(picture: &GrayImage, width: u32, height: u32) -> Result<GrayImage> {
    let bytes = resize(picture.as_raw(), picture.dimensions(), PixelType::U8, FilterType::CatmullRom, width, height)?;
    GrayImage::from_raw(width, height, bytes).ok_or_else(|| Error::internal("resize_gray", "buffer size"))
}

/// Shrinks an RGB picture by averaging areas (box filter).
pub fn shrink_area_rgb(picture: &RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    let bytes = resize(picture.as_raw(), picture.dimensions(), PixelType::U8x3, FilterType::Box, width, height)?;
    RgbImage::from_raw(width, height, bytes).ok_or_else(|| Error::internal("shrink_area_rgb", "buffer size"))
}

fn resize(
    bytes: &[u8],
    (from_width, from_height): (u32, u32),
    pixel: PixelType,
    filter: FilterType,
    width: u32,
    height: u32,
) -> Result<Vec<u8>> {
    let fault = |e: &dyn std::fmt::Display| {
        Error::internal("resize", format!("{from_width}x{from_height} to {width}x{height}: {e}"))
    };
    let from = ImageRef::new(from_width, from_height, bytes, pixel).map_err(|e| fault(&e))?;
    let mut to = Image::new(width, height, pixel);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false);
    Resizer::new().resize(&from, &mut to, &options).map_err(|e| fault(&e))?;
    Ok(to.into_vec())
}
