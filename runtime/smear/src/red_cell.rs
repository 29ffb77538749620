//! Red cells: biconcave discs, altered by drying, age and disease.

use super::{
    draw::Draw,
    outline::{At, Form, Outline},
    parasite::Parasite,
    spec::SmearSpec,
    stain::{Density, Stain, plus, times},
    texture::{Texture, smooth_step},
};

/// The relief inside the outline.
#[derive(Debug, Clone)]
enum Relief {
    /// A dip in the middle, the central pallor.
    Dip { size: f64, strength: f64, off: (f64, f64) },
    /// A dip with a stained spot in its middle: a target cell.
    Target { size: f64, strength: f64 },
    /// A pale crease across the cell.
    Fold { direction: (f64, f64), off: f64, bend: f64, strength: f64 },
    /// Spicules seen from above: dark and pale lumps.
    Lumps { texture: Texture, fineness: f64, strength: f64 },
}

/// One red cell.
#[derive(Debug, Clone)]
pub(crate) struct RedCell {
    pub(crate) outline: Outline,
    relief: Relief,
    /// Amount of haemoglobin, 1 for a typical cell.
    amount: f64,
    /// Share by which one side is thicker, and which.
    lean: (f64, f64),
    /// Darker brim.
    brim: f64,
    parasite: Option<Parasite>,
}

impl RedCell {
    /// Draws a cell around a centre; the radius is in pixels of the picture.
    pub(crate) fn draw(draw: &mut Draw, spec: &SmearSpec, x_px: f64, y_px: f64, radius_px: f64) -> Self {
        let mut form = Form::round(0.035);
        let mut amount = draw.between(0.85, 1.12);
        let mut size = 1.0;
        let mut parasite = None;
        let kind = draw.unit();
        let shares = &spec.shares;
        let crenated = shares.crenated;
        let elliptic = crenated + shares.elliptic;
        let teardrop = elliptic + shares.teardrop;
        let target = teardrop + shares.target;
        let folded = target + shares.folded;
        let parasitised = folded + shares.parasitised;
        let relief = if kind < crenated {
            form.spicules = draw.whole(9, 17);
            form.spicule_height = draw.between(0.10, 0.24);
            form.aspect = draw.between(0.80, 1.0);
            size = draw.between(0.74, 0.90);
            amount *= draw.between(0.95, 1.25);
            Relief::Lumps {
                texture: Texture(draw.seed()),
                fineness: draw.between(3.2, 5.0),
                strength: draw.between(0.25, 0.6),
            }
        } else if kind < elliptic {
            form.aspect = draw.between(0.55, 0.80);
            dip(draw, spec, 0.6)
        } else if kind < teardrop {
            form.aspect = draw.between(0.70, 0.95);
            form.tail = draw.between(0.35, 0.75);
            dip(draw, spec, 0.3)
        } else if kind < target {
            Relief::Target { size: draw.between(0.55, 0.72), strength: draw.between(0.45, 0.7) }
        } else if kind < folded {
            let (sin, cos) = draw.angle().sin_cos();
            Relief::Fold {
                direction: (cos, sin),
                off: draw.between(-0.3, 0.3),
                bend: draw.between(-0.45, 0.45),
                strength: draw.between(0.35, 0.7),
            }
        } else if kind < parasitised {
            // A vivax host cell is swollen, its haemoglobin half digested.
            size = draw.between(1.05, 1.3);
            amount *= 0.7;
            form.waves = 0.06;
            parasite = Some(Parasite::draw(draw));
            dip(draw, spec, 0.3)
        } else {
            form.aspect = draw.between(0.88, 1.0);
            dip(draw, spec, 1.0)
        };
        // A cell slightly above the focal plane has a softer edge.
        let blurred = draw.chance(0.08);
        let softness = if blurred { draw.between(4.0, 9.0) } else { draw.between(1.5, 3.0) };
        let lean = draw.between(0.0, 0.14);
        let (sin, cos) = draw.angle().sin_cos();
        Self {
            outline: Outline::draw(draw, x_px, y_px, radius_px * size, form, softness * spec.scale),
            relief,
            amount,
            lean: (lean * cos, lean * sin),
            brim: draw.between(0.05, 0.22),
            parasite,
        }
    }

    /// Density inside the outline, before the edge fades it.
    pub(crate) fn density(&self, at: &At, stain: &Stain) -> Density {
        // Dried discs are flat with a rounded shoulder.
        let shoulder = (1.0 - at.t.min(1.0).powi(6)).max(0.0).powf(0.35);
        let body = 0.55 + 0.45 * shoulder;
        let brim = 1.0 + self.brim * smooth_step(0.55, 0.86, at.t);
        let lean = 1.0 + self.lean.0 * at.u + self.lean.1 * at.v;
        let amount = self.amount * body * brim * lean * self.relief(at);
        let density = times(stain.red_cell, amount.max(0.0));
        match &self.parasite {
            Some(parasite) => plus(density, parasite.density(at, stain)),
            None => density,
        }
    }

    fn relief(&self, at: &At) -> f64 {
        match &self.relief {
            Relief::Dip { size, strength, off } => {
                let (u, v) = (at.u - off.0, at.v - off.1);
                // Measured from its own centre, but never up to the brim.
                let t = (u * u + v * v).sqrt().max(at.t - 0.25);
                1.0 - strength * (1.0 - smooth_step(size * 0.3, size * 1.25, t))
            }
            Relief::Target { size, strength } => {
                let dip = 1.0 - smooth_step(size * 0.7, size * 1.2, at.t);
                let spot = 1.0 - smooth_step(size * 0.25, size * 0.6, at.t);
                1.0 - strength * (dip - 0.95 * spot)
            }
            Relief::Fold { direction, off, bend, strength } => {
                let along = at.v * direction.0 - at.u * direction.1;
                let across = at.u * direction.0 + at.v * direction.1 - off - bend * along * along;
                // Steep on one side, where the membrane folds over, and fading on the other.
                let crease = smooth_step(-0.14, 0.0, across) * (1.0 - smooth_step(0.05, 0.55, across));
                let inner = 1.0 - smooth_step(0.35, 0.95, at.t);
                1.0 - strength * crease * inner + 0.15 * (1.0 - smooth_step(0.0, 0.12, (across + 0.16).abs())) * inner
            }
            Relief::Lumps { texture, fineness, strength } => {
                let (u, v) = (at.u * fineness, at.v * fineness);
                // The second octave is rotated, which hides the lattice.
                let value = texture.at(u, v) + 0.7 * texture.at(0.8 * u - 0.6 * v + 30.0, 0.6 * u + 0.8 * v);
                1.0 + strength * (smooth_step(-0.7, 0.6, value) * 2.0 - 1.15)
            }
        }
    }
}

/// A typical pallor, at most `share` of the usual strength.
fn dip(draw: &mut Draw, spec: &SmearSpec, share: f64) -> Relief {
    let strength = (spec.pallor * draw.between(0.4, 1.3) * share).clamp(0.0, 0.88);
    Relief::Dip {
        size: draw.between(0.42, 0.80),
        strength,
        off: (draw.between(-0.12, 0.12), draw.between(-0.12, 0.12)),
    }
}
