//! Smooth random textures: value noise on a lattice (Perlin, "An image synthesizer", 1985, in its plainest form).

use super::draw::spread;

/// A texture with values from -1 to 1 and about one bump per unit of length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Texture(pub(crate) u64);

impl Texture {
    /// The value at a point.
    pub(crate) fn at(self, x: f64, y: f64) -> f64 {
        let (column, row) = (x.floor(), y.floor());
        let (fx, fy) = (fade(x - column), fade(y - row));
        let (column, row) = (column as i64, row as i64);
        let top = mix(self.corner(column, row), self.corner(column + 1, row), fx);
        let bottom = mix(self.corner(column, row + 1), self.corner(column + 1, row + 1), fx);
        mix(top, bottom, fy)
    }

    fn corner(self, column: i64, row: i64) -> f64 {
        let hash = spread(
            self.0
                ^ (column as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
                ^ (row as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f).rotate_left(31),
        );
        (hash >> 11) as f64 * (2.0 / (1_u64 << 53) as f64) - 1.0
    }
}

fn fade(t: f64) -> f64 {
    t * t * (3.0 - 2.0 * t)
}

fn mix(a: f64, b: f64, t: f64) -> f64 {
    a + (b - a) * t
}

/// 0 below `low`, 1 above `high`, smooth between.
pub(crate) fn smooth_step(low: f64, high: f64, value: f64) -> f64 {
    fade(((value - low) / (high - low)).clamp(0.0, 1.0))
}
