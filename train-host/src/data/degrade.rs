//! What other stains, lamps and sensors do to a picture, drawn at random.

use anyhow::{Context, Result};
use image::{RgbImage, codecs::jpeg::JpegEncoder};
use imageproc::filter::gaussian_blur_f32;
use rand::{Rng, RngExt};

use super::window::Sample;

/// Share of the samples whose stain and light are changed.
const STAIN_SHARE: f64 = 0.5;
/// Share of the inputs that are blurred, and the greatest standard deviation in low-resolution pixels.
const BLUR_SHARE: f64 = 0.2;
const BLUR_PX: f32 = 0.6;
/// Share of the inputs with sensor noise, and its greatest standard deviation in levels.
const NOISE_SHARE: f64 = 0.35;
const NOISE_LEVELS: f64 = 3.0;
/// Share of the inputs that went through JPEG, and the qualities.
const JPEG_SHARE: f64 = 0.15;
const JPEG_QUALITY: std::ops::RangeInclusive<u8> = 70..=95;

/// Changes a sample: stain and light on input and target alike, sensor faults on the input alone.
pub fn degrade(sample: &mut Sample, rng: &mut impl Rng) -> Result<()> {
    if rng.random_bool(STAIN_SHARE) {
        let stain = Stain::draw(rng);
        stain.apply(&mut sample.lr);
        stain.apply(&mut sample.hr);
    }
    if rng.random_bool(BLUR_SHARE) {
        sample.lr = gaussian_blur_f32(&sample.lr, rng.random_range(0.25..=BLUR_PX));
    }
    if rng.random_bool(NOISE_SHARE) {
        add_noise(&mut sample.lr, rng.random_range(0.5..=NOISE_LEVELS), rng);
    }
    if rng.random_bool(JPEG_SHARE) {
        sample.lr = through_jpeg(&sample.lr, rng.random_range(JPEG_QUALITY))?;
    }
    Ok(())
}

/// An affine change of the optical densities (Beer-Lambert: -ln of the transmitted light), as stain
/// strength, dye colour and lamp change them.
#[derive(Debug, Clone)]
struct Stain {
    mix: [[f64; 3]; 3],
    shift: [f64; 3],
}

impl Stain {
    fn draw(rng: &mut impl Rng) -> Self {
        let strength = rng.random_range(0.75..=1.3);
        let mut mix = [[0.0; 3]; 3];
        for (row, line) in mix.iter_mut().enumerate() {
            for (column, weight) in line.iter_mut().enumerate() {
                *weight = if row == column {
                    strength * rng.random_range(0.88..=1.12)
                } else {
                    rng.random_range(-0.08..=0.08)
                };
            }
        }
        let lamp = rng.random_range(-0.12..=0.12);
        let shift = std::array::from_fn(|_| lamp + rng.random_range(-0.06..=0.06));
        Self { mix, shift }
    }

    fn apply(&self, picture: &mut RgbImage) {
        let density: Vec<f64> = (0..256).map(|level| -((f64::from(level) + 1.0) / 256.0).ln()).collect();
        for pixel in picture.pixels_mut() {
            let from = pixel.0.map(|level| density[usize::from(level)]);
            pixel.0 = std::array::from_fn(|channel| {
                let row = self.mix[channel];
                let to = row[0] * from[0] + row[1] * from[1] + row[2] * from[2] + self.shift[channel];
                ((-to).exp() * 256.0 - 1.0).round().clamp(0.0, 255.0) as u8
            });
        }
    }
}

/// Gaussian noise by the sum of twelve uniform draws.
fn add_noise(picture: &mut RgbImage, deviation: f64, rng: &mut impl Rng) {
    for level in picture.iter_mut() {
        let normal: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        *level = (f64::from(*level) + normal * deviation).round().clamp(0.0, 255.0) as u8;
    }
}

fn through_jpeg(picture: &RgbImage, quality: u8) -> Result<RgbImage> {
    let mut bytes = Vec::new();
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality)).context("JPEG encoding")?;
    Ok(image::load_from_memory_with_format(&bytes, image::ImageFormat::Jpeg).context("JPEG decoding")?.to_rgb8())
}
