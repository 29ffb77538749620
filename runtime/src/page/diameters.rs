//! Diameters of the cells of the latest counted frames, in bins: a ring of histograms and their sum.

use serde::Serialize;

use crate::page::limits::{MAX_PAGE_DIAMETER_FRAMES, PAGE_DIAMETER_BINS};
use bloodseg_vision::{cells::Cell, geometry::SCALE};

/// Width of a bin where the pitch is known, in micrometres.
const BIN_UM: f64 = 0.5;

/// Width of a bin where it is not, in pixels of the sensor.
const BIN_PX: f64 = 0.4;

type Bins = [u16; PAGE_DIAMETER_BINS];

/// See the module. Left out, as in the report of a run: cells at the border, whose diameters are too small, and cells that
/// the input does not bear out.
#[derive(Debug)]
pub struct Diameters {
    um_per_px: Option<f64>,
    frames: Box<[Bins; MAX_PAGE_DIAMETER_FRAMES]>,
    next: usize,
    sum: [u32; PAGE_DIAMETER_BINS],
}

/// As it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// `um`, or `px` of the sensor where the pitch is not known.
    pub unit: &'static str,
    /// Width of a bin in that unit; the first begins at 0, the last has no end.
    pub bin_width: f64,
    /// Cells in each bin.
    pub counts: Vec<u32>,
}

impl Diameters {
    /// Empty. `um_per_px` is the pitch of the frames.
    pub fn new(um_per_px: Option<f64>) -> Self {
        let frames = Box::new([[0; PAGE_DIAMETER_BINS]; MAX_PAGE_DIAMETER_FRAMES]);
        Self { um_per_px, frames, next: 0, sum: [0; PAGE_DIAMETER_BINS] }
    }

    fn bin_width(&self) -> f64 {
        if self.um_per_px.is_some() { BIN_UM } else { BIN_PX }
    }

    /// Adds the cells of a frame; those of the oldest go.
    pub fn add(&mut self, cells: &[Cell]) {
        let width = self.bin_width();
        let scale = self.um_per_px.unwrap_or(1.0) / f64::from(SCALE);
        let frame = &mut self.frames[self.next];
        for (sum, old) in self.sum.iter_mut().zip(*frame) {
            *sum -= u32::from(old);
        }
        *frame = [0; PAGE_DIAMETER_BINS];
        for cell in cells.iter().filter(|cell| !cell.touches_border && cell.consistency.supported()) {
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
    pub fn told(&self) -> Told {
        let unit = if self.um_per_px.is_some() { "um" } else { "px" };
        Told { unit, bin_width: self.bin_width(), counts: self.sum.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::history::tests::cell;

    #[test]
    fn the_oldest_frame_goes_when_a_new_one_comes() {
        let mut diameters = Diameters::new(Some(2.0));
        // 16 px of the super-resolved grid are 4 px of the sensor are 8 um: bin 16.
        let mut invented = cell(4, 16.0, false);
        invented.consistency.offset_levels = 200.0;
        diameters.add(&[cell(1, 16.0, false), cell(2, 16.0, true), cell(3, 1e9, false), invented]);
        let told = diameters.told();
        assert_eq!(
            (told.unit, told.bin_width, told.counts[16], told.counts[PAGE_DIAMETER_BINS - 1]),
            ("um", 0.5, 1, 1)
        );
        for _ in 0..MAX_PAGE_DIAMETER_FRAMES {
            diameters.add(&[cell(1, 1.0, false)]);
        }
        let counts = diameters.told().counts;
        assert_eq!(
            (counts[1], counts.iter().sum::<u32>()),
            (MAX_PAGE_DIAMETER_FRAMES as u32, MAX_PAGE_DIAMETER_FRAMES as u32)
        );
        assert_eq!(Diameters::new(None).told().unit, "px");
    }
}
