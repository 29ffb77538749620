//! Giemsa stain as optical density: the absorption of each part of a blood cell in red, green and blue.
//!
//! Densities of overlapping objects add, and light decreases as `exp(-density)` (Beer-Lambert), which is why two
//! overlapping cells are darker than one.

use super::draw::Draw;

/// Optical density (natural logarithm) in R, G, B.
pub(crate) type Density = [f64; 3];

/// The stain of one smear.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stain {
    /// Rim of a red cell.
    pub red_cell: [f64; 3],
    /// Nucleus of a white cell and chromatin of a parasite.
    pub nucleus: [f64; 3],
    /// Cytoplasm of a white cell or of a parasite.
    pub cytoplasm: [f64; 3],
    /// Platelet.
    pub platelet: [f64; 3],
}

impl Stain {
    /// Violet red cells on white, a well-differentiated stain.
    pub const VIOLET: Self = Self::of([0.62, 0.80, 0.26]);
    /// Slate-blue, stained long and too alkaline.
    pub const SLATE: Self = Self::of([1.02, 0.93, 0.52]);
    /// Indigo, between the two.
    pub const INDIGO: Self = Self::of([0.98, 1.10, 0.56]);
    /// Faded.
    pub const PALE: Self = Self::of([0.24, 0.31, 0.09]);
    /// Grey-green, as a cheap camera under a yellow lamp sees it.
    pub const DIM: Self = Self::of([0.31, 0.22, 0.17]);

    const fn of(red_cell: [f64; 3]) -> Self {
        Self { red_cell, nucleus: [0.95, 1.75, 0.55], cytoplasm: [0.38, 0.62, 0.18], platelet: [0.40, 0.75, 0.22] }
    }

    /// Any stain with eosin and methylene blue: red cells from orange to violet, nuclei from blue to purple and denser than
    /// red cells, cytoplasm from clear to blue.
    pub(crate) fn any(draw: &mut Draw) -> Self {
        let of = |draw: &mut Draw, green: (f64, f64), red: (f64, f64), blue: (f64, f64)| {
            let strength = draw.between(green.0.ln(), green.1.ln()).exp();
            [strength * draw.between(red.0, red.1), strength, strength * draw.between(blue.0, blue.1)]
        };
        let red_cell = of(draw, (0.25, 1.1), (0.1, 0.95), (0.2, 0.8));
        let above = of(draw, (0.5, 1.4), (0.6, 1.4), (0.1, 0.6));
        Self {
            red_cell,
            nucleus: plus(times(red_cell, draw.between(0.3, 0.9)), above),
            cytoplasm: of(draw, (0.06, 0.6), (0.4, 1.3), (0.1, 0.7)),
            platelet: of(draw, (0.25, 0.9), (0.4, 1.0), (0.15, 0.6)),
        }
    }

    /// The same stain, more or less dense and slightly different in colour.
    pub(crate) fn varied(mut self, draw: &mut Draw) -> Self {
        let uptake = draw.between(0.85, 1.15);
        for part in [&mut self.red_cell, &mut self.nucleus, &mut self.cytoplasm, &mut self.platelet] {
            for channel in part.iter_mut() {
                *channel *= uptake * draw.between(0.92, 1.08);
            }
        }
        self
    }
}

/// `density` times `amount`.
pub(crate) fn times(density: Density, amount: f64) -> Density {
    density.map(|channel| channel * amount)
}

/// The sum of two densities: one thing over another.
pub(crate) fn plus(a: Density, b: Density) -> Density {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}
