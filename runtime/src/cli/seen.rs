//! What a run or a call has seen so far: its sample, its distinct fields, and their counts. In a run it survives a
//! restart of the analyst.

use std::{path::Path, sync::Arc};

use bloodseg_fields::{Cell, CellState, Fields, Frame, State};
use bloodseg_records::{
    count::{CountedFrame, SampleCount},
    field::{Field, FieldState, Seen},
    sample::{Sample, SampleFile},
    validation::{Correction, Validation},
};
use bloodseg_vision::pipeline::Analysis;

/// Frames whose pitch differs by more than this fraction are not compared: their cells do not coincide.
const MAX_PITCH_CHANGE: f64 = 0.01;

/// When a run has counted enough.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Goal {
    /// Cells, each counted once.
    pub(super) cells: Option<u64>,
    /// Half width of the interval of the cells per field, relative to their mean.
    pub(super) half_width: Option<f64>,
}

impl Goal {
    /// Describes the part of the goal that is reached.
    fn reached(&self, count: &SampleCount) -> Option<String> {
        let (cells, half_width) = (count.total().cells, count.relative_half_width());
        if let Some(wanted) = self.cells.filter(|wanted| cells >= *wanted) {
            return Some(format!("enough cells: {cells} of {wanted}"));
        }
        let (wanted, half_width) = self.half_width.zip(half_width)?;
        (half_width <= wanted).then(|| {
            format!(
                "the interval is narrow enough: {:.1} % of the mean, {:.1} % wanted",
                100.0 * half_width,
                100.0 * wanted
            )
        })
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct SeenFields {
    file: SampleFile,
    sample: Option<Arc<Sample>>,
    fields: Fields,
    um_per_sr_px: Option<f64>,
    seen: Vec<Seen>,
    count: SampleCount,
    goal: Goal,
    /// The validation to correct by, given by the user.
    given: Option<Validation>,
    /// The validation of the running models.
    of_models: Option<Validation>,
}

impl SeenFields {
    /// Nothing seen yet, for a run into `folder`.
    pub(super) fn new(folder: &Path, goal: Goal) -> Self {
        Self {
            file: SampleFile::of(folder),
            sample: None,
            fields: Fields::new(),
            um_per_sr_px: None,
            seen: Vec::new(),
            count: SampleCount::default(),
            goal,
            given: None,
            of_models: None,
        }
    }

    /// Sets the validation to correct by, which takes precedence over that of the models.
    pub(super) fn correct_by(&mut self, validation: Option<Validation>) {
        self.given = validation;
    }

    /// Sets the validation of the running models.
    pub(super) fn models_correct_by(&mut self, validation: Option<Validation>) {
        self.of_models = validation;
    }

    /// The mean per field as a person would have counted it, for these models, super-resolution first; `None` without a
    /// validation, or before a frame was counted.
    pub(super) fn corrected(&self, models_sha256: &[String]) -> Option<Correction> {
        Some(self.given.as_ref().or(self.of_models.as_ref())?.correct(&self.count.summary()?, models_sha256))
    }

    /// The sample under the lens; looked up before each frame. A new sample starts with nothing seen.
    pub(super) fn look_up_sample(&mut self) -> Option<Arc<Sample>> {
        match self.file.changed() {
            Ok(Some(sample)) if sample.as_ref() != self.sample.as_deref() => {
                self.sample = sample.map(Arc::new);
                self.fields.clear();
                self.count = SampleCount::default();
            }
            Err(error) => log::error!("{error}; the sample stays {}", self.name()),
            Ok(_) => {}
        }
        self.sample.clone()
    }

    fn name(&self) -> &str {
        self.sample.as_ref().map_or("none", |sample| &sample.name)
    }

    /// Compares a frame with earlier ones, and counts what is new in it.
    pub(super) fn see(&mut self, number: u64, analysis: &Analysis, counted: bool) -> Option<Field> {
        self.seen.clear();
        let field = counted.then(|| self.compare(number, analysis)).flatten();
        self.count.add(&CountedFrame::of(analysis, counted, field));
        field
    }

    fn compare(&mut self, number: u64, analysis: &Analysis) -> Option<Field> {
        let pitch = analysis.scaled.um_per_sr_px();
        let is_other = match (self.um_per_sr_px, pitch) {
            (Some(before), Some(now)) => (now / before - 1.0).abs() > MAX_PITCH_CHANGE,
            (None, None) => false,
            _ => true,
        };
        if is_other {
            self.fields.clear();
            self.um_per_sr_px = pitch;
        }
        let (width, height) = analysis.labels.dimensions();
        let frame = Frame { number, width_px: width.into(), height_px: height.into() };
        let cells = analysis.cells.iter().map(|cell| Cell {
            x_px: cell.x_px,
            y_px: cell.y_px,
            area_px: cell.area_px.into(),
            touches_border: cell.touches_border,
        });
        let sight = match self.fields.see(&frame, cells) {
            Ok(sight) => sight,
            Err(error) => {
                log::warn!("frame {number}: not compared with those before: {error}");
                return None;
            }
        };
        self.seen.extend(self.fields.cells().iter().map(|state| match state {
            CellState::New => Seen::New,
            CellState::Seen => Seen::Before,
            CellState::Stuck => Seen::Stuck,
        }));
        let (state, earlier, shift_px) = match sight.state {
            State::New => (FieldState::New, None, None),
            State::Same { earlier } => (FieldState::Same, Some(earlier), None),
            State::Overlaps { earlier, shift_px, .. } => (FieldState::Overlaps, Some(earlier), Some(shift_px)),
            State::TooFew => (FieldState::TooFew, None, None),
        };
        let fresh = Field::fresh(&analysis.cells, &self.seen, analysis.counts().has_kinds());
        Some(Field { state, earlier, shift_px, new_part: sight.new_part, fresh })
    }

    /// Which cells of the last frame were seen before; empty if it was not compared.
    pub(super) fn cells(&self) -> &[Seen] {
        &self.seen
    }

    /// What was counted so far of the sample under the lens.
    pub(super) fn count(&self) -> &SampleCount {
        &self.count
    }

    /// Describes the goal, once it is reached.
    pub(super) fn reached(&self) -> Option<String> {
        self.goal.reached(&self.count)
    }
}
