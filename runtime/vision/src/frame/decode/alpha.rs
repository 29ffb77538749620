//! Transparency. Invisible pixels are not specimen, whatever colour the file stores there: they become black, which
//! [`crate::frame::specimen`] excludes. Translucent pixels are composited on white, as in viewers.

use image::{DynamicImage, ImageBuffer, Pixel};

use crate::error::{Error, Result};

/// How to interpret the alpha of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Alpha {
    /// The level of opaque pixels and of white.
    pub(super) opaque: u32,
    /// Whether alpha is premultiplied.
    pub(super) is_multiplied: bool,
}

impl Alpha {
    /// Whether a pixel is visible: at least half opaque, from 128 of 255.
    pub(super) fn shows(self, alpha: u32) -> bool {
        2 * alpha >= self.opaque
    }

    fn laid_on_white(self, colour: u32, alpha: u32) -> u32 {
        let Self { opaque, is_multiplied } = self;
        if alpha >= opaque {
            return colour;
        }
        let own = if is_multiplied { colour } else { (colour * alpha + opaque / 2) / opaque };
        (own + opaque - alpha).min(opaque)
    }
}

/// The picture without alpha, in place; one without alpha is unchanged.
///
/// # Errors
/// [`Error::Picture`] if no pixel is visible.
pub(super) fn flatten(samples: DynamicImage, alpha: Alpha) -> Result<DynamicImage> {
    Ok(match samples {
        DynamicImage::ImageLumaA8(picture) => DynamicImage::ImageLuma8(flat(picture, alpha)?),
        DynamicImage::ImageLumaA16(picture) => DynamicImage::ImageLuma16(flat(picture, alpha)?),
        DynamicImage::ImageRgba8(picture) => DynamicImage::ImageRgb8(flat(picture, alpha)?),
        DynamicImage::ImageRgba16(picture) => DynamicImage::ImageRgb16(flat(picture, alpha)?),
        other => other,
    })
}

/// `To` has the channels of `From` except the last, alpha.
fn flat<From, To>(
    picture: ImageBuffer<From, Vec<From::Subpixel>>,
    alpha: Alpha,
) -> Result<ImageBuffer<To, Vec<To::Subpixel>>>
where
    From: Pixel,
    To: Pixel<Subpixel = From::Subpixel>,
    From::Subpixel: Into<u32> + TryFrom<u32>,
{
    let (width, height) = picture.dimensions();
    let (channels, colours) = (usize::from(From::CHANNEL_COUNT), usize::from(To::CHANNEL_COUNT));
    let mut samples = picture.into_raw();
    let pixels = samples.len() / channels;
    let mut is_seen = false;
    for at in 0..pixels {
        let opacity = samples[at * channels + colours].into();
        let shows = alpha.shows(opacity);
        is_seen |= shows;
        for colour in 0..colours {
            let level = samples[at * channels + colour].into();
            let level = if shows { alpha.laid_on_white(level, opacity) } else { 0 };
            // The read position is never before the write position.
            samples[at * colours + colour] =
                From::Subpixel::try_from(level).map_err(|_| Error::internal("alpha", "a level out of range"))?;
        }
    }
    if !is_seen {
        return Err(Error::picture(
            "a fully transparent picture",
            "visible pixels",
            "Remove its alpha channel if its colours are right",
        ));
    }
    samples.truncate(pixels * colours);
    samples.shrink_to_fit();
    ImageBuffer::from_raw(width, height, samples).ok_or_else(|| Error::internal("alpha", "a picture of another size"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use image::{LumaA, Rgb, Rgba};

    use super::*;

    const BYTES: Alpha = Alpha { opaque: 255, is_multiplied: false };

    #[test]
    fn transparent_pixels_become_black_whatever_their_colour() {
        let colours = [[255_u8, 255, 255, 127], [0, 0, 0, 0], [9, 200, 3, 1], [9, 200, 3, 255], [100, 0, 200, 128]];
        let picture = ImageBuffer::from_fn(5, 1, |x, _| Rgba(colours[x as usize]));
        let flat = flatten(picture.into(), BYTES).unwrap().into_rgb8();
        let found: Vec<[u8; 3]> = flat.pixels().map(|pixel| pixel.0).collect();
        assert_eq!(found, [[0; 3], [0; 3], [0; 3], [9, 200, 3], [177, 127, 227]]);
    }

    #[test]
    fn premultiplied_colours_are_not_multiplied_again() {
        let picture = ImageBuffer::from_pixel(1, 1, Rgba([50_u8, 0, 100, 128]));
        let multiplied = Alpha { is_multiplied: true, ..BYTES };
        let flat = flatten(picture.into(), multiplied).unwrap().into_rgb8();
        assert_eq!(flat.get_pixel(0, 0), &Rgb([177, 127, 227]));
    }

    #[test]
    fn grey_and_16_bit_pictures_are_flattened() {
        let deep = ImageBuffer::from_fn(2, 1, |x, _| LumaA([40_000_u16, if x == 0 { 32_767 } else { 65_535 }]));
        let flat = flatten(deep.into(), Alpha { opaque: 65_535, is_multiplied: false }).unwrap().into_luma16();
        assert_eq!(flat.into_raw(), [0, 40_000]);
        let grey = ImageBuffer::from_fn(2, 1, |x, _| LumaA([77_u8, if x == 0 { 0 } else { 200 }]));
        assert_eq!(flatten(grey.into(), BYTES).unwrap().into_luma8().into_raw(), [0, 115]);
        let deep = ImageBuffer::from_pixel(3, 2, Rgba([1_u16, 2, 3, 4095]));
        let flat = flatten(deep.into(), Alpha { opaque: 4095, is_multiplied: false }).unwrap().into_rgb16();
        assert_eq!((flat.dimensions(), flat.get_pixel(2, 1)), ((3, 2), &Rgb([1, 2, 3])));
    }

    #[test]
    fn fully_transparent_picture_is_rejected() {
        let picture = ImageBuffer::from_pixel(4, 4, Rgba([200_u8, 100, 90, 0]));
        let error = flatten(picture.into(), BYTES).unwrap_err().to_string();
        assert!(error.contains("fully transparent") && error.contains("alpha channel"), "{error}");
    }
}
