//! Conversion of 16-bit samples to 8. Cameras of 10, 12 or 14 bit store their levels in 16 unchanged, with empty upper
//! bits: read as 16 bit, such a picture is almost black.

use image::{DynamicImage, RgbImage};

use super::{
    EXPECTED,
    alpha::{Alpha, flatten},
};
use crate::error::{Error, Result};

/// Sensor depths that are stored as 16 bit, guessed from the greatest sample.
const SENSOR_BITS: [u32; 4] = [8, 10, 12, 14];

/// The greatest 16-bit sample.
const FULL: u32 = 65_535;

/// The picture in 8 bit without alpha, if `bits` of the 16 bits of a sample are used. `is_multiplied` says that alpha is
/// premultiplied.
///
/// # Errors
/// [`Error::Picture`] for samples above `bits`; if `bits` is `None`, for samples that stay below a quarter of the range;
/// and for a fully transparent picture. Transparent pixels are ignored.
pub(super) fn rgb8(samples: DynamicImage, bits: Option<u32>, is_multiplied: bool) -> Result<RgbImage> {
    let Some(deep) = Deep::of(&samples) else {
        return flatten(samples, Alpha { opaque: 255, is_multiplied }).map(DynamicImage::into_rgb8);
    };
    let top = bits.map_or(FULL, |bits| (1 << bits.clamp(8, 16)) - 1);
    // Alpha may use all bits even if the colours do not.
    let alpha = Alpha { opaque: if deep.most_alpha() > top { FULL } else { top }, is_multiplied };
    let reach = deep.reach(alpha);
    match bits {
        Some(bits) if reach > top => {
            let expected = format!("at most {top}, as --bits {bits} says");
            return Err(Error::picture(format!("samples reach {reach}"), expected, "Pass the bit depth of the camera"));
        }
        // A black picture has no detectable depth, and is black at any.
        None if reach > 0 => {
            if let Some(bits) = SENSOR_BITS.iter().find(|&&bits| reach < 1 << bits) {
                return Err(Error::picture(
                    format!("samples reach {reach} of {FULL}: looks like {bits} bit"),
                    EXPECTED,
                    format!("Pass --bits {bits}, or --bits 16 if the picture is really that dark"),
                ));
            }
        }
        _ => {}
    }
    let samples = flatten(samples, alpha)?;
    Ok(if top < FULL { scaled(samples, top) } else { samples }.into_rgb8())
}

/// The samples of a 16-bit picture.
struct Deep<'a> {
    samples: &'a [u16],
    /// Samples per pixel without alpha.
    colours: usize,
    has_alpha: bool,
}

impl<'a> Deep<'a> {
    /// `None` for pictures of other depths.
    fn of(picture: &'a DynamicImage) -> Option<Self> {
        let (samples, colours, has_alpha): (&[u16], _, _) = match picture {
            DynamicImage::ImageLuma16(picture) => (picture, 1, false),
            DynamicImage::ImageLumaA16(picture) => (picture, 1, true),
            DynamicImage::ImageRgb16(picture) => (picture, 3, false),
            DynamicImage::ImageRgba16(picture) => (picture, 3, true),
            _ => return None,
        };
        Some(Self { samples, colours, has_alpha })
    }

    /// The colours of each pixel, and its alpha.
    fn pixels(&self) -> impl Iterator<Item = (&'a [u16], Option<u32>)> {
        let (colours, channels) = (self.colours, self.colours + usize::from(self.has_alpha));
        let parted = move |pixel: &'a [u16]| (&pixel[..colours], pixel.get(colours).map(|alpha| u32::from(*alpha)));
        self.samples.chunks_exact(channels).map(parted)
    }

    /// The greatest alpha; 0 without alpha.
    fn most_alpha(&self) -> u32 {
        self.pixels().filter_map(|(_, alpha)| alpha).max().unwrap_or(0)
    }

    /// The greatest colour of the visible pixels; 0 if there are none.
    fn reach(&self, alpha: Alpha) -> u32 {
        let seen = self.pixels().filter(|(_, opacity)| opacity.is_none_or(|opacity| alpha.shows(opacity)));
        seen.flat_map(|(colours, _)| colours).max().map_or(0, |level| u32::from(*level))
    }
}

/// Stretches samples from 0 to `top` to 16 bit, in place.
fn scaled(mut samples: DynamicImage, top: u32) -> DynamicImage {
    let stretch = |samples: &mut [u16]| {
        for sample in samples {
            *sample = ((u32::from(*sample).min(top) * FULL + top / 2) / top) as u16;
        }
    };
    match &mut samples {
        DynamicImage::ImageLuma16(picture) => stretch(picture),
        DynamicImage::ImageRgb16(picture) => stretch(picture),
        _ => {}
    }
    samples
}
