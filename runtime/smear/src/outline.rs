//! Outlines of cells in polar form, and the position of pixels relative to them.

use std::f64::consts::TAU;

use super::draw::Draw;

const ANGLES: usize = 360;

/// A star-shaped outline: a radius for each direction from the centre.
#[derive(Debug, Clone)]
pub(crate) struct Outline {
    /// Centre, in pixels of the picture (pixel centres at .5).
    pub(crate) x_px: f64,
    /// See `x_px`.
    pub(crate) y_px: f64,
    /// Radius in each of [`ANGLES`] directions; the first is repeated at the end.
    radii_px: Vec<f64>,
    /// Greatest radius.
    reach_px: f64,
    /// Mean radius, the unit of [`At::u`] and [`At::v`].
    pub(crate) mean_px: f64,
    /// Width over which the edge fades, in pixels.
    pub(crate) softness_px: f64,
}

/// The position of a pixel relative to a cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    /// 0 in the centre, 1 on the outline.
    pub(crate) t: f64,
    /// Offset from the centre in mean radii.
    pub(crate) u: f64,
    /// See `u`.
    pub(crate) v: f64,
    /// Distance to the outline along the ray, in pixels, positive inside.
    pub(crate) depth_px: f64,
}

/// Deviations of an outline from a circle. Heights and amplitudes are relative to the radius.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Form {
    /// Short axis over long axis, 1 for round.
    pub(crate) aspect: f64,
    /// Amplitude of slow irregular waves.
    pub(crate) waves: f64,
    /// Number of spicules on the rim, 0 for none.
    pub(crate) spicules: u32,
    /// Their height.
    pub(crate) spicule_height: f64,
    /// Height of a single tail, 0 for none.
    pub(crate) tail: f64,
}

impl Form {
    /// Round except for slow waves.
    pub(crate) fn round(waves: f64) -> Self {
        Self { aspect: 1.0, waves, ..Self::default() }
    }
}

impl Outline {
    /// Draws an outline of `radius_px` (the geometric mean of the two axes) around a centre.
    pub(crate) fn draw(draw: &mut Draw, x_px: f64, y_px: f64, radius_px: f64, form: Form, softness_px: f64) -> Self {
        let turn = draw.angle();
        let waves: Vec<(f64, f64, f64)> =
            (2..6).map(|n| (f64::from(n), form.waves * draw.normal() / f64::from(n), draw.angle())).collect();
        let spicules: Vec<(f64, f64, f64)> = (0..form.spicules)
            .map(|n| {
                let place = (f64::from(n) + draw.between(-0.3, 0.3)) / f64::from(form.spicules);
                (place * TAU, form.spicule_height * draw.between(0.4, 1.2), 1.0 / f64::from(form.spicules))
            })
            .collect();
        let tail_at = draw.angle();
        let long = 1.0 / form.aspect.sqrt();
        let mut radii_px: Vec<f64> = (0..ANGLES)
            .map(|step| {
                let angle = step as f64 * TAU / ANGLES as f64;
                let (sin, cos) = (angle - turn).sin_cos();
                let ellipse = 1.0 / ((cos / long).powi(2) + (sin * long).powi(2)).sqrt();
                let wave: f64 = waves.iter().map(|(n, height, phase)| height * (n * angle + phase).sin()).sum();
                let spike: f64 = spicules
                    .iter()
                    .map(|(place, height, width)| height * (1.0 - apart(angle, *place) / (width * 2.2)).max(0.0))
                    .sum();
                let tail = form.tail * (-apart(angle, tail_at) / 0.22).exp();
                radius_px * (ellipse + wave + spike + tail).max(0.2)
            })
            .collect();
        radii_px.push(radii_px[0]);
        let reach_px = radii_px.iter().copied().fold(0.0, f64::max);
        Self { x_px, y_px, radii_px, reach_px, mean_px: radius_px, softness_px }
    }

    /// Distance from the centre beyond which nothing is drawn, in pixels.
    pub(crate) fn reach_px(&self) -> f64 {
        self.reach_px + self.softness_px
    }

    /// The position of a point.
    pub(crate) fn at(&self, x_px: f64, y_px: f64) -> At {
        let (dx, dy) = (x_px - self.x_px, y_px - self.y_px);
        let distance_px = (dx * dx + dy * dy).sqrt();
        let place = (dy.atan2(dx) / TAU).rem_euclid(1.0) * ANGLES as f64;
        let step = (place as usize).min(ANGLES - 1);
        let rest = place - step as f64;
        let radius_px = self.radii_px[step] * (1.0 - rest) + self.radii_px[step + 1] * rest;
        At { t: distance_px / radius_px, u: dx / self.mean_px, v: dy / self.mean_px, depth_px: radius_px - distance_px }
    }
}

/// Distance of two angles, 0 to pi.
fn apart(a: f64, b: f64) -> f64 {
    let turn = (a - b).rem_euclid(TAU);
    turn.min(TAU - turn)
}
