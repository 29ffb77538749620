//! Resizing of 8-bit pictures, the one copy that the runtime and the trainer share.

use fast_image_resize::{
    FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::{U8, U8x3},
};
use image::{GrayImage, RgbImage};

use crate::error::{Error, Result};

/// Bicubic resize of an RGB picture to `width` x `height`, 8 bit a channel.
///
/// Catmull-Rom (a = -0.5), widened by the shrink factor, in fixed point: Pillow's `BICUBIC`
/// (Keys, "Cubic convolution interpolation for digital image processing", 1981).
pub fn resize_rgb(picture: &RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    let bytes = resize::<U8x3>(picture.as_raw(), picture.dimensions(), FilterType::CatmullRom, width, height)?;
    RgbImage::from_raw(width, height, bytes).ok_or_else(|| Error::internal("resize_rgb", "buffer size"))
}

/// Bicubic resize of a grey picture; see [`resize_rgb`].
pub fn resize_gray(picture: &GrayImage, width: u32, height: u32) -> Result<GrayImage> {
    let bytes = resize::<U8>(picture.as_raw(), picture.dimensions(), FilterType::CatmullRom, width, height)?;
    GrayImage::from_raw(width, height, bytes).ok_or_else(|| Error::internal("resize_gray", "buffer size"))
}

/// Shrinks an RGB picture by averaging areas (box filter).
pub fn shrink_area_rgb(picture: &RgbImage, width: u32, height: u32) -> Result<RgbImage> {
    let bytes = resize::<U8x3>(picture.as_raw(), picture.dimensions(), FilterType::Box, width, height)?;
    RgbImage::from_raw(width, height, bytes).ok_or_else(|| Error::internal("shrink_area_rgb", "buffer size"))
}

// By pixel type: the resizer's untyped call would compile its kernels for every type there is.
fn resize<P: PixelTrait>(
    bytes: &[u8],
    (from_width, from_height): (u32, u32),
    filter: FilterType,
    width: u32,
    height: u32,
) -> Result<Vec<u8>> {
    let fault = |e: &dyn std::fmt::Display| {
        Error::internal("resize", format!("{from_width}x{from_height} to {width}x{height}: {e}"))
    };
    let from = TypedImageRef::<P>::from_buffer(from_width, from_height, bytes).map_err(|e| fault(&e))?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false);
    let length = |width: u32, height: u32| width as usize * height as usize * P::size();
    // Overshoot is clipped to 8 bit between the two passes, so their order shows. Pillow takes the rows first; the
    // resizer by itself would take the columns first, so each pass is a call of its own.
    let mut narrowed_bytes = vec![0; length(width, from_height)];
    let mut narrowed = TypedImage::<P>::from_buffer(width, from_height, &mut narrowed_bytes).map_err(|e| fault(&e))?;
    Resizer::new().resize_typed(&from, &mut narrowed, &options).map_err(|e| fault(&e))?;
    let mut to_bytes = vec![0; length(width, height)];
    let mut to = TypedImage::<P>::from_buffer(width, height, &mut to_bytes).map_err(|e| fault(&e))?;
    Resizer::new().resize_typed(&narrowed, &mut to, &options).map_err(|e| fault(&e))?;
    Ok(to_bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use image::Luma;

    #[test]
    fn rows_are_resized_before_columns() {
        let picture = GrayImage::from_fn(5, 7, |x, y| Luma([if x > 2 || y < 3 { 255 } else { 0 }]));
        let at_once = resize_gray(&picture, 11, 13).unwrap();
        let rows = resize_gray(&picture, 11, 7).unwrap();
        assert_eq!(at_once, resize_gray(&rows, 11, 13).unwrap());
        let columns = resize_gray(&picture, 5, 13).unwrap();
        assert_ne!(at_once, resize_gray(&columns, 11, 13).unwrap(), "the case does not tell the orders apart");
    }
}
