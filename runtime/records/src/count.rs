//! Aggregates the frames or pictures of a sample: cells per field with an interval, cells per square millimetre, shares
//! of the kinds. Each cell and each field is counted once.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::{
    field::{Field, FieldState},
    frames::Area,
    store::read::FrameRow,
};
use bloodseg_statistics::{
    LEVEL,
    density::{Density, DensityTally},
    fields::{FieldCounts, FieldTally},
    share::Share,
};
use bloodseg_vision::{
    cells::Counts,
    frame::quality::Verdict,
    pipeline::Analysis,
    placement::{PitchSource, Scaled},
};

/// Square micrometres per square millimetre.
const UM2_PER_MM2: f64 = 1e6;

/// Minimum number of distinct fields before the interval may end a run.
const MIN_FIELDS_TO_STOP: u64 = 10;

/// Target half-width of the interval as a part of the mean, for the number of further fields.
const WANTED_HALF_WIDTH: f64 = 0.05;

/// The parts of a frame or picture that matter for a count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountedFrame {
    /// Whether its cells were counted.
    pub counted: bool,
    /// Its cells, whether or not an earlier frame shows them.
    pub counts: Counts,
    /// What it shows that earlier ones did not; none if it is a field of its own.
    pub field: Option<Field>,
    /// Analysed area, if the pitch is known and neither estimated nor doubtful.
    pub area_mm2: Option<f64>,
    /// Whether its cells contradict the given pitch.
    pub is_scale_doubtful: bool,
}

/// An area in square millimetres. None if the pitch was estimated from the size of the red cells: no interval would
/// include the error of that estimate, which enters the area twice.
fn known_mm2(scaled: &Scaled, area: Area) -> Option<f64> {
    area.um2.filter(|_| scaled.source != PitchSource::Measured).map(|um2| um2 / UM2_PER_MM2)
}

impl CountedFrame {
    /// Of an analysis.
    pub fn of(analysis: &Analysis, counted: bool, field: Option<Field>) -> Self {
        let area = Area::of(&analysis.scaled, analysis.outside.analysed_px() as f64);
        let is_scale_doubtful = analysis.quality.verdict == Verdict::ScaleDoubtful;
        let area_mm2 = known_mm2(&analysis.scaled, area).filter(|_| !is_scale_doubtful);
        Self { counted, counts: analysis.counts(), field, area_mm2, is_scale_doubtful }
    }

    /// From a recorded frame.
    pub fn of_row(frame: &FrameRow) -> Self {
        let count = |count: i64| u32::try_from(count).unwrap_or(0);
        let [red, white, platelets] = frame.kinds().map(|kind| kind.map(count));
        let is_scale_doubtful = frame.verdict == Verdict::ScaleDoubtful.name();
        Self {
            counted: frame.counted,
            counts: Counts { cells: count(frame.cells), red, white, platelets, unsupported: count(frame.unsupported) },
            field: frame.field,
            area_mm2: known_mm2(&frame.scaled, frame.area()).filter(|_| !is_scale_doubtful),
            is_scale_doubtful,
        }
    }

    /// The cells that no earlier frame shows, and the part of the area that is new.
    fn fresh(&self) -> (Counts, f64) {
        self.field.map_or((self.counts, 1.0), |field| (field.fresh, field.new_part))
    }
}

/// Running counts in constant memory.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SampleCount {
    counted: u64,
    not_counted: u64,
    same: u64,
    overlapping: u64,
    scale_doubtful: u64,
    total: Total,
    /// Counted frames whose kinds are known.
    with_kinds: u64,
    cells: FieldTally,
    /// Red cells, white cells, platelets.
    kinds: [FieldTally; 3],
    density: DensityTally,
    parts: Parts,
    /// Whether the area of any frame that counts is unknown.
    lacks_area: bool,
    /// Cells of new fields classified as dust.
    stuck: u64,
    /// Cells of whole fields, and the unsupported ones among them.
    support: [u64; 2],
    /// Whether the previous frame had too few cells to compare: the next one may show the same place.
    was_too_few: bool,
}

/// Cells, each counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    /// Red and white cells, or all cells if kinds are unknown.
    pub cells: u64,
    /// None if kinds are unknown, like those below.
    pub red: Option<u64>,
    /// White cells.
    pub white: Option<u64>,
    /// Not part of `cells`.
    pub platelets: Option<u64>,
}

/// New parts of frames that overlap earlier ones. Together they make up fields, so that a slow pan narrows the interval
/// like a scan in whole steps.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Parts {
    part: f64,
    counts: Counts,
}

impl Parts {
    fn add(&mut self, fresh: &Counts, part: f64) {
        self.part += part;
        let sum = |one: Option<u32>, other: Option<u32>| Some(one.unwrap_or(0).saturating_add(other?));
        let Counts { cells, red, white, platelets, unsupported } = &mut self.counts;
        *cells = cells.saturating_add(fresh.cells);
        *unsupported = unsupported.saturating_add(fresh.unsupported);
        (*red, *white, *platelets) = (sum(*red, fresh.red), sum(*white, fresh.white), sum(*platelets, fresh.platelets));
    }

    /// The counts of a whole field, once the parts add up to one: their counts over their size.
    fn take_whole(&mut self) -> Option<Counts> {
        if self.part < 1.0 {
            return None;
        }
        let Self { part, counts } = std::mem::take(self);
        let each = |count: u32| (f64::from(count) / part).round() as u32;
        let Counts { cells, red, white, platelets, unsupported } = counts;
        Some(Counts {
            cells: each(cells),
            red: red.map(each),
            white: white.map(each),
            platelets: platelets.map(each),
            unsupported: each(unsupported),
        })
    }
}

impl SampleCount {
    /// Adds a frame.
    pub fn add(&mut self, frame: &CountedFrame) {
        if !frame.counted {
            self.not_counted += 1;
            return;
        }
        self.counted += 1;
        self.scale_doubtful += u64::from(frame.is_scale_doubtful);
        let (fresh, new_part) = frame.fresh();
        self.add_to_total(&fresh);
        let state = frame.field.map_or(FieldState::New, |field| field.state);
        let again = state == FieldState::TooFew && std::mem::replace(&mut self.was_too_few, true);
        self.was_too_few &= state == FieldState::TooFew;
        match state {
            FieldState::Same => self.same += 1,
            // The stage stands still over an empty place.
            FieldState::TooFew if again => self.same += 1,
            FieldState::Overlaps => {
                self.overlapping += 1;
                self.add_area(&fresh, frame.area_mm2.map(|mm2| mm2 * new_part));
                self.parts.add(&fresh, new_part);
                if let Some(whole) = self.parts.take_whole() {
                    self.add_field(&whole);
                }
            }
            FieldState::New | FieldState::TooFew => {
                self.add_field(&fresh);
                self.stuck += u64::from(frame.counts.cells.saturating_sub(fresh.cells));
                self.support[0] += u64::from(frame.counts.cells);
                self.support[1] += u64::from(frame.counts.unsupported);
                self.add_area(&fresh, frame.area_mm2);
            }
        }
    }

    fn add_field(&mut self, counts: &Counts) {
        self.cells.add(counts.cells.into());
        if let (Some(red), Some(white), Some(platelets)) = (counts.red, counts.white, counts.platelets) {
            self.with_kinds += 1;
            for (tally, count) in self.kinds.iter_mut().zip([red, white, platelets]) {
                tally.add(count.into());
            }
        }
    }

    fn add_to_total(&mut self, fresh: &Counts) {
        let Total { cells, red, white, platelets } = &mut self.total;
        *cells += u64::from(fresh.cells);
        for (sum, count) in [(red, fresh.red), (white, fresh.white), (platelets, fresh.platelets)] {
            if let Some(count) = count {
                *sum = Some(sum.unwrap_or(0) + u64::from(count));
            }
        }
    }

    fn add_area(&mut self, fresh: &Counts, area_mm2: Option<f64>) {
        match area_mm2 {
            Some(mm2) if mm2 > 0.0 => self.density.add(fresh.cells.into(), mm2),
            Some(_) => {}
            None => self.lacks_area = true,
        }
    }

    /// Cells that were counted, each once.
    pub fn total(&self) -> Total {
        self.total
    }

    /// Half-width of the interval of cells per field, over their mean; none below ten fields, because a few fields are
    /// alike by chance.
    pub fn relative_half_width(&self) -> Option<f64> {
        let cells = self.cells.counts().filter(|cells| cells.fields >= MIN_FIELDS_TO_STOP)?;
        cells.relative_half_width()
    }

    /// The summary; none if nothing was counted.
    pub fn summary(&self) -> Option<Summary> {
        let cells = self.cells.counts();
        if self.counted == 0 {
            return None;
        }
        // Kinds are known for all frames or for none, unless the models were changed.
        let all_kinds = self.with_kinds > 0 && self.with_kinds == cells.map_or(0, |cells| cells.fields);
        let [red, white, platelets] = self.kinds.map(|tally| tally.counts().filter(|_| all_kinds));
        Some(Summary {
            pictures: self.counted,
            not_counted: self.not_counted,
            fields: cells.map_or(0, |cells| cells.fields),
            seen_again: self.same,
            overlapping: self.overlapping,
            scale_doubtful: self.scale_doubtful,
            stuck_cells: self.stuck,
            level: LEVEL,
            total: self.total,
            cells,
            more_pictures_for_5_percent: cells.and_then(|cells| cells.more_fields_for(WANTED_HALF_WIDTH)),
            red,
            white,
            platelets,
            white_of_cells: white.zip(cells).and_then(|(white, cells)| Share::of(white.cells, cells.cells)),
            unsupported_of_cells: Share::of(self.support[1], self.support[0]),
            cells_per_mm2: self.density.density().filter(|_| !self.lacks_area),
        })
    }
}

/// The answer for a sample, in numbers. Names are part of the interface (docs/formats.md).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// Pictures or frames that were counted.
    pub pictures: u64,
    /// Pictures that were analysed but not counted.
    pub not_counted: u64,
    /// Distinct fields, which the means are over: pictures that share nothing with an earlier one, and new parts of
    /// others that add up to a field.
    pub fields: u64,
    /// Counted pictures that show an earlier field; nothing in them is counted again.
    pub seen_again: u64,
    /// Counted pictures that overlap an earlier one; their new cells are in `total` and in `cells_per_mm2`.
    pub overlapping: u64,
    /// Counted pictures whose cells contradict the given pitch.
    pub scale_doubtful: u64,
    /// Cells of distinct fields that are in no total, because they keep their place in the picture from field to field,
    /// like dust.
    pub stuck_cells: u64,
    /// Confidence level of each interval.
    pub level: f64,
    /// Cells, each counted once.
    pub total: Total,
    /// Red and white cells per field, or all cells if kinds are unknown.
    pub cells: Option<FieldCounts>,
    /// Number of further fields like these that narrow the interval to 5 % of the mean on both sides.
    pub more_pictures_for_5_percent: Option<u64>,
    /// Red cells per field; null if kinds are unknown, like the figures of other kinds.
    pub red: Option<FieldCounts>,
    /// White cells per field.
    pub white: Option<FieldCounts>,
    /// Platelets per field.
    pub platelets: Option<FieldCounts>,
    /// White cells of all cells.
    pub white_of_cells: Option<Share>,
    /// Cells that the input does not support, of all cells.
    pub unsupported_of_cells: Option<Share>,
    /// Cells per square millimetre of the analysed area; null if the pitch of a field is unknown, estimated or
    /// doubtful.
    pub cells_per_mm2: Option<Density>,
}

impl Summary {
    /// As text, in a few lines; `what` is `picture` or `frame`.
    pub fn text(&self, what: &str) -> String {
        let mut text = String::new();
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        let _ = write!(text, "{} {what}{}, {} cells", self.pictures, plural(self.pictures), self.total.cells);
        if let Some(cells) = self.cells {
            let percent = (100.0 * self.level).round();
            let each = if self.fields == self.pictures { what } else { "field" };
            let _ = write!(
                text,
                ": {:.1} per {each} ({percent} %: {:.1} to {:.1})",
                cells.mean, cells.interval.low, cells.interval.high
            );
        }
        if let Some(Density { density, interval }) = self.cells_per_mm2 {
            let _ = write!(text, ", {density:.0} per mm2 ({:.0} to {:.0})", interval.low, interval.high);
        }
        if let Total { red: Some(red), white: Some(white), platelets: Some(platelets), .. } = self.total {
            let share = self.white_of_cells.map_or_else(String::new, |share| format!(", {}", share.text()));
            let _ = write!(text, "\n{red} red, {white} white{share}; {platelets} platelets");
        }
        if self.seen_again + self.overlapping > 0 {
            let _ = write!(
                text,
                "\n{} distinct field{}; {} show{} a field again, {} overlap{} one",
                self.fields,
                plural(self.fields),
                self.seen_again,
                if self.seen_again == 1 { "s" } else { "" },
                self.overlapping,
                if self.overlapping == 1 { "s" } else { "" }
            );
        }
        if self.scale_doubtful > 0 {
            let _ = write!(
                text,
                "\n{} of {} {what}{}: scale doubtful, because the cells contradict the given pitch",
                self.scale_doubtful,
                self.pictures,
                plural(self.pictures)
            );
        }
        if self.stuck_cells > 0 {
            let _ = write!(
                text,
                "\n{} cell{} left out as dust, because {} at the same place of field after field",
                self.stuck_cells,
                plural(self.stuck_cells),
                if self.stuck_cells == 1 { "it lies" } else { "they lie" }
            );
        }
        if self.not_counted > 0 {
            let _ = write!(text, "\n{} more not counted", self.not_counted);
        }
        match self.more_pictures_for_5_percent {
            Some(more) if more > 0 => {
                let _ = write!(text, "\n{more} more {what}{} like these would narrow the count to 5 %", plural(more));
            }
            _ => {}
        }
        text
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cells", self.cells)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn frame(cells: u32, white: Option<u32>, area_mm2: Option<f64>) -> CountedFrame {
        let counts =
            Counts { cells, red: white.map(|white| cells - white), white, platelets: white.map(|_| 3), unsupported: 1 };
        CountedFrame { counted: true, counts, field: None, area_mm2, is_scale_doubtful: false }
    }

    fn in_field(frame: CountedFrame, state: FieldState, cells: u32, new_part: f64) -> CountedFrame {
        let fresh = Counts { cells, ..Counts::default() };
        CountedFrame { field: Some(Field { state, earlier: Some(1), shift_px: None, new_part, fresh }), ..frame }
    }

    fn count(frames: &[CountedFrame]) -> SampleCount {
        let mut count = SampleCount::default();
        frames.iter().for_each(|frame| count.add(frame));
        count
    }

    #[test]
    fn cells_left_out_as_dust_are_reported() {
        let mut count = SampleCount::default();
        let field = |fresh: u32| {
            let of = |cells| Counts { cells, ..Counts::default() };
            let field =
                Field { state: FieldState::New, earlier: None, shift_px: None, new_part: 1.0, fresh: of(fresh) };
            CountedFrame { counts: of(20), field: Some(field), ..frame(20, None, None) }
        };
        count.add(&field(20));
        let summary = count.summary().unwrap();
        assert!(summary.stuck_cells == 0 && !summary.text("picture").contains("dust"));
        count.add(&field(19));
        let summary = count.summary().unwrap();
        assert_eq!((summary.stuck_cells, summary.total.cells), (1, 39));
        assert!(
            summary.text("picture").contains("\n1 cell left out as dust, because it lies"),
            "{}",
            summary.text("picture")
        );
    }

    #[test]
    fn doubtful_scale_is_reported_and_nine_equal_fields_end_no_run() {
        let mut count = SampleCount::default();
        for at in 0..9 {
            count.add(&CountedFrame { is_scale_doubtful: at < 2, ..frame(29, Some(1), None) });
        }
        assert_eq!(count.relative_half_width(), None);
        let summary = count.summary().unwrap();
        assert_eq!((summary.scale_doubtful, summary.cells_per_mm2), (2, None));
        assert!(summary.text("picture").contains("\n2 of 9 pictures: scale doubtful"), "{}", summary.text("picture"));
        count.add(&frame(30, Some(1), None));
        assert!(count.relative_half_width().is_some());
    }

    #[test]
    fn density_requires_pitch_that_is_not_estimated() {
        for (source, wanted) in [
            (PitchSource::Given, Some(0.5)),
            (PitchSource::Metadata, Some(0.5)),
            (PitchSource::Measured, None),
            (PitchSource::None, None),
        ] {
            let scaled = Scaled::as_it_is((source != PitchSource::None).then_some(1.0), source);
            let area = Area { um2: scaled.um_per_px.map(|_| 5e5), ..Area::of(&scaled, 5e5) };
            assert_eq!(known_mm2(&scaled, area), wanted, "{source:?}");
        }
    }

    #[test]
    fn counts_have_intervals_and_kinds_have_shares() {
        let mut frames: Vec<_> =
            [(20, 1), (24, 0), (19, 0), (21, 1)].map(|(cells, white)| frame(cells, Some(white), Some(0.002))).into();
        frames.extend([CountedFrame { counted: false, ..frame(9, None, None) }; 2]);
        let summary = count(&frames).summary().unwrap();
        let text = summary.text("picture");
        assert!(text.starts_with("4 pictures, 84 cells: 21.0 per picture (95 %: 17."), "{text}");
        assert!(
            text.contains(" per mm2 (") && text.contains("82 red, 2 white, 2.4 % (0.3 to 8.3 %); 12 platelets"),
            "{text}"
        );
        assert!(text.contains("2 more not counted"), "{text}");
        let json = serde_json::to_value(summary).unwrap();
        assert_eq!((&json["cells"]["cells"], &json["cells"]["method"]), (&84.into(), &"student-of-roots".into()));
        assert_eq!((&json["unsupported_of_cells"]["part"], &json["level"]), (&4.into(), &0.95.into()));
    }

    #[test]
    fn kind_and_density_figures_are_null_if_unknown() {
        let summary = count(&[frame(100, None, None)]).summary().unwrap();
        let json = serde_json::to_value(summary).unwrap();
        assert!(json["red"].is_null() && json["cells_per_mm2"].is_null() && json["white_of_cells"].is_null());
        assert_eq!(json["cells"]["method"], "poisson");
        assert_eq!(summary.text("picture"), "1 picture, 100 cells: 100.0 per picture (95 %: 81.4 to 121.6)");
        assert!(SampleCount::default().summary().is_none());
    }

    #[test]
    fn zero_count_of_a_kind_gives_upper_bound() {
        let summary = count(&[frame(500, Some(0), None); 2]).summary().unwrap();
        assert!(summary.text("frame").contains("1000 red, 0 white, below 0.4 %"), "{}", summary.text("frame"));
    }

    #[test]
    fn stationary_stage_does_not_narrow_interval() {
        let of = |cells| in_field(frame(cells, None, Some(0.01)), FieldState::New, cells, 1.0);
        let moved = count(&[of(50), of(60)]);
        let mut still = moved;
        for _ in 0..1000 {
            still.add(&in_field(frame(60, None, Some(0.01)), FieldState::Same, 0, 0.0));
        }
        let (moved, still) = (moved.summary().unwrap(), still.summary().unwrap());
        assert_eq!((moved.cells, moved.total, moved.cells_per_mm2), (still.cells, still.total, still.cells_per_mm2));
        assert_eq!((still.pictures, still.fields, still.seen_again), (1002, 2, 1000));
    }

    #[test]
    fn only_new_part_of_overlap_counts() {
        let first = in_field(frame(50, None, Some(0.01)), FieldState::New, 50, 1.0);
        let second = in_field(frame(52, None, Some(0.01)), FieldState::Overlaps, 13, 0.25);
        let summary = count(&[first, second]).summary().unwrap();
        assert_eq!((summary.total.cells, summary.cells.unwrap().cells, summary.overlapping), (63, 50, 1));
        let density = summary.cells_per_mm2.unwrap();
        assert!((density.density - 63.0 / 0.0125).abs() < 1e-6);
        assert!(summary.text("frame").contains("1 distinct field; 0 show a field again, 1 overlaps one"));
    }

    #[test]
    fn slow_pan_adds_up_to_whole_fields() {
        let first = in_field(frame(40, None, None), FieldState::New, 40, 1.0);
        let step = in_field(frame(40, None, None), FieldState::Overlaps, 10, 0.25);
        let frames: Vec<_> = std::iter::once(first).chain(std::iter::repeat_n(step, 4 * 9)).collect();
        let summary = count(&frames).summary().unwrap();
        assert_eq!((summary.fields, summary.cells.unwrap().mean, summary.total.cells), (10, 40.0, 400));
    }

    #[test]
    fn consecutive_empty_frames_count_once() {
        let empty = in_field(frame(0, None, None), FieldState::TooFew, 0, 1.0);
        let other = in_field(frame(9, None, None), FieldState::New, 9, 1.0);
        let summary = count(&[empty, empty, other, empty]).summary().unwrap();
        assert_eq!((summary.fields, summary.seen_again), (3, 1));
    }
}
