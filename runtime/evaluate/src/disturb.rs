//! Degradations between the specimen and the frame, each in four strengths, from mild to severe.

use std::io::Cursor;

use image::{ImageBuffer, ImageFormat, Pixel, RgbImage, codecs::jpeg::JpegEncoder, imageops};
use serde::Serialize;

use bloodseg_smear::draw::Draw;
use bloodseg_vision::{
    error::{Error, Result},
    frame::{mirror::mirrored, reference::centre_square},
};

/// A way in which a frame can be worse than the training data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Disturbance {
    /// Gaussian blur.
    Blur,
    /// White Gaussian noise, independent per channel.
    Noise,
    /// Too little light.
    UnderExposure,
    /// Too much light: levels above white are clipped.
    OverExposure,
    /// Lossy compression, as in cameras and converters.
    Jpeg,
    /// A bluish filter in the light path: its density in red, half of it in green, none in blue.
    ColourCast,
    /// A weaker stain: all densities over the background times a factor.
    PaleStain,
    /// Cells of another size on the sensor.
    Magnification,
}

impl Disturbance {
    /// All disturbances.
    pub const ALL: [Self; 8] = [
        Self::Blur,
        Self::Noise,
        Self::UnderExposure,
        Self::OverExposure,
        Self::Jpeg,
        Self::ColourCast,
        Self::PaleStain,
        Self::Magnification,
    ];

    /// The unit of its strengths, for a table.
    pub fn words(self) -> &'static str {
        match self {
            Self::Blur => "blur, sigma px",
            Self::Noise => "noise, sigma levels",
            Self::UnderExposure => "under-exposure, gain",
            Self::OverExposure => "over-exposure, gain",
            Self::Jpeg => "JPEG, quality",
            Self::ColourCast => "colour cast, density",
            Self::PaleStain => "pale stain, density x",
            Self::Magnification => "magnification x",
        }
    }

    /// The four strengths, from mild to severe; magnifications from small to large. Densities are natural ones,
    /// `-ln(level / light)`.
    pub fn strengths(self) -> [f64; 4] {
        match self {
            Self::Blur => [0.6, 1.0, 1.5, 2.0],
            Self::Noise => [2.5, 5.0, 10.0, 20.0],
            Self::UnderExposure => [0.7, 0.5, 0.3, 0.15],
            Self::OverExposure => [1.2, 1.5, 2.0, 3.0],
            Self::Jpeg => [75.0, 50.0, 30.0, 10.0],
            Self::ColourCast => [0.05, 0.1, 0.2, 0.4],
            Self::PaleStain => [0.8, 0.6, 0.4, 0.2],
            Self::Magnification => [0.5, 0.71, 1.41, 2.0],
        }
    }
}

/// A disturbed low-resolution picture; the same seed gives the same noise. [`Disturbance::Magnification`] leaves it
/// unchanged: see [`magnified`].
///
/// # Errors
/// Only [`Error::Internal`].
pub fn disturbed(lr: &RgbImage, disturbance: Disturbance, strength: f64, seed: u64) -> Result<RgbImage> {
    Ok(match disturbance {
        Disturbance::Blur => imageops::blur(lr, strength as f32),
        Disturbance::Noise => {
            let mut draw = Draw::new(seed, 300);
            each_level(lr, |_, level| level + strength * draw.normal())
        }
        Disturbance::UnderExposure | Disturbance::OverExposure => each_level(lr, |_, level| level * strength),
        Disturbance::Jpeg => through_jpeg(lr, strength as u8)?,
        Disturbance::ColourCast => {
            let light = [1.0, 0.5, 0.0].map(|share: f64| (-strength * share).exp());
            each_level(lr, |channel, level| level * light[channel])
        }
        Disturbance::PaleStain => {
            let light = background(lr);
            each_level(lr, |channel, level| light[channel] * (level / light[channel]).powf(strength))
        }
        Disturbance::Magnification => lr.clone(),
    })
}

fn each_level(picture: &RgbImage, mut map: impl FnMut(usize, f64) -> f64) -> RgbImage {
    let mut mapped = picture.clone();
    for pixel in mapped.pixels_mut() {
        for (channel, level) in pixel.0.iter_mut().enumerate() {
            *level = map(channel, f64::from(*level)).round().clamp(0.0, 255.0) as u8;
        }
    }
    mapped
}

/// The light of the empty glass per channel: the level that 5 % of the pixels exceed, at least 1.
fn background(picture: &RgbImage) -> [f64; 3] {
    [0, 1, 2].map(|channel| {
        let mut levels: Vec<u8> = picture.pixels().map(|pixel| pixel.0[channel]).collect();
        levels.sort_unstable();
        f64::from(levels.get(levels.len() * 95 / 100).copied().unwrap_or(1).max(1))
    })
}

fn through_jpeg(picture: &RgbImage, quality: u8) -> Result<RgbImage> {
    let failed = |e: image::ImageError| Error::internal("disturb", e);
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(picture).map_err(failed)?;
    let picture = image::load_from_memory_with_format(bytes.get_ref(), ImageFormat::Jpeg).map_err(failed)?;
    Ok(picture.into_rgb8())
}

/// A full-resolution picture as seen at another magnification: the centre square, of which a factor of 2 shows the middle
/// half, and a factor of 0.5 shows everything and as much again beyond, mirrored at the edges. Works for masks too.
pub fn magnified<P: Pixel>(
    picture: &ImageBuffer<P, Vec<P::Subpixel>>,
    factor: f64,
) -> ImageBuffer<P, Vec<P::Subpixel>> {
    let (left, top, edge) = centre_square(picture.width(), picture.height());
    let size = (f64::from(edge) / factor).round().max(1.0) as u32;
    let at = |to: u32, from: u32| {
        let place = i64::from(to) - (i64::from(size) - i64::from(edge)) / 2;
        from + mirrored(place, edge)
    };
    ImageBuffer::from_fn(size, size, |x, y| *picture.get_pixel(at(x, left), at(y, top)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use image::{Luma, Rgb};

    use super::*;
    use crate::measures::truth;
    use bloodseg_smear::SmearSpec;
    use bloodseg_vision::frame::{reference::prepare, resize::resize_rgb};

    fn lr() -> RgbImage {
        resize_rgb(&bloodseg_smear::render(&SmearSpec::field(400, 400), 3).picture, 64, 64).unwrap()
    }

    fn mean_difference(a: &RgbImage, b: &RgbImage) -> f64 {
        a.iter().zip(b.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
    }

    #[test]
    fn difference_grows_with_strength() {
        let lr = lr();
        for disturbance in Disturbance::ALL.into_iter().filter(|&d| d != Disturbance::Magnification) {
            let mut before = 0.0;
            for strength in disturbance.strengths() {
                let difference = mean_difference(&lr, &disturbed(&lr, disturbance, strength, 1).unwrap());
                assert!(difference > before, "{disturbance:?} {strength}: {difference} after {before}");
                before = difference;
            }
        }
    }

    #[test]
    fn noise_is_reproducible_and_has_given_deviation() {
        let grey = RgbImage::from_pixel(64, 64, Rgb([128; 3]));
        let noisy = |seed| disturbed(&grey, Disturbance::Noise, 10.0, seed).unwrap();
        assert_eq!(noisy(1), noisy(1));
        assert_ne!(noisy(1), noisy(2));
        let variance = noisy(1).iter().map(|&level| (f64::from(level) - 128.0).powi(2)).sum::<f64>() / (64.0 * 192.0);
        assert!((variance.sqrt() - 10.0).abs() < 0.5, "{variance}");
    }

    #[test]
    fn gains_scale_and_clip() {
        let steps = RgbImage::from_fn(4, 1, |x, _| Rgb([[0, 100, 150, 250][x as usize]; 3]));
        let levels = |disturbance, gain| -> Vec<u8> {
            disturbed(&steps, disturbance, gain, 0).unwrap().pixels().map(|pixel| pixel.0[0]).collect()
        };
        assert_eq!(levels(Disturbance::UnderExposure, 0.3), [0, 30, 45, 75]);
        assert_eq!(levels(Disturbance::OverExposure, 2.0), [0, 200, 255, 255]);
    }

    #[test]
    fn blur_has_given_deviation() {
        let mut dot = RgbImage::new(41, 41);
        dot.put_pixel(20, 20, Rgb([255; 3]));
        dot = imageops::blur(&dot, 1.0);
        // An initial blur makes the dot larger than one pixel, so that levels are not lost by rounding.
        let spread = |picture: &RgbImage| {
            let weight = |(x, _, pixel): (u32, u32, &Rgb<u8>)| (f64::from(x) - 20.0, f64::from(pixel.0[0]));
            let sum: f64 = picture.enumerate_pixels().map(weight).map(|(_, level)| level).sum();
            picture.enumerate_pixels().map(weight).map(|(x, level)| x * x * level).sum::<f64>() / sum
        };
        let more = spread(&disturbed(&dot, Disturbance::Blur, 1.0, 0).unwrap()) - spread(&dot);
        assert!((0.7..1.2).contains(&more), "variance grew by {more}");
    }

    #[test]
    fn pale_stain_keeps_background_and_colour_cast_tints_it() {
        let light = Rgb([240, 230, 220]);
        let picture = RgbImage::from_fn(20, 20, |x, y| if x < 5 && y < 5 { Rgb([120, 115, 110]) } else { light });
        let pale = disturbed(&picture, Disturbance::PaleStain, 0.5, 0).unwrap();
        assert_eq!(*pale.get_pixel(10, 10), light);
        // Half the light at half the density is the square root of one half.
        assert_eq!(pale.get_pixel(1, 1).0, [170, 163, 156]);
        let cast = disturbed(&picture, Disturbance::ColourCast, 0.2, 0).unwrap();
        assert_eq!(cast.get_pixel(10, 10).0, [196, 208, 220]);
    }

    #[test]
    fn magnification_scales_cells_and_mirrors_edges() {
        let smear = bloodseg_smear::render(&SmearSpec::field(480, 400), 5);
        let typical_area_px = |factor: f64| {
            let (picture, mask) = (magnified(&smear.picture, factor), magnified(&smear.mask, factor));
            assert_eq!(picture.dimensions(), mask.dimensions());
            assert_eq!(prepare(&picture).unwrap().square_px, (400.0 / factor).round() as u32);
            let cells = truth::sample(&truth::instances(&mask).unwrap(), 256);
            let mut areas = vec![0_u32; 65_536];
            cells.pixels().for_each(|Luma([label])| areas[usize::from(*label)] += 1);
            let mut areas: Vec<u32> = areas.into_iter().skip(1).filter(|&area| area > 0).collect();
            areas.sort_unstable();
            f64::from(areas[areas.len() / 2])
        };
        let whole = typical_area_px(1.0);
        for factor in Disturbance::Magnification.strengths() {
            let ratio = typical_area_px(factor) / whole / (factor * factor);
            assert!((0.75..1.33).contains(&ratio), "{factor}: {ratio}");
        }
        let (twice, mask) = (magnified(&smear.picture, 0.5), magnified(&smear.mask, 0.5));
        assert_eq!((twice.width(), mask.width()), (800, 800));
        assert_eq!(twice.get_pixel(200, 300), smear.picture.get_pixel(40, 100));
        for (x, beyond) in [(200, 199), (201, 198), (599, 600)] {
            assert_eq!(twice.get_pixel(x, 400), twice.get_pixel(beyond, 400));
            assert_eq!(mask.get_pixel(400, x), mask.get_pixel(400, beyond));
        }
    }

    #[test]
    fn mirroring_is_periodic() {
        let places: Vec<u32> = (-4..8).map(|place| mirrored(place, 3)).collect();
        assert_eq!(places, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
    }
}
