//! Malaria parasites inside a red cell: rings and larger, ragged trophozoites, with pigment.

use super::{
    draw::Draw,
    outline::At,
    stain::{Density, Stain, plus, times},
    texture::{Texture, smooth_step},
};

/// One parasite; lengths in radii of its cell.
#[derive(Debug, Clone)]
pub(crate) struct Parasite {
    centre: (f64, f64),
    radius: f64,
    /// Position of the chromatin on the ring.
    chromatin: (f64, f64),
    ring: bool,
    texture: Texture,
}

impl Parasite {
    pub(crate) fn draw(draw: &mut Draw) -> Self {
        let ring = draw.chance(0.4);
        let radius = if ring { draw.between(0.25, 0.38) } else { draw.between(0.45, 0.75) };
        let off = draw.between(0.0, 0.8 - radius);
        let (sin, cos) = draw.angle().sin_cos();
        let centre = (off * cos, off * sin);
        let (sin, cos) = draw.angle().sin_cos();
        Self {
            centre,
            radius,
            chromatin: (centre.0 + radius * 0.85 * cos, centre.1 + radius * 0.85 * sin),
            ring,
            texture: Texture(draw.seed()),
        }
    }

    /// What it adds to the density of its cell.
    pub(crate) fn density(&self, at: &At, stain: &Stain) -> Density {
        let (u, v) = (at.u - self.centre.0, at.v - self.centre.1);
        let noise = self.texture.at(at.u * 6.0, at.v * 6.0);
        let t = (u * u + v * v).sqrt() / self.radius + 0.25 * noise;
        let body = if self.ring {
            1.0 - smooth_step(0.08, 0.30, (t - 0.85).abs())
        } else {
            (1.0 - smooth_step(0.75, 1.05, t)) * (0.7 + 0.5 * noise)
        };
        let (u, v) = (at.u - self.chromatin.0, at.v - self.chromatin.1);
        let dot = 1.0 - smooth_step(0.08, 0.17, (u * u + v * v).sqrt());
        // Fine dots all over the host cell, as in vivax.
        let dots = smooth_step(0.55, 0.75, self.texture.at(at.u * 13.0 + 40.0, at.v * 13.0)) * 0.3;
        plus(times(stain.cytoplasm, body.max(0.0) + dots), times(stain.nucleus, dot * 0.8))
    }
}
