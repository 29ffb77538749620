//! The figures of a field that are compared over time: with their own history, and on control slides.

use bloodseg_statistics::drift::Figure;
use bloodseg_vision::{
    cells::Kind,
    pipeline::Analysis,
    placement::{PitchSource, Scaled},
};

/// Bin width of diameters, in pixels of the super-resolved picture: a hundredth of a red cell.
const BIN_PX: f64 = 0.25;

/// Up to three red cells.
const DIAMETER_BINS: usize = 256;

/// One value for each of [`Figure::ALL`]; NaN where there is none.
pub(super) type Values = [f64; Figure::ALL.len()];

/// Measures fields, one after the other, without allocating.
#[derive(Debug)]
pub(super) struct Measuring {
    /// Cells of a frame by their diameter.
    diameters: [u32; DIAMETER_BINS],
}

impl Default for Measuring {
    fn default() -> Self {
        Self { diameters: [0; DIAMETER_BINS] }
    }
}

impl Measuring {
    /// The figures of a field.
    pub(super) fn values(&mut self, analysis: &Analysis) -> Values {
        let (quality, counts) = (&analysis.quality, analysis.counts());
        let diameter = self.median_diameter_um(analysis);
        Figure::ALL.map(|figure| match figure {
            Figure::Light => quality.brightness_levels,
            Figure::Sharpness => quality.sharpness.unwrap_or(f64::NAN),
            Figure::Contrast => quality.contrast_levels,
            Figure::RedCellDiameter => diameter.unwrap_or(f64::NAN),
            Figure::CellsAField => counts.cells.into(),
            // Without cells this is 0 / 0, NaN.
            Figure::UnsupportedShare => f64::from(counts.unsupported) / f64::from(counts.cells),
            Figure::Scale => analysis.scaled.placement.scale,
        })
    }

    /// The median diameter of whole red cells. A pitch that was measured by red cells says nothing about their size.
    fn median_diameter_um(&mut self, analysis: &Analysis) -> Option<f64> {
        let Scaled { source, .. } = &analysis.scaled;
        let um_per_sr_px = analysis.scaled.um_per_sr_px()?;
        if *source == PitchSource::Measured {
            return None;
        }
        self.diameters.fill(0);
        let whole = analysis.cells.iter().filter(|cell| {
            matches!(cell.kind, Kind::Red | Kind::Unknown) && !cell.touches_border && cell.consistency.supported()
        });
        let mut cells = 0;
        for cell in whole {
            let bin = (cell.equivalent_diameter_px / BIN_PX) as usize;
            self.diameters[bin.min(DIAMETER_BINS - 1)] += 1;
            cells += 1;
        }
        let mut below = 0;
        let middle = self.diameters.iter().position(|count| {
            below += count;
            2 * below > cells
        });
        middle.map(|bin| (bin as f64 + 0.5) * BIN_PX * um_per_sr_px)
    }
}
