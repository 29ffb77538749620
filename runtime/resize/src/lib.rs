//! Resizing of 8-bit pictures, for `bloodseg::frame::resize`.
//!
//! A crate of its own since the resizer's kernels are generic: they are compiled where they are called, and took most of
//! the time that every build of the runtime takes.

use fast_image_resize::{
    FilterType, ImageBufferError, PixelTrait, ResizeAlg, ResizeError, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::{U8, U8x3},
};

/// How pixels are weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Catmull-Rom (a = -0.5), widened by the shrink factor, in fixed point: Pillow's `BICUBIC`
    /// (Keys, "Cubic convolution interpolation for digital image processing", 1981).
    Bicubic,
    /// The average of an area.
    Box,
}

/// Resizes a picture of one channel, rows of 8-bit levels.
///
/// # Errors
/// What does not fit: a buffer of the wrong length, a picture without pixels.
pub fn resize_gray(bytes: &[u8], from: (u32, u32), filter: Filter, to: (u32, u32)) -> Result<Vec<u8>, String> {
    resize::<U8>(bytes, from, filter, to)
}

/// Resizes a picture of three channels, rows of pixels of three 8-bit levels.
///
/// # Errors
/// As [`resize_gray`].
pub fn resize_rgb(bytes: &[u8], from: (u32, u32), filter: Filter, to: (u32, u32)) -> Result<Vec<u8>, String> {
    resize::<U8x3>(bytes, from, filter, to)
}

// By pixel type: the resizer's untyped call would compile its kernels for every type there is.
fn resize<P: PixelTrait>(
    bytes: &[u8],
    (from_width, from_height): (u32, u32),
    filter: Filter,
    (width, height): (u32, u32),
) -> Result<Vec<u8>, String> {
    let filter = match filter {
        Filter::Bicubic => FilterType::CatmullRom,
        Filter::Box => FilterType::Box,
    };
    let buffer = |e: ImageBufferError| e.to_string();
    let pass = |e: ResizeError| e.to_string();
    let from = TypedImageRef::<P>::from_buffer(from_width, from_height, bytes).map_err(buffer)?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false);
    let length = |width: u32, height: u32| width as usize * height as usize * P::size();
    // Overshoot is clipped to 8 bit between the two passes, so their order shows. Pillow takes the rows first; the
    // resizer by itself would take the columns first, so each pass is a call of its own.
    let mut narrowed_bytes = vec![0; length(width, from_height)];
    let mut narrowed = TypedImage::<P>::from_buffer(width, from_height, &mut narrowed_bytes).map_err(buffer)?;
    Resizer::new().resize_typed(&from, &mut narrowed, &options).map_err(pass)?;
    let mut to_bytes = vec![0; length(width, height)];
    let mut to = TypedImage::<P>::from_buffer(width, height, &mut to_bytes).map_err(buffer)?;
    Resizer::new().resize_typed(&narrowed, &mut to, &options).map_err(pass)?;
    Ok(to_bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn rows_are_resized_before_columns() {
        let picture: Vec<u8> = (0..7).flat_map(|y| (0..5).map(move |x| if x > 2 || y < 3 { 255 } else { 0 })).collect();
        let resized = |bytes: &[u8], from, to| resize_gray(bytes, from, Filter::Bicubic, to).unwrap();
        let at_once = resized(&picture, (5, 7), (11, 13));
        assert_eq!(at_once, resized(&resized(&picture, (5, 7), (11, 7)), (11, 7), (11, 13)));
        let columns_first = resized(&resized(&picture, (5, 7), (5, 13)), (5, 13), (11, 13));
        assert_ne!(at_once, columns_first, "the case does not tell the orders apart");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for filter in [Filter::Bicubic, Filter::Box] {
            resize_rgb(&[0; 10], (2, 2), filter, (4, 4)).unwrap_err();
        }
    }
}
