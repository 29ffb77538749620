//! Diameters of the cells of the latest counted frames, in bins: a ring of histograms and their sum.

use serde::Serialize;

use crate::page::limits::{MAX_PAGE_DIAMETER_FRAMES, PAGE_DIAMETER_BINS};
use bloodseg_vision::{
    cells::Cell,
    geometry::SCALE,
    placement::{PitchSource, Scaled},
};

/// Bin width in micrometres, if the pitch is known.
const BIN_UM: f64 = 0.5;

/// Bin width in pixels of the analysed picture, if it is unknown.
const BIN_PX: f64 = 0.4;

type Bins = [u16; PAGE_DIAMETER_BINS];

/// See the module. As in the report of a run, cells at the border, whose diameters are too small, and unsupported cells
/// are excluded.
#[derive(Debug)]
pub struct Diameters {
    /// Whether they are in micrometres; unknown before the first frame.
    in_um: Option<bool>,
    /// Whether micrometres are estimates.
    is_estimated: bool,
    frames: Box<[Bins; MAX_PAGE_DIAMETER_FRAMES]>,
    next: usize,
    sum: [u32; PAGE_DIAMETER_BINS],
}

/// The current histogram.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// `um`, or `px` of the analysed picture if the pitch is unknown.
    pub unit: &'static str,
    /// Whether they are estimates, from a pitch measured on red cells.
    pub estimated: bool,
    /// Width of a bin in that unit; the first begins at 0, the last is open.
    pub bin_width: f64,
    /// Cells in each bin.
    pub counts: Vec<u32>,
}

impl Default for Diameters {
    fn default() -> Self {
        Self::new()
    }
}

impl Diameters {
    /// An empty histogram.
    pub fn new() -> Self {
        let frames = Box::new([[0; PAGE_DIAMETER_BINS]; MAX_PAGE_DIAMETER_FRAMES]);
        Self { in_um: None, is_estimated: false, frames, next: 0, sum: [0; PAGE_DIAMETER_BINS] }
    }

    fn is_in_um(&self) -> bool {
        self.in_um == Some(true)
    }

    fn bin_width(&self) -> f64 {
        if self.is_in_um() { BIN_UM } else { BIN_PX }
    }

    /// Adds the cells of a frame and removes those of the oldest. The first frame determines the unit; if it is
    /// micrometres, later frames without a pitch are skipped.
    pub fn add(&mut self, cells: &[Cell], scaled: &Scaled) {
        let in_um = *self.in_um.get_or_insert(scaled.um_per_px.is_some());
        let Some(scale) = (if in_um { scaled.um_per_sr_px() } else { Some(1.0 / f64::from(SCALE)) }) else { return };
        self.is_estimated = in_um && scaled.source == PitchSource::Measured;
        let width = self.bin_width();
        let frame = &mut self.frames[self.next];
        for (sum, old) in self.sum.iter_mut().zip(*frame) {
            *sum -= u32::from(old);
        }
        *frame = [0; PAGE_DIAMETER_BINS];
        for cell in cells.iter().filter(|cell| is_measured(cell)) {
            let at = (cell.equivalent_diameter_px * scale / width) as usize;
            let bin = &mut frame[at.min(PAGE_DIAMETER_BINS - 1)];
            *bin = bin.saturating_add(1);
        }
        for (sum, new) in self.sum.iter_mut().zip(*frame) {
            *sum += u32::from(new);
        }
        self.next = (self.next + 1) % MAX_PAGE_DIAMETER_FRAMES;
    }

    /// The sum over the frames.
    pub fn histogram(&self) -> Histogram {
        let unit = if self.is_in_um() { "um" } else { "px" };
        Histogram { unit, estimated: self.is_estimated, bin_width: self.bin_width(), counts: self.sum.to_vec() }
    }
}

/// Whether its size counts: a complete, supported cell that is not a platelet.
fn is_measured(cell: &Cell) -> bool {
    cell.kind.is_cell() && !cell.touches_border && cell.consistency.supported()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::history::tests::cell;

    #[test]
    fn new_frame_replaces_oldest_in_histogram() {
        let scaled = Scaled::as_it_is(Some(2.0), PitchSource::Given);
        let mut diameters = Diameters::new();
        // 16 px of the super-resolved grid are 4 px of the sensor, which are 8 um: bin 16.
        let mut invented = cell(4, 16.0, false);
        invented.consistency.offset_levels = 200.0;
        diameters.add(&[cell(1, 16.0, false), cell(2, 16.0, true), cell(3, 1e9, false), invented], &scaled);
        let histogram = diameters.histogram();
        assert_eq!(
            (histogram.unit, histogram.bin_width, histogram.counts[16], histogram.counts[PAGE_DIAMETER_BINS - 1]),
            ("um", 0.5, 1, 1)
        );
        for _ in 0..MAX_PAGE_DIAMETER_FRAMES {
            diameters.add(&[cell(1, 1.0, false)], &scaled);
        }
        let counts = diameters.histogram().counts;
        assert_eq!(
            (counts[1], counts.iter().sum::<u32>()),
            (MAX_PAGE_DIAMETER_FRAMES as u32, MAX_PAGE_DIAMETER_FRAMES as u32)
        );
        // A frame without a pitch is skipped.
        diameters.add(&[cell(1, 1.0, false)], &Scaled::default());
        assert_eq!(diameters.histogram().counts, counts);
    }

    #[test]
    fn first_frame_determines_unit() {
        let mut diameters = Diameters::new();
        assert_eq!(diameters.histogram().unit, "px");
        diameters.add(&[cell(1, 16.0, false)], &Scaled::default());
        diameters.add(&[cell(1, 16.0, false)], &Scaled::as_it_is(Some(2.0), PitchSource::Given));
        let histogram = diameters.histogram();
        assert_eq!((histogram.unit, histogram.estimated, histogram.counts[10]), ("px", false, 2));
        let mut measured = Diameters::new();
        measured.add(&[], &Scaled::as_it_is(Some(2.0), PitchSource::Measured));
        assert!(measured.histogram().unit == "um" && measured.histogram().estimated);
    }
}
