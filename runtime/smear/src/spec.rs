//! The parameters of a smear: a preparation, a stain, a lamp and a camera.

use super::{draw::Draw, optics::Optics, stain::Stain};

/// Shares of the kinds of red cells, from 0 to 1; the rest are plain discs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// Echinocytes, with spicules all over.
    pub crenated: f64,
    /// Elliptocytes.
    pub elliptic: f64,
    /// Dacrocytes, with one tail.
    pub teardrop: f64,
    /// Codocytes, with a stained spot in the pallor.
    pub target: f64,
    /// With a pale crease.
    pub folded: f64,
    /// With a malaria parasite inside.
    pub parasitised: f64,
}

/// All parameters of a rendered smear except the seed.
///
/// Lengths are in reference pixels, those of a field of 1200x1200; `scale` converts them to the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmearSpec {
    /// Width of the picture, in pixels.
    pub width_px: u32,
    /// Height of the picture, in pixels.
    pub height_px: u32,
    /// Picture pixels per reference pixel: 1 renders cells as large as in a field of 1200x1200.
    pub scale: f64,
    /// Mean diameter of a red cell, in reference pixels.
    pub cell_diameter_px: f64,
    /// Red cells per million reference pixels.
    pub red_cells_per_mpx: f64,
    /// White cells per million reference pixels.
    pub white_cells_per_mpx: f64,
    /// Platelets and specks per million reference pixels.
    pub platelets_per_mpx: f64,
    /// Share of red cells that touch or overlap another.
    pub heaping: f64,
    /// Minimum and maximum distance of a clustered cell from the cell it touches, in sums of the two radii: below 1 they
    /// overlap.
    pub heap_distance: (f64, f64),
    /// Usual strength of the central pallor, 0 to 1.
    pub pallor: f64,
    /// Kinds of red cells.
    pub shares: Shares,
    /// Whether white cells vary over all kinds and nuclei, not only the most common ones.
    pub any_white_cells: bool,
    /// Whether the truth includes platelets, for segmenters with kinds.
    pub labels_platelets: bool,
    /// The stain.
    pub stain: Stain,
    /// Lamp, lens and sensor.
    pub optics: Optics,
}

impl SmearSpec {
    /// A typical smear of one field: a picture whose shorter side covers 1200 reference pixels.
    pub fn field(width_px: u32, height_px: u32) -> Self {
        Self {
            width_px,
            height_px,
            scale: f64::from(width_px.min(height_px)) / 1200.0,
            cell_diameter_px: 92.0,
            red_cells_per_mpx: 38.0,
            white_cells_per_mpx: 0.4,
            platelets_per_mpx: 5.0,
            heaping: 0.45,
            heap_distance: (0.70, 1.04),
            pallor: 0.5,
            shares: Shares {
                crenated: 0.08,
                elliptic: 0.08,
                teardrop: 0.03,
                target: 0.04,
                folded: 0.06,
                parasitised: 0.02,
            },
            any_white_cells: false,
            labels_platelets: false,
            stain: Stain::VIOLET,
            optics: Optics::CLEAR,
        }
    }

    /// A random look: stain, lamp, focus, drying and crowding drawn from `seed`.
    pub fn varied(width_px: u32, height_px: u32, seed: u64) -> Self {
        let mut draw = Draw::new(seed, 1);
        let mut spec = Self::field(width_px, height_px);
        let (stain, lamp) = match draw.whole(0, 19) {
            0..=5 => (Stain::VIOLET, [252.0, 252.0, 253.0]),
            6..=11 => (Stain::SLATE, [222.0, 226.0, 226.0]),
            12..=16 => (Stain::INDIGO, [231.0, 231.0, 234.0]),
            17..=18 => (Stain::PALE, [251.0, 251.0, 252.0]),
            _ => (Stain::DIM, [150.0, 150.0, 143.0]),
        };
        spec.stain = stain.varied(&mut draw);
        spec.optics = Optics::varied(&mut draw, lamp);
        spec.cell_diameter_px = draw.between(76.0, 102.0);
        let crowding = (92.0 / spec.cell_diameter_px) * (92.0 / spec.cell_diameter_px);
        spec.red_cells_per_mpx = crowding * draw.between(24.0, 62.0);
        spec.white_cells_per_mpx = draw.between(0.0, 0.9);
        spec.platelets_per_mpx = draw.between(1.0, 9.0);
        spec.heaping = draw.between(0.25, 0.65);
        spec.pallor = draw.between(0.2, 0.85);
        spec.shares.crenated = if draw.chance(0.35) { draw.between(0.2, 0.75) } else { draw.between(0.0, 0.08) };
        let rest = 1.0 - spec.shares.crenated;
        spec.shares.elliptic = rest * draw.between(0.03, 0.18);
        spec.shares.teardrop = rest * draw.between(0.0, 0.06);
        spec.shares.target = rest * draw.between(0.0, 0.10);
        spec.shares.folded = rest * draw.between(0.02, 0.10);
        spec.shares.parasitised = rest * draw.between(0.0, 0.05);
        spec
    }
    /// A variant of [`Self::varied`] that is hard to count: crowded, with deeper overlaps and wide pallor, more white
    /// cells and platelets of any look, in any stain, and platelets in the truth.
    pub fn crowded(width_px: u32, height_px: u32, seed: u64) -> Self {
        let mut spec = Self::varied(width_px, height_px, seed);
        let mut draw = Draw::new(seed, 4);
        spec.red_cells_per_mpx *= draw.between(0.8, 1.7);
        spec.white_cells_per_mpx = draw.between(0.5, 6.0);
        spec.platelets_per_mpx = draw.between(2.0, 14.0);
        spec.heaping = draw.between(0.4, 0.9);
        spec.heap_distance.0 = draw.between(0.5, 0.75);
        spec.pallor = draw.between(0.3, 1.0);
        spec.any_white_cells = true;
        spec.labels_platelets = true;
        if draw.chance(0.7) {
            spec.stain = Stain::any(&mut draw);
        }
        spec
    }
}
