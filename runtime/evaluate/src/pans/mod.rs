//! Measures whether each field is counted once: a window moves over the fields of a set, its frames go through the
//! models, and the result of [`bloodseg_fields`] is compared with the known position of the window.
//!
//! Fields are placed side by side (`montage`). The window stays, moves by part of a field, or jumps (`walk`); every
//! frame has its own blur and noise, and the lamp fades. Frames of different montages are unrelated; they are compared
//! too, as long as the earlier fields are stored.

mod counted;
mod montage;
mod table;
mod walk;

use image::RgbImage;
use serde::Serialize;

use self::{
    counted::{Counted, cells},
    montage::{FIELD_PX, MAX_FIELDS, Montage},
    walk::{FRAMES, walk},
};
use crate::{
    disturb::{Disturbance, disturbed},
    method::Method,
    set::{FieldSet, Pair},
};
use bloodseg_fields::{CellState, Fields, Frame, Sight, State};
use bloodseg_smear::draw::Draw;
use bloodseg_vision::{
    error::{Error, Result},
    geometry::REFERENCE_HR_PX,
};
pub use table::render;

/// Montage pixels per pixel of the analysed picture.
const PX: u32 = FIELD_PX / REFERENCE_HR_PX;

/// A frame further off than this is wrongly placed: one and a half times the shift that counts as none, for cells of 22
/// pixels.
const MAX_ERROR_PX: f64 = 16.0;

/// Bounds of the ranges of overlap that figures are given for.
const SHARED: [f64; 5] = [0.05, 0.1, 0.15, 0.3, 1.0];

/// Frames whose greatest overlap with an earlier frame of their pan lies in one range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Overlap {
    /// Lower bound of the shared part of the picture.
    pub from: f64,
    /// Upper bound.
    pub to: f64,
    /// Frames.
    pub frames: u32,
    /// Frames recognised as showing an earlier field or part of one.
    pub found: u32,
}

/// Results of the pans of a set. The field names are the keys of `eval --pans --json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Pans {
    /// Fields that the pans were cut from.
    pub fields: usize,
    /// Frames.
    pub frames: u32,
    /// Cells in all frames, including those seen before.
    pub cells: u32,
    /// Cells that were counted.
    pub counted: u32,
    /// Cells counted although an earlier frame had counted them.
    pub counted_twice: u32,
    /// Share of the counted cells that were counted twice, 0 to 1.
    pub counted_twice_part: f64,
    /// Cells classified as seen although no frame had counted them: the first frame of their place missed them, or
    /// found another shape. A cell in several frames counts once in each.
    pub left_out: u32,
    /// Share of the cells classified as seen that were left out, 0 to 1.
    pub left_out_part: f64,
    /// Cells classified as dust, although there is none.
    pub called_stuck: u32,
    /// Frames that overlap no earlier one.
    pub new_frames: u32,
    /// New frames classified as seen.
    pub new_called_old: u32,
    /// Pairs of a frame and a stored field of another montage.
    pub unrelated_pairs: u64,
    /// Frames that were matched with a field of another montage, or at a wrong shift.
    pub wrongly_placed: u32,
    /// By the greatest overlap with an earlier frame of the same pan.
    pub overlaps: Vec<Overlap>,
    /// Median distance between the found and the true shift, in pixels of the analysed picture.
    pub shift_error_px: Option<f64>,
}

/// Number of frames for a set of `fields` fields: how often [`pans`] calls `step`.
pub fn frames(fields: usize) -> usize {
    fields.div_ceil(MAX_FIELDS) * FRAMES as usize
}

/// Moves a window over every field of a set; `step` is called after each frame.
///
/// # Errors
/// Those of an unreadable field and of the models; the first one ends it.
pub fn pans(set: &FieldSet, model: &mut dyn Method, step: &mut dyn FnMut()) -> Result<Pans> {
    let mut pans = Tally::new(set.pairs().len());
    for (seed, pairs) in (0..).zip(set.pairs().chunks(MAX_FIELDS)) {
        pans.montage(pairs, seed, model, step)?;
    }
    Ok(pans.end())
}

/// The true position of a frame.
struct Past {
    montage: u64,
    corner: [u32; 2],
}

struct Tally {
    figures: Pans,
    fields: Fields,
    /// By frame number.
    past: Vec<Past>,
    shift_errors_px: Vec<f64>,
}

impl Tally {
    fn new(fields: usize) -> Self {
        let range = |range: &[f64]| Overlap { from: range[0], to: range[1], ..Overlap::default() };
        let overlaps = SHARED.windows(2).map(range).collect();
        let figures = Pans { fields, overlaps, ..Pans::default() };
        Self { figures, fields: Fields::new(), past: Vec::new(), shift_errors_px: Vec::new() }
    }

    fn montage(&mut self, pairs: &[Pair], seed: u64, model: &mut dyn Method, step: &mut dyn FnMut()) -> Result<()> {
        let montage = Montage::of(pairs)?;
        let mut draw = Draw::new(seed, 400);
        let mut counted = Counted::default();
        for (age, corner) in (0..).zip(walk(montage.range_px(), &mut draw)) {
            let lr = worn(&montage.window(corner)?, age, &mut draw)?;
            let found = cells(&model.answer(&lr)?.labels);
            let side_px = f64::from(REFERENCE_HR_PX);
            let frame = Frame { number: self.past.len() as u64, width_px: side_px, height_px: side_px };
            let sight = self.fields.see(&frame, found.iter().filter_map(|found| found.cell));
            let sight = sight.map_err(|e| Error::internal("pans", e.to_string()))?;
            self.judge(&sight, seed, corner);
            let at = corner.map(|place| (place + PX / 2) / PX);
            let twice: Vec<bool> = found.iter().map(|found| counted.holds(found, at)).collect();
            for ((found, state), twice) in found.iter().zip(self.fields.cells()).zip(twice) {
                self.figures.cells += 1;
                match state {
                    CellState::New => {
                        self.figures.counted += 1;
                        self.figures.counted_twice += u32::from(twice);
                        counted.add(found, at);
                    }
                    CellState::Seen => self.figures.left_out += u32::from(!twice),
                    CellState::Stuck => self.figures.called_stuck += 1,
                }
            }
            self.past.push(Past { montage: seed, corner });
            step();
        }
        Ok(())
    }

    /// Compares the result for a frame with its true position.
    fn judge(&mut self, sight: &Sight, montage: u64, corner: [u32; 2]) {
        let figures = &mut self.figures;
        figures.frames += 1;
        let own = self.past.iter().filter(|past| past.montage == montage);
        let shared = own.clone().map(|past| shared(past.corner, corner)).fold(0.0, f64::max);
        figures.unrelated_pairs += self.fields.len().saturating_sub(own.count()) as u64;
        let found = match sight.state {
            State::New | State::TooFew => None,
            State::Same { earlier } => Some((earlier, [0.0; 2])),
            State::Overlaps { earlier, shift_px, .. } => Some((earlier, shift_px)),
        };
        if shared == 0.0 {
            figures.new_frames += 1;
            figures.new_called_old += u32::from(found.is_some());
        }
        for overlap in &mut figures.overlaps {
            // The last range includes its end: a window that stands still.
            if shared >= overlap.from && (shared < overlap.to || overlap.to == 1.0) {
                overlap.frames += 1;
                overlap.found += u32::from(found.is_some());
            }
        }
        let Some((earlier, shift_px)) = found else { return };
        let Some(past) = self.past.get(earlier as usize) else { return };
        let off = |axis: usize| f64::from(corner[axis]) - f64::from(past.corner[axis]) - f64::from(PX) * shift_px[axis];
        let error_px = off(0).hypot(off(1)) / f64::from(PX);
        if past.montage != montage || error_px > MAX_ERROR_PX {
            figures.wrongly_placed += 1;
        } else if shift_px != [0.0; 2] {
            self.shift_errors_px.push(error_px);
        }
    }

    fn end(mut self) -> Pans {
        self.shift_errors_px.sort_unstable_by(f64::total_cmp);
        let part = |part: u32, whole: u32| f64::from(part) / f64::from(whole.max(1));
        let figures = &mut self.figures;
        figures.shift_error_px = self.shift_errors_px.get(self.shift_errors_px.len() / 2).copied();
        figures.counted_twice_part = part(figures.counted_twice, figures.counted);
        figures.left_out_part = part(figures.left_out, figures.cells - figures.counted - figures.called_stuck);
        self.figures
    }
}

/// Part of a window that it shares with another one.
fn shared(one: [u32; 2], other: [u32; 2]) -> f64 {
    let along = |axis: usize| f64::from(FIELD_PX.saturating_sub(one[axis].abs_diff(other[axis]))) / f64::from(FIELD_PX);
    along(0) * along(1)
}

/// A frame as the camera sees it `age` frames after the lamp was set: 0.1 % less light per frame, varying focus, noise.
fn worn(lr: &RgbImage, age: u32, draw: &mut Draw) -> Result<RgbImage> {
    let seed = draw.seed();
    let lr = disturbed(lr, Disturbance::UnderExposure, 0.999_f64.powi(age as i32), seed)?;
    let lr = disturbed(&lr, Disturbance::Blur, draw.between(0.2, 0.6), seed)?;
    disturbed(&lr, Disturbance::Noise, draw.between(1.0, 3.0), seed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use bloodseg_smear::write_set;
    use bloodseg_vision::{model::store::Models, pipeline::Pipeline};

    #[test]
    fn cells_of_rendered_smears_are_rarely_counted_twice() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path(), 18, 3, 512).unwrap();
        let set = FieldSet::open(folder.path()).unwrap();
        let mut pipeline = Pipeline::load(&Models::embedded().unwrap()).unwrap();
        let mut steps = 0;
        let pans = pans(&set, &mut pipeline, &mut || steps += 1).unwrap();
        assert!(render(&pans).contains("60 frames"), "{}", render(&pans));
        assert_eq!((steps, pans.frames), (frames(18), 60));
        assert!(pans.counted > 500 && pans.counted_twice_part <= 0.01, "{pans:?}");
        assert!(pans.unrelated_pairs > 300 && pans.new_called_old + pans.wrongly_placed == 0, "{pans:?}");
    }
}
