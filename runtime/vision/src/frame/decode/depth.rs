//! Samples of 16 bit to 8. Cameras of 10, 12 or 14 bit put their levels into 16 as they are, and the upper bits stay empty:
//! rounded as 16 bit, such a picture is all but black.

use image::{DynamicImage, RgbImage};

use super::EXPECTED;
use crate::error::{Error, Result};

/// Depths of sensors that are stored in 16 bit, as they are guessed from the greatest sample.
const SENSOR_BITS: [u32; 4] = [8, 10, 12, 14];

/// The picture in 8 bit, where `bits` of the 16 of a sample are used.
///
/// # Errors
/// [`Error::Picture`] for samples above `bits`, and without it for samples that stay below a quarter of the range.
pub(super) fn rgb8(samples: DynamicImage, bits: Option<u32>) -> Result<RgbImage> {
    let Some(reach) = reach(&samples) else { return Ok(samples.into_rgb8()) };
    let Some(bits) = bits else {
        return match SENSOR_BITS.iter().find(|&&bits| reach < 1 << bits) {
            // A black picture says nothing of its depth, and is black at any.
            Some(bits) if reach > 0 => Err(Error::picture(
                format!("samples reach {reach} of 65535: looks like {bits} bit"),
                EXPECTED,
                format!("Give --bits {bits} to segment or run, or --bits 16 if it is as dark as that"),
            )),
            _ => Ok(samples.into_rgb8()),
        };
    };
    let top = (1_u32 << bits.clamp(8, 16)) - 1;
    if reach > top {
        let expected = format!("at most {top}, as --bits {bits} says");
        return Err(Error::picture(format!("samples reach {reach}"), expected, "Give the depth of the camera"));
    }
    Ok(scaled(samples, top).into_rgb8())
}

/// The greatest colour sample of a picture of 16 bit; none for others.
fn reach(samples: &DynamicImage) -> Option<u32> {
    let most = |samples: &[u16], channels: usize, colours: usize| {
        samples.chunks_exact(channels).flat_map(|pixel| &pixel[..colours]).max().copied()
    };
    match samples {
        DynamicImage::ImageLuma16(picture) => most(picture, 1, 1),
        DynamicImage::ImageLumaA16(picture) => most(picture, 2, 1),
        DynamicImage::ImageRgb16(picture) => most(picture, 3, 3),
        DynamicImage::ImageRgba16(picture) => most(picture, 4, 3),
        _ => None,
    }
    .map(u32::from)
}

/// Samples from 0 to `top` stretched to 16 bit, in their place.
fn scaled(mut samples: DynamicImage, top: u32) -> DynamicImage {
    let stretch = |samples: &mut [u16]| {
        for sample in samples {
            *sample = ((u32::from(*sample).min(top) * 65_535 + top / 2) / top) as u16;
        }
    };
    match &mut samples {
        DynamicImage::ImageLuma16(picture) => stretch(picture),
        DynamicImage::ImageLumaA16(picture) => stretch(picture),
        DynamicImage::ImageRgb16(picture) => stretch(picture),
        DynamicImage::ImageRgba16(picture) => stretch(picture),
        _ => {}
    }
    samples
}
