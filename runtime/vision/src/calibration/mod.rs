//! The pitch of a camera from the size of red cells.
//!
//! The models measure the cells of a few frames at their own magnification ([`crate::scale`]). The median diameter is
//! taken as 7.5 um, that of a red cell on a dry smear. A field that does not allow a calibration is refused with the
//! reason.

use image::RgbImage;

use crate::{
    cells::Cell,
    error::{Error, Result},
    frame::row_resize::{RowResize, Side},
    geometry::SCALE,
    pipeline::Pipeline,
    scale::{self, Outcome},
};

/// Longest side of the part of a frame that a calibration analyses, on the models' grid, in pixels.
pub const MAX_CALIBRATION_SIDE_PX: u32 = 144;

/// Diameter of a human red cell on a dry smear, in micrometres.
pub const RED_CELL_UM: f64 = 7.5;

/// Minimum number of good frames.
pub const LEAST_FRAMES: usize = 3;

/// Minimum number of cells in all frames.
pub const LEAST_CELLS: usize = 100;

/// Greatest interquartile range of the diameters over their median: red cells are alike, artefacts are not.
pub const MOST_SPREAD: f64 = 0.35;

/// Greatest half width of the confidence interval over the estimate.
pub const MOST_DOUBT: f64 = 0.06;

/// 97.5 % quantile of the standard normal distribution.
const NORMAL_QUANTILE: f64 = 1.96;

/// The pitch and its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Micrometres per pixel of the frames.
    pub um_per_px: f64,
    /// 95 % confidence interval of the pitch if this person's red cells have [`RED_CELL_UM`].
    pub interval_um_per_px: (f64, f64),
    /// The interval of the pitch over the variation between people ([`scale::RED_CELL_UM`]).
    pub any_person_um_per_px: (f64, f64),
    /// Median diameter of the cells in pixels of the frames.
    pub diameter_px: f64,
    /// Interquartile range of the diameters over their median.
    pub spread: f64,
    /// Number of measured cells.
    pub cells: usize,
    /// Number of frames with measured cells.
    pub frames: usize,
}

/// Cell diameters, collected frame by frame.
#[derive(Debug, Default)]
pub struct Calibration {
    /// Frame pixels per model pixel, once determined.
    factor: Option<f64>,
    diameters_px: Vec<f64>,
    good: usize,
    /// Why other frames were skipped; the latest reason.
    bad: Option<String>,
    frames: usize,
}

impl Calibration {
    /// Measures a frame at its own size. One that is not good, or whose magnification cannot be determined, is skipped
    /// and counted.
    ///
    /// # Errors
    /// Those of the models.
    pub fn add(&mut self, pipeline: &mut Pipeline, frame: &RgbImage) -> Result<()> {
        self.frames += 1;
        match self.measure(pipeline, frame) {
            Ok(()) => self.good += 1,
            Err(Error::Picture { found, .. }) => self.bad = Some(found),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn measure(&mut self, pipeline: &mut Pipeline, frame: &RgbImage) -> Result<()> {
        let unfit = |found: String| Error::picture(found, "a good frame with red cells", "");
        let factor = match self.factor {
            Some(factor) => factor,
            None => match scale::measure(pipeline, frame)? {
                Outcome::Measured(estimate) => estimate.factor(pipeline),
                Outcome::Unknown(reason) => return Err(unfit(reason.words().into())),
            },
        };
        let analysis = pipeline.analyse(&at_factor(frame, factor)?)?;
        if !analysis.quality.verdict.is_good() {
            return Err(unfit(analysis.quality.reason()));
        }
        let is_whole = |cell: &&Cell| !cell.touches_border && cell.consistency.supported() && cell.kind.may_be_red();
        let whole = analysis.cells.iter().filter(is_whole);
        let before = self.diameters_px.len();
        self.diameters_px.extend(whole.map(|cell| cell.equivalent_diameter_px / f64::from(SCALE) * factor));
        if self.diameters_px.len() == before {
            return Err(unfit("no complete cell".into()));
        }
        self.factor = Some(factor);
        Ok(())
    }

    /// The pitch.
    ///
    /// # Errors
    /// [`Error::Picture`] with the reason if there is none.
    pub fn finish(mut self) -> Result<Estimate> {
        let refusal = |found: String, expected: String, todo: &str| Error::picture(found, expected, todo);
        if self.good < LEAST_FRAMES {
            let last = self.bad.map_or_else(String::new, |bad| format!("; last rejected frame: {bad}"));
            return Err(refusal(
                format!("{} good frames of {}{last}", self.good, self.frames),
                format!("at least {LEAST_FRAMES} good ones"),
                "Focus, set the light, and choose a place with single red cells; more frames with --frames",
            ));
        }
        let cells = self.diameters_px.len();
        if cells < LEAST_CELLS {
            return Err(refusal(
                format!("{cells} complete cells in {} good frames", self.good),
                format!("at least {LEAST_CELLS}"),
                "Choose a place with more cells, move the stage while it measures, or take more frames with --frames",
            ));
        }
        self.diameters_px.sort_by(f64::total_cmp);
        let at = |share: f64| quantile(&self.diameters_px, share).unwrap_or_default();
        let (median, spread) = (at(0.5), (at(0.75) - at(0.25)) / at(0.5));
        if spread > MOST_SPREAD {
            return Err(refusal(
                format!("diameters whose quartiles lie {:.0} % of the median apart", spread * 100.0),
                format!("at most {:.0} %, as for red cells", MOST_SPREAD * 100.0),
                "Choose a place with single, normal red cells",
            ));
        }
        // Frames of a stage that stands still show the same cells, so the sample size is that of one frame.
        let sample = cells as f64 / self.good as f64;
        let reach = NORMAL_QUANTILE / 2.0 / sample.sqrt();
        let (low, high) = (at((0.5 - reach).max(0.0)), at((0.5 + reach).min(1.0)));
        let doubt = (high - low) / 2.0 / median;
        if doubt > MOST_DOUBT {
            return Err(refusal(
                format!("a pitch known only to {:.0} %, from about {sample:.0} cells per frame", doubt * 100.0),
                format!("at most {:.0} %", MOST_DOUBT * 100.0),
                "Choose a place with more cells",
            ));
        }
        Ok(Estimate {
            um_per_px: RED_CELL_UM / median,
            interval_um_per_px: (RED_CELL_UM / high, RED_CELL_UM / low),
            any_person_um_per_px: (scale::RED_CELL_UM.0 / high, scale::RED_CELL_UM.2 / low),
            diameter_px: median,
            spread,
            cells,
            frames: self.good,
        })
    }
}

/// The centre of a frame, resized to `factor` frame pixels per pixel, and small enough to analyse quickly.
fn at_factor(frame: &RgbImage, factor: f64) -> Result<RgbImage> {
    let (width, height) = frame.dimensions();
    let side = |from_px: u32| {
        let side = Side::middle(from_px, factor);
        let to_px = side.to_px.min(MAX_CALIBRATION_SIDE_PX);
        Side { to_px, start_px: (f64::from(from_px) - f64::from(to_px) * factor) / 2.0, ..side }
    };
    let (across, down) = (side(width), side(height));
    let mut resize = RowResize::new(across, down)?;
    let mut picture = RgbImage::new(across.to_px, down.to_px);
    for row in frame.as_raw().chunks_exact(3 * width as usize) {
        resize.row(row, &mut picture)?;
    }
    Ok(picture)
}

/// The quantile `share` (0 to 1) of sorted values.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share * last as f64;
    let (low, high) = (sorted.get(place.floor() as usize)?, sorted.get(place.ceil() as usize)?);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests;
