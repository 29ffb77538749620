//! Platelets and specks: in the picture, but not in the labels, because annotators omit them.

use super::{
    draw::Draw,
    outline::{At, Form, Outline},
    stain::{Density, Stain, times},
    texture::{Texture, smooth_step},
};

/// One platelet, or a speck of precipitated stain.
#[derive(Debug, Clone)]
pub(crate) struct Platelet {
    pub(crate) outline: Outline,
    amount: f64,
    texture: Texture,
}

impl Platelet {
    /// A platelet; the radius is in pixels of the picture.
    pub(crate) fn draw(draw: &mut Draw, scale: f64, x_px: f64, y_px: f64, radius_px: f64) -> Self {
        let form = Form { aspect: draw.between(0.6, 1.0), waves: 0.16, ..Form::default() };
        let softness_px = draw.between(2.5, 6.0) * scale;
        Self {
            outline: Outline::draw(draw, x_px, y_px, radius_px, form, softness_px),
            amount: draw.between(0.4, 1.1),
            texture: Texture(draw.seed()),
        }
    }

    /// Density inside the outline: granules in the middle.
    pub(crate) fn density(&self, at: &At, stain: &Stain) -> Density {
        let granules = 0.75 + 0.4 * self.texture.at(at.u * 3.0, at.v * 3.0);
        times(stain.platelet, self.amount * granules * (1.0 - 0.6 * smooth_step(0.3, 1.0, at.t)))
    }
}
