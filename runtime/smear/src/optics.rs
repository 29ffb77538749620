//! Lamp, lens and sensor: from optical density to the bytes of a picture.

use image::{Rgb, RgbImage};

use super::{canvas::Canvas, draw::Draw, texture::Texture};

/// Lamp, lens and sensor. Lengths in reference pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optics {
    /// Level of the empty background in R, G, B, 0 to 255.
    pub lamp: [f64; 3],
    /// Share of light lost in the corners.
    pub vignette: f64,
    /// Relative change of the light from the centre to one edge, in x and y.
    pub tilt: [f64; 2],
    /// Optical density of the uneven background stain.
    pub haze: f64,
    /// Deviation of the point spread function, a Gaussian.
    pub defocus_px: f64,
    /// Strength of the camera's sharpening, 0 for none.
    pub sharpening: f64,
    /// Deviation of the sensor's noise on the empty background, in levels.
    pub noise: f64,
}

impl Optics {
    /// Even light, sharp, little noise.
    pub const CLEAR: Self = Self {
        lamp: [248.0, 248.0, 250.0],
        vignette: 0.03,
        tilt: [0.0, 0.0],
        haze: 0.012,
        defocus_px: 1.3,
        sharpening: 0.4,
        noise: 1.8,
    };

    /// A lamp of about `lamp`, with realistic faults.
    pub(crate) fn varied(draw: &mut Draw, lamp: [f64; 3]) -> Self {
        let light = draw.between(0.96, 1.01);
        Self {
            lamp: lamp.map(|level| (level * light + draw.between(-3.0, 3.0)).min(254.0)),
            vignette: draw.between(0.0, 0.10),
            tilt: [draw.between(-0.03, 0.03), draw.between(-0.03, 0.03)],
            haze: draw.between(0.005, 0.03),
            defocus_px: if draw.chance(0.25) { draw.between(2.0, 3.5) } else { draw.between(0.9, 1.8) },
            sharpening: draw.between(0.1, 0.7),
            noise: draw.between(1.0, 2.8),
        }
    }

    /// Renders the picture of the canvas, consuming it half way because it is larger than the picture.
    pub(crate) fn expose(&self, canvas: Canvas, scale: f64, draw: &mut Draw) -> RgbImage {
        let mut planes = self.light(&canvas, scale, Texture(draw.seed()));
        let (width, height) = (canvas.width as usize, canvas.height as usize);
        let size_px = (canvas.width, canvas.height);
        drop(canvas);
        for plane in &mut planes {
            blur(plane, width, height, self.defocus_px * scale);
            if self.sharpening > 0.0 {
                let mut soft = plane.clone();
                blur(&mut soft, width, height, 2.5 * scale);
                for (level, soft) in plane.iter_mut().zip(&soft) {
                    *level += self.sharpening as f32 * (*level - soft);
                }
            }
        }
        let mut picture = RgbImage::new(size_px.0, size_px.1);
        for (place, pixel) in picture.pixels_mut().enumerate() {
            // Most of a sensor's noise is common to the channels once the colour filter is undone.
            let common = draw.normal();
            *pixel = Rgb([0, 1, 2].map(|channel: usize| {
                let level = f64::from(planes[channel][place]);
                let shot = (0.3 + 0.7 * level.max(0.0) / 255.0).sqrt() * self.noise;
                (level + shot * (0.85 * common + 0.5 * draw.normal()) + 0.5).clamp(0.0, 255.0) as u8
            }));
        }
        picture
    }

    /// Transmitted light in levels, one plane per channel.
    fn light(&self, canvas: &Canvas, scale: f64, haze: Texture) -> [Vec<f32>; 3] {
        let (width, height) = (f64::from(canvas.width), f64::from(canvas.height));
        let mut planes = [const { Vec::new() }; 3];
        for plane in &mut planes {
            plane.reserve_exact(canvas.density.len());
        }
        for (place, density) in canvas.density.iter().enumerate() {
            let (x, y) = ((place as u32 % canvas.width) as f64, (place as u32 / canvas.width) as f64);
            let (u, v) = (2.0 * x / width - 1.0, 2.0 * y / height - 1.0);
            let even = 1.0 - self.vignette * (u * u + v * v) / 2.0 + self.tilt[0] * u + self.tilt[1] * v;
            let (hx, hy) = (x / scale, y / scale);
            let fog = self.haze * (1.0 + haze.at(hx / 170.0, hy / 170.0) + 0.5 * haze.at(hx / 45.0, hy / 45.0 + 99.0));
            for (channel, plane) in planes.iter_mut().enumerate() {
                let level = self.lamp[channel] * even * (-(f64::from(density[channel]) + fog)).exp();
                plane.push(level as f32);
            }
        }
        planes
    }
}

/// Gaussian blur in place, rows then columns, the border repeated.
fn blur(plane: &mut [f32], width: usize, height: usize, deviation_px: f64) {
    let reach = (deviation_px * 3.0).ceil().max(1.0) as usize;
    let mut kernel: Vec<f32> =
        (0..=reach).map(|at| (-0.5 * (at as f64 / deviation_px.max(1e-3)).powi(2)).exp() as f32).collect();
    let sum = kernel[0] + 2.0 * kernel[1..].iter().sum::<f32>();
    kernel.iter_mut().for_each(|weight| *weight /= sum);
    let mut padded = vec![0.0_f32; width + 2 * reach];
    for row in plane.chunks_exact_mut(width) {
        padded[..reach].fill(row[0]);
        padded[reach..reach + width].copy_from_slice(row);
        padded[reach + width..].fill(row[width - 1]);
        for (x, level) in row.iter_mut().enumerate() {
            *level = weigh(&kernel, |at| padded[x + reach + at], |at| padded[x + reach - at]);
        }
    }
    let rows = plane.to_vec();
    for y in 0..height {
        for x in 0..width {
            plane[y * width + x] = weigh(
                &kernel,
                |at| rows[(y + at).min(height - 1) * width + x],
                |at| rows[y.saturating_sub(at) * width + x],
            );
        }
    }
}

fn weigh(kernel: &[f32], after: impl Fn(usize) -> f32, before: impl Fn(usize) -> f32) -> f32 {
    let mut sum = kernel[0] * after(0);
    for (at, weight) in kernel.iter().enumerate().skip(1) {
        sum += weight * (after(at) + before(at));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blur_preserves_light_and_has_given_deviation() {
        let (width, height) = (41, 41);
        let mut plane = vec![0.0; width * height];
        plane[20 * width + 20] = 100.0;
        blur(&mut plane, width, height, 2.0);
        let sum: f32 = plane.iter().sum();
        assert!((sum - 100.0).abs() < 0.01, "{sum}");
        let variance: f32 =
            plane.iter().enumerate().map(|(place, level)| level * ((place % width) as f32 - 20.0).powi(2)).sum::<f32>()
                / sum;
        assert!((variance - 4.0).abs() < 0.15, "{variance}");
    }
}
