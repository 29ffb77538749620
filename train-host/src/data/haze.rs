//! Haze: light and stain of what lies far out of focus, such as cells above the plane of the smear. A segmenter that never
//! saw it takes pale spots without an edge for cells.

use image::RgbImage;
use rand::{Rng, RngExt};

/// Most spots of a picture.
const MOST_SPOTS: usize = 6;
/// Least and greatest standard deviation of a spot, in edges of the picture: from half a red cell to two.
const DEVIATION: (f64, f64) = (0.04, 0.16);
/// Least and greatest optical density in the middle of a spot.
const DENSITY: (f64, f64) = (0.03, 0.3);

/// Blurred spots that darken the picture, as cells and stain far out of focus do.
#[derive(Debug, Clone)]
pub(super) struct Haze {
    spots: Vec<Spot>,
}

/// A Gaussian spot. Lengths are in edges of the picture.
#[derive(Debug, Clone, Copy)]
struct Spot {
    x: f64,
    y: f64,
    deviations: [f64; 2],
    turn: f64,
    densities: [f64; 3],
}

impl Spot {
    fn draw(tint: [f64; 3], rng: &mut impl Rng) -> Self {
        let deviation = rng.random_range(DEVIATION.0.ln()..=DEVIATION.1.ln()).exp();
        let density = rng.random_range(DENSITY.0..=DENSITY.1);
        Self {
            x: rng.random_range(0.0..=1.0),
            y: rng.random_range(0.0..=1.0),
            deviations: [deviation, deviation * rng.random_range(0.5..=1.0)],
            turn: rng.random_range(0.0..=std::f64::consts::PI),
            densities: tint.map(|share| share * density),
        }
    }
}

impl Haze {
    /// One to six spots.
    pub(super) fn draw(rng: &mut impl Rng) -> Self {
        // One dye for all spots of a picture.
        let tint: [f64; 3] = std::array::from_fn(|_| rng.random_range(0.5..=1.0));
        let count = rng.random_range(1..=MOST_SPOTS);
        Self { spots: (0..count).map(|_| Spot::draw(tint, rng)).collect() }
    }

    /// Darkens a picture. Its edge is the unit of length, so both pictures of a sample get the same haze.
    pub(super) fn apply(&self, picture: &mut RgbImage) {
        let edge = f64::from(picture.width());
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            let (x, y) = ((f64::from(x) + 0.5) / edge, (f64::from(y) + 0.5) / edge);
            let mut densities = [0.0; 3];
            for spot in &self.spots {
                let (sin, cos) = spot.turn.sin_cos();
                let (dx, dy) = (x - spot.x, y - spot.y);
                let along = (dx * cos + dy * sin) / spot.deviations[0];
                let across = (dy * cos - dx * sin) / spot.deviations[1];
                let share = (-0.5 * (along * along + across * across)).exp();
                densities = std::array::from_fn(|at| densities[at] + spot.densities[at] * share);
            }
            pixel.0 = std::array::from_fn(|at| {
                (f64::from(pixel.0[at]) * (-densities[at]).exp()).round().clamp(0.0, 255.0) as u8
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng};

    use super::*;

    #[test]
    fn both_pictures_are_darkened_smoothly_in_the_same_places() {
        let haze = Haze::draw(&mut Pcg64Mcg::seed_from_u64(4));
        let [mut large, mut small] = [256, 64].map(|edge| RgbImage::from_pixel(edge, edge, Rgb([230; 3])));
        haze.apply(&mut large);
        haze.apply(&mut small);
        assert!(large.iter().all(|level| *level <= 230) && large.iter().any(|level| *level < 225));
        let step = |at: usize, beside: usize| large.as_raw()[at].abs_diff(large.as_raw()[beside]);
        assert!((3..large.len()).all(|at| at % (256 * 3) < 3 || step(at, at - 3) <= 3), "spots have no edge");
        for (x, y, pixel) in small.enumerate_pixels() {
            let same = large.get_pixel(4 * x + 2, 4 * y + 2);
            assert!(pixel.0.iter().zip(same.0).all(|(one, other)| one.abs_diff(other) <= 4), "{x} {y}");
        }
    }
}
