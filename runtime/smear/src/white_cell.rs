//! White cells: large, pale cytoplasm, a purple nucleus, lobed or round.

use super::{
    draw::Draw,
    outline::{At, Form, Outline},
    stain::{Density, Stain, plus, times},
    texture::{Texture, smooth_step},
};

/// One white cell.
#[derive(Debug, Clone)]
pub(crate) struct WhiteCell {
    pub(crate) outline: Outline,
    /// Centre and radius of each lobe, in radii of the cell.
    lobes: Vec<(f64, f64, f64)>,
    cytoplasm: f64,
    texture: Texture,
}

impl WhiteCell {
    /// Draws one of the common kinds around a centre; the radius is in pixels of the picture.
    pub(crate) fn draw(draw: &mut Draw, scale: f64, x_px: f64, y_px: f64, radius_px: f64) -> Self {
        let granulocyte = draw.chance(0.65);
        let lobes = if granulocyte { lobed(draw) } else { vec![(0.08, -0.05, draw.between(0.68, 0.85))] };
        let form = Form { aspect: draw.between(0.85, 1.0), waves: 0.08, ..Form::default() };
        Self {
            outline: Outline::draw(draw, x_px, y_px, radius_px, form, draw_softness(scale)),
            lobes,
            cytoplasm: draw.between(0.45, 0.8),
            texture: Texture(draw.seed()),
        }
    }

    /// Draws any kind: from a lymphocyte that is nearly all nucleus to a granulocyte with five lobes in clear cytoplasm.
    pub(crate) fn any(draw: &mut Draw, scale: f64, x_px: f64, y_px: f64, radius_px: f64) -> Self {
        let lobes = match draw.whole(0, 9) {
            0..=4 => scattered(draw),
            5..=6 => kidney(draw),
            _ => vec![(draw.between(-0.15, 0.15), draw.between(-0.15, 0.15), draw.between(0.6, 0.95))],
        };
        let form = Form { aspect: draw.between(0.75, 1.0), waves: draw.between(0.02, 0.14), ..Form::default() };
        Self {
            outline: Outline::draw(draw, x_px, y_px, radius_px, form, draw_softness(scale)),
            lobes,
            cytoplasm: draw.between(0.3, 1.0),
            texture: Texture(draw.seed()),
        }
    }

    /// Density inside the outline.
    pub(crate) fn density(&self, at: &At, stain: &Stain) -> Density {
        let grain = self.texture.at(at.u * 9.0, at.v * 9.0);
        let ragged = 0.12 * self.texture.at(at.u * 4.0 + 20.0, at.v * 4.0);
        // Lobes connected by bridges: the sum of their bells, thresholded.
        let bells: f64 = self
            .lobes
            .iter()
            .map(|(x, y, radius)| (-((at.u - x).powi(2) + (at.v - y).powi(2)) / (radius * radius) * 1.1).exp())
            .sum();
        let nucleus = smooth_step(0.27, 0.45, bells + ragged);
        let clumps = 0.85 + 0.2 * self.texture.at(at.u * 5.0, at.v * 5.0 + 9.0);
        plus(times(stain.cytoplasm, self.cytoplasm * (0.8 + 0.35 * grain)), times(stain.nucleus, nucleus * clumps))
    }
}

fn draw_softness(scale: f64) -> f64 {
    3.0 * scale
}

/// Two to four lobes on an arc.
fn lobed(draw: &mut Draw) -> Vec<(f64, f64, f64)> {
    let count = draw.whole(2, 4);
    let start = draw.angle();
    (0..count)
        .map(|n| {
            let (sin, cos) = (start + f64::from(n) * draw.between(1.0, 1.5)).sin_cos();
            let out = draw.between(0.36, 0.52);
            (out * cos, out * sin, draw.between(0.26, 0.38))
        })
        .collect()
}

/// Two to five lobes anywhere, connected or not.
fn scattered(draw: &mut Draw) -> Vec<(f64, f64, f64)> {
    let count = draw.whole(2, 5);
    let start = draw.angle();
    let step = std::f64::consts::TAU / f64::from(count) * draw.between(0.6, 1.0);
    (0..count)
        .map(|n| {
            let (sin, cos) = (start + f64::from(n) * step + draw.between(-0.2, 0.2)).sin_cos();
            let out = draw.between(0.3, 0.6);
            (out * cos, out * sin, draw.between(0.2, 0.36))
        })
        .collect()
}

/// A bent band.
fn kidney(draw: &mut Draw) -> Vec<(f64, f64, f64)> {
    let (start, out, width) = (draw.angle(), draw.between(0.25, 0.45), draw.between(0.26, 0.4));
    let span = draw.between(1.5, 4.0);
    (0..6)
        .map(|n| {
            let (sin, cos) = (start + span * f64::from(n) / 5.0).sin_cos();
            (out * cos, out * sin, width)
        })
        .collect()
}
