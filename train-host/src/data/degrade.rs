//! Random variation of stain, lamp and sensor.

use anyhow::{Context, Result};
use image::{RgbImage, codecs::jpeg::JpegEncoder};
use imageproc::filter::gaussian_blur_f32;
use rand::{Rng, RngExt};

use super::{haze::Haze, window::Sample};

/// How often each variation is applied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixture {
    /// Share of the samples composed of four smaller windows; see [`super::quarters`].
    pub quarters_share: f64,
    /// Share of the windows close to the models' pitch; the others have any magnification.
    pub usual_share: f64,
    /// Share of the samples with modified stain and light.
    pub stain_share: f64,
    /// Share of the samples with light fall-off to one side or to the corners.
    pub fall_off_share: f64,
    /// Share of the samples with haze: light and stain of what lies out of focus.
    pub haze_share: f64,
    /// Share of the inputs without faults of optics and sensor.
    pub clean_share: f64,
    /// Share of the windows onto which white cells of another field are pasted.
    pub pasted_share: f64,
    /// Share of the windows whose white cells have another dye.
    pub recoloured_share: f64,
    /// The same for red cells.
    pub recoloured_red_share: f64,
}

impl Mixture {
    /// For super-resolution, which must be faithful to the camera, and sees more typical samples.
    pub const PICTURES: Self = Self {
        quarters_share: 0.5,
        usual_share: 0.7,
        stain_share: 0.4,
        fall_off_share: 0.15,
        haze_share: 0.0,
        clean_share: 0.75,
        pasted_share: 0.0,
        recoloured_share: 0.0,
        recoloured_red_share: 0.0,
    };
    /// For the segmenter, which must work under all conditions.
    pub const CELLS: Self = Self {
        quarters_share: 0.6,
        usual_share: 0.7,
        stain_share: 0.5,
        fall_off_share: 0.25,
        haze_share: 0.25,
        clean_share: 0.5,
        pasted_share: 0.15,
        recoloured_share: 0.5,
        recoloured_red_share: 0.3,
    };
}

/// Greatest loss of light.
const FALL_OFF: f64 = 0.35;
/// Of the inputs with faults: share that is blurred, and the greatest standard deviation in low-resolution pixels.
const BLUR_SHARE: f64 = 0.4;
const BLUR_PX: f32 = 1.0;
/// Share with sensor noise, and its greatest standard deviation in levels.
const NOISE_SHARE: f64 = 0.6;
const NOISE_LEVELS: f64 = 7.0;
/// Share compressed with JPEG, and the qualities.
const JPEG_SHARE: f64 = 0.25;
const JPEG_QUALITY: std::ops::RangeInclusive<u8> = 45..=95;

/// Modifies a sample: stain and light of both input and target, faults of optics and sensor of the input only.
pub fn degrade(sample: &mut Sample, mixture: &Mixture, rng: &mut impl Rng) -> Result<()> {
    if rng.random_bool(mixture.stain_share) {
        let stain = Stain::draw(rng);
        stain.apply(&mut sample.lr);
        stain.apply(&mut sample.hr);
    }
    if rng.random_bool(mixture.fall_off_share) {
        let fall_off = FallOff::draw(rng);
        fall_off.apply(&mut sample.lr);
        fall_off.apply(&mut sample.hr);
    }
    // Without haze, nothing is drawn: the samples of super-resolution stay the same.
    if mixture.haze_share > 0.0 && rng.random_bool(mixture.haze_share) {
        let haze = Haze::draw(rng);
        haze.apply(&mut sample.lr);
        haze.apply(&mut sample.hr);
    }
    if rng.random_bool(mixture.clean_share) {
        return Ok(());
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

/// Light that falls off quadratically from a brightest point.
#[derive(Debug, Clone, Copy)]
struct FallOff {
    /// Brightest point, and the loss per unit of squared distance, in edges of the picture.
    x: f64,
    y: f64,
    loss: f64,
}

impl FallOff {
    fn draw(rng: &mut impl Rng) -> Self {
        let (x, y) = (rng.random_range(-0.2..=1.2), rng.random_range(-0.2..=1.2));
        let farthest = f64::max(x, 1.0 - x).powi(2) + f64::max(y, 1.0 - y).powi(2);
        Self { x, y, loss: rng.random_range(0.0..=FALL_OFF) / farthest }
    }

    fn apply(self, picture: &mut RgbImage) {
        let edge = f64::from(picture.width());
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            let far = ((f64::from(x) + 0.5) / edge - self.x).powi(2) + ((f64::from(y) + 0.5) / edge - self.y).powi(2);
            let light = 1.0 - self.loss * far;
            pixel.0 = pixel.0.map(|level| (f64::from(level) * light).round() as u8);
        }
    }
}

/// An affine change of the optical densities (Beer-Lambert: -ln of the transmitted light), as stain
/// strength, dye colour and lamp change them.
#[derive(Debug, Clone)]
struct Stain {
    dye: Dye,
    shift: [f64; 3],
}

impl Stain {
    fn draw(rng: &mut impl Rng) -> Self {
        // From pale to deep.
        let dye = Dye::between(rng, (0.4, 1.5), (0.8, 1.25), 0.15);
        // A density of -0.2 is clipping light, 0.6 half the light.
        let lamp = rng.random_range(-0.15..=0.6);
        let shift = std::array::from_fn(|_| lamp + rng.random_range(-0.12..=0.12));
        Self { dye, shift }
    }

    fn apply(&self, picture: &mut RgbImage) {
        self.dye.map(picture, [0.0; 3], self.shift);
    }
}

/// A linear change of the optical densities.
#[derive(Debug, Clone)]
pub(super) struct Dye {
    mix: [[f64; 3]; 3],
}

impl Dye {
    /// Another dye for one kind of cell, with larger changes than between two stains of the same smear.
    pub(super) fn draw(rng: &mut impl Rng) -> Self {
        Self::between(rng, (0.5, 1.6), (0.6, 1.5), 0.3)
    }

    /// A dye for red cells: from paler to darker than any nucleus.
    pub(super) fn draw_any(rng: &mut impl Rng) -> Self {
        Self::between(rng, (0.5, 3.0), (0.6, 1.5), 0.3)
    }

    fn between(rng: &mut impl Rng, strength: (f64, f64), own: (f64, f64), other: f64) -> Self {
        let strength = rng.random_range(strength.0.ln()..=strength.1.ln()).exp();
        let mut mix = [[0.0; 3]; 3];
        for (row, line) in mix.iter_mut().enumerate() {
            for (column, weight) in line.iter_mut().enumerate() {
                *weight = strength
                    * if row == column { rng.random_range(own.0..=own.1) } else { rng.random_range(-other..=other) };
            }
        }
        Self { mix }
    }

    /// Changes the densities above those of the glass, given as levels.
    pub(super) fn apply(&self, picture: &mut RgbImage, glass: [u8; 3]) {
        let glass = glass.map(density);
        self.map(picture, glass, glass);
    }

    fn map(&self, picture: &mut RgbImage, less: [f64; 3], plus: [f64; 3]) {
        let densities: Vec<f64> = (0..=255).map(density).collect();
        for pixel in picture.pixels_mut() {
            let from: [f64; 3] = std::array::from_fn(|at| densities[usize::from(pixel.0[at])] - less[at]);
            pixel.0 = std::array::from_fn(|channel| {
                let row = self.mix[channel];
                let to = row[0] * from[0] + row[1] * from[1] + row[2] * from[2] + plus[channel];
                ((-to).exp() * 256.0 - 1.0).round().clamp(0.0, 255.0) as u8
            });
        }
    }
}

fn density(level: u8) -> f64 {
    -((f64::from(level) + 1.0) / 256.0).ln()
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
