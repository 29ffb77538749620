//! All figures of a run, from one pass over its frames and cells.

use std::f64::consts::PI;

use super::{over_time::OverTime, tally::Tally};
use crate::{
    count::{CountedFrame, SampleCount},
    export::Result,
    report::limits::{MAX_REPORT_AREA_PX, MAX_REPORT_POINTS},
    store::{
        about::{Extent, PitchRow},
        read::{CellRow, Filter, FrameRow, Records},
    },
};
use bloodseg_statistics::moments::Moments;
use bloodseg_vision::{cells::limits::MAX_CELLS, frame::quality::Verdict};

/// Steps in which circularities are counted, from 0 to 1.
const CIRCULARITY_STEPS: u32 = 1000;

/// Lengths in micrometres if the pitch is known, else in pixels of the super-resolved picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lengths {
    um_per_sr_px: Option<f64>,
}

impl Lengths {
    /// Those of a run, whose frames are all analysed at one scale.
    pub(super) fn of(pitches: &[PitchRow]) -> Self {
        let known = pitches.iter().find_map(|pitch| pitch.um_per_sr_px);
        Self { um_per_sr_px: known.filter(|um| um.is_finite() && *um > 0.0) }
    }

    /// Whether the pitch is known.
    pub(super) fn known(self) -> bool {
        self.um_per_sr_px.is_some()
    }

    /// A length in pixels of the super-resolved picture, in the unit of [`Lengths::unit`].
    pub(super) fn of_px(self, px: f64) -> f64 {
        px * self.um_per_sr_px.unwrap_or(1.0)
    }

    /// The diameter of a disk of this area.
    pub(super) fn diameter(self, area_px: u32) -> f64 {
        self.of_px((4.0 * f64::from(area_px) / PI).sqrt())
    }

    /// The unit.
    pub(super) fn unit(self) -> &'static str {
        if self.known() { "µm" } else { "px" }
    }
}

/// The circularity for an index of its tally.
pub(super) fn circularity(number: u32) -> f64 {
    f64::from(number) / f64::from(CIRCULARITY_STEPS)
}

/// Whether the size of a cell is meaningful: it is not a platelet, not cut by the edge of the frame, and supported by the
/// input.
pub(super) fn is_measured(cell: &CellRow) -> bool {
    cell.is_cell() && !cell.touches_border && cell.supported
}

/// Frames of one verdict.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Judged {
    /// How many.
    pub(super) frames: u64,
    /// How many of them had their cells counted.
    pub(super) counted: u64,
    /// Minimum and maximum of the deciding measure.
    pub(super) range: Option<(f64, f64)>,
}

/// See the module documentation.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    /// Frames.
    pub(super) frames: u64,
    /// Frames whose cells were counted.
    pub(super) counted: u64,
    /// By verdict, in the order of [`Verdict::ALL`]; at the end those with a verdict unknown to this software.
    pub(super) judged: [Judged; Verdict::ALL.len() + 1],
    /// Cells, without platelets.
    pub(super) cells: u64,
    /// Counted frames whose kinds are known.
    pub(super) with_kinds: u64,
    /// Red cells, white cells, and platelets in these.
    pub(super) kinds: [u64; 3],
    /// Cells cut by the edge of a frame.
    pub(super) cut: u64,
    /// Unsupported cells.
    pub(super) unsupported: u64,
    /// Counts with their intervals, each cell once.
    pub(super) sample: SampleCount,
    /// Cells per frame, over the counted frames.
    pub(super) a_frame: Tally,
    /// The same.
    pub(super) a_frame_moments: Moments,
    /// Areas of the measured cells, in pixels.
    pub(super) areas: Tally,
    /// Their diameters, in the unit of the report.
    pub(super) diameters: Moments,
    /// Their circularities, in thousandths.
    pub(super) circularities: Tally,
    /// The same.
    pub(super) circularity_moments: Moments,
    /// Maximum size of a frame's super-resolved picture.
    pub(super) size_px: [u32; 2],
    /// Cells of each counted frame over time.
    pub(super) cells_over_time: OverTime,
    /// Share of the picture covered by cells, in percent.
    pub(super) covered_over_time: OverTime,
    /// Sharpness over time.
    pub(super) sharpness_over_time: OverTime,
    /// Brightness of the background over time.
    pub(super) brightness_over_time: OverTime,
}

impl Figures {
    fn new(extent: &Extent) -> Self {
        let points = usize::try_from(extent.frames).unwrap_or(usize::MAX).clamp(1, MAX_REPORT_POINTS);
        let over_time = || OverTime::new(extent.box_ms.unwrap_or_default(), points);
        Self {
            frames: 0,
            counted: 0,
            judged: Default::default(),
            cells: 0,
            with_kinds: 0,
            kinds: [0; 3],
            cut: 0,
            unsupported: 0,
            sample: SampleCount::default(),
            a_frame: Tally::new(MAX_CELLS as u32),
            a_frame_moments: Moments::default(),
            areas: Tally::new(MAX_REPORT_AREA_PX),
            diameters: Moments::default(),
            circularities: Tally::new(CIRCULARITY_STEPS),
            circularity_moments: Moments::default(),
            size_px: [0; 2],
            cells_over_time: over_time(),
            covered_over_time: over_time(),
            sharpness_over_time: over_time(),
            brightness_over_time: over_time(),
        }
    }

    /// Reads those of a run; `progress` is called for each frame.
    ///
    /// # Errors
    /// [`crate::export::ExportError::Records`] when the records cannot be read.
    pub(super) fn read(
        records: &Records,
        scope: &Filter,
        lengths: Lengths,
        extent: &Extent,
        progress: &mut dyn FnMut(),
    ) -> Result<Self> {
        let mut figures = Self::new(extent);
        records.whole_frames::<crate::error::Error>(scope, |frame, cells| {
            let mut covered_px = 0.0;
            for cell in cells.iter().filter(|cell| cell.is_cell()) {
                covered_px += cell.area_px as f64;
                figures.cell(cell, lengths);
            }
            figures.frame(frame, covered_px);
            progress();
            Ok(())
        })?;
        Ok(figures)
    }

    fn cell(&mut self, cell: &CellRow, lengths: Lengths) {
        self.cells += 1;
        self.cut += u64::from(cell.touches_border);
        self.unsupported += u64::from(!cell.supported);
        if !is_measured(cell) {
            return;
        }
        self.areas.add(cell.area_px);
        self.diameters.add(lengths.of_px(cell.equivalent_diameter_px()));
        let circularity = cell.circularity();
        if circularity.is_finite() {
            self.circularities.add((circularity * f64::from(CIRCULARITY_STEPS)).round() as i64);
            self.circularity_moments.add(circularity);
        }
    }

    fn frame(&mut self, frame: &FrameRow, covered_px: f64) {
        self.frames += 1;
        self.sample.add(&CountedFrame::of_row(frame));
        let verdict = Verdict::ALL.iter().position(|verdict| verdict.name() == frame.verdict);
        if let Some(judged) = self.judged.get_mut(verdict.unwrap_or(Verdict::ALL.len())) {
            judged.frames += 1;
            judged.counted += u64::from(frame.counted);
            let value = verdict.and_then(|at| Verdict::ALL.get(at)).and_then(|verdict| deciding(*verdict, frame));
            if let Some(value) = value.filter(|value| value.is_finite()) {
                let (least, greatest) = judged.range.unwrap_or((value, value));
                judged.range = Some((least.min(value), greatest.max(value)));
            }
        }
        let [width, height] = frame.size_px;
        self.size_px = [self.size_px[0].max(width), self.size_px[1].max(height)];
        if frame.counted {
            self.counted += 1;
            if let [Some(red), Some(white), Some(platelets)] = frame.kinds() {
                self.with_kinds += 1;
                for (sum, count) in self.kinds.iter_mut().zip([red, white, platelets]) {
                    *sum += count.unsigned_abs();
                }
            }
            self.a_frame.add(frame.cells);
            self.a_frame_moments.add(frame.cells as f64);
            self.cells_over_time.add(frame.box_ms, frame.cells as f64);
            let all_px = f64::from(width) * f64::from(height);
            // Records of version 1 lack the size: the result is not a number and is skipped.
            self.covered_over_time.add(frame.box_ms, 100.0 * covered_px / all_px);
        }
        self.sharpness_over_time.add(frame.box_ms, frame.sharpness.unwrap_or(f64::NAN));
        self.brightness_over_time.add(frame.box_ms, frame.quality[3]);
    }
}

/// The measure that decides on a verdict.
fn deciding(verdict: Verdict, frame: &FrameRow) -> Option<f64> {
    let [contrast, clipped, _, brightness] = frame.quality;
    match verdict {
        Verdict::Good | Verdict::OutOfFocus | Verdict::ScaleDoubtful => frame.sharpness,
        Verdict::ScaleUnknown => None,
        Verdict::Empty => Some(contrast),
        Verdict::OverExposed => Some(100.0 * clipped),
        Verdict::UnderExposed => Some(brightness),
    }
}
