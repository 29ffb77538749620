//! The search for the size at which the models find what they expect, and its verification.
//!
//! The median diameter that the models find decreases monotonically through [`super::CELL_PX`] at the right scale. From
//! half to one and a half times that scale it is the true size of the cells, so each analysis determines where to look
//! next. Then cells are searched again at a higher magnification: real ones are found at the same positions with the same
//! size, while artefacts of texture move, and keep their size on the analysed grid.

use image::RgbImage;

use super::{
    Estimate, Outcome, Reason, guess,
    look::{Look, Size, Window},
    thumb::Thumb,
};
use crate::{error::Result, pipeline::Pipeline};

/// Most analyses per picture.
const MOST_LOOKS: u32 = 7;

/// An analysis has the right scale if the logarithm of the found over the assumed size is within this.
const SETTLED: f64 = 0.22;

/// Limits of the step between analyses, as factors of the assumed size.
const STEP: (f64, f64) = (0.4, 2.5);

/// Where to look if there are no cells, as factors of the guess.
const ELSEWHERE: [f64; 4] = [1.6, 1.0 / 1.6, 2.5, 0.4];

/// Factor of the second magnification.
const CLOSER: f64 = 1.35;

/// Logarithmic difference between the sizes at both magnifications that triggers another attempt.
const TRY_AGAIN: f64 = 0.18;

/// Weight of the size in the second analysis, where fragmented cells are rarer than merged ones in the first.
const CLOSER_WEIGHT: f64 = 0.67;

/// Limits of the size: in pixels, and as a fraction of the longer side.
const LEAST_CELL_PX: f64 = 1.5;
const LEAST_CELLS_ACROSS: f64 = 1.5;

/// Median ratio of true to guessed sizes on real smears.
const USUAL_GUESS: f64 = 1.06;

/// A cell is confirmed within this distance, in its diameters, and with a diameter within this factor.
const AGAIN: (f64, f64) = (0.35, 1.3);

/// A cell can be confirmed if its centre is this far within the window, in its diameters.
const INSIDE: f64 = 0.6;

// Requirements of a measurement; the module documentation has the figures on real pictures.
const LEAST_AGAIN: usize = 3;
const LEAST_CELLS: f64 = 2.5;
const LEAST_SHARE: f64 = 0.7;
const MOST_CHANGE: f64 = 0.16;
const LEAST_CIRCULARITY: f64 = 0.82;
const MOST_SPREAD: f64 = 0.36;
const MOST_DOUBT: f64 = 0.12;
const MOST_FAR: f64 = 0.8;
const MOST_SPREAD_AND_FAR: f64 = 0.42;
const FAR_WEIGHT: f64 = 0.3;
const PATTERN_CELLS: usize = 7;
const PATTERN_SPREAD: f64 = 0.027;
pub(super) const LEAST_MEASURED_PX: f64 = 3.0;

/// Both analyses at the scale found.
struct Found {
    first: (Look, Size),
    closer: (Look, Size),
}

/// Measures a picture; see [`super::measure`].
pub(super) fn measure(pipeline: &mut Pipeline, picture: &RgbImage) -> Result<Outcome> {
    let thumb = Thumb::of(picture)?;
    let Some(guess_px) = guess::diameter_px(&thumb) else { return Ok(Outcome::Unknown(Reason::NothingStandsOut)) };
    let mut search = Search { pipeline, picture, thumb: &thumb, guess_px, looks: 0, tiles: 0 };
    Ok(match search.find()? {
        Ok(found) => search.judge(&found),
        Err(reason) => Outcome::Unknown(reason),
    })
}

struct Search<'a> {
    pipeline: &'a mut Pipeline,
    picture: &'a RgbImage,
    thumb: &'a Thumb,
    guess_px: f64,
    looks: u32,
    tiles: u32,
}

impl Search<'_> {
    fn look(&mut self, cell_px: f64, within: Option<Window>) -> Result<(Look, Option<Size>)> {
        let look = Look::at(self.pipeline, self.picture, self.thumb, cell_px, within)?;
        self.looks += 1;
        self.tiles += look.tiles;
        let size = look.size();
        Ok((look, size))
    }

    /// The nearest allowed size.
    fn allowed(&self, cell_px: f64) -> f64 {
        let longer = f64::from(self.picture.width().max(self.picture.height()));
        cell_px.min(longer / LEAST_CELLS_ACROSS).max(LEAST_CELL_PX)
    }

    fn find(&mut self) -> Result<std::result::Result<Found, Reason>> {
        let mut cell_px = self.allowed(self.guess_px);
        let mut elsewhere = ELSEWHERE.iter();
        while self.looks + 1 < MOST_LOOKS {
            let (look, size) = self.look(cell_px, None)?;
            let Some(size) = size else {
                let Some(factor) = elsewhere.next() else { return Ok(Err(Reason::NoCells)) };
                cell_px = self.allowed(self.guess_px * factor);
                continue;
            };
            let step = size.cell_px / cell_px;
            if step.ln().abs() > SETTLED {
                cell_px = self.allowed(cell_px * step.clamp(STEP.0, STEP.1));
                continue;
            }
            let (closer, closer_size) = self.look(size.cell_px / CLOSER, Some(look.window))?;
            let Some(closer_size) = closer_size else { return Ok(Err(Reason::NotSeenAgain)) };
            let change = (closer_size.cell_px / size.cell_px).ln().abs();
            if change < TRY_AGAIN || self.looks + 1 >= MOST_LOOKS {
                return Ok(Ok(Found { first: (look, size), closer: (closer, closer_size) }));
            }
            cell_px = self.allowed(closer_size.cell_px);
        }
        Ok(Err(Reason::NotSettled))
    }

    /// Whether the size found is that of red cells.
    fn judge(&self, found: &Found) -> Outcome {
        let ((first, size), (closer, closer_size)) = (&found.first, &found.closer);
        let again = Again::of(first, closer);
        let change = (closer_size.cell_px / size.cell_px).ln();
        let cell_px = size.cell_px * (change * CLOSER_WEIGHT).exp();
        let spread = (size.spread + closer_size.spread) / 2.0;
        let cells = size.cells.min(closer_size.cells);
        let doubt = spread / cells.sqrt();
        let far = (cell_px / (USUAL_GUESS * self.guess_px)).ln().abs();
        let reason = if again.cells < LEAST_AGAIN || cells < LEAST_CELLS {
            Reason::TooFewCells
        } else if again.share < LEAST_SHARE {
            Reason::NotSeenAgain
        } else if change.abs() > MOST_CHANGE {
            Reason::NotSettled
        } else if again.circularity < LEAST_CIRCULARITY {
            Reason::NotRound
        } else if spread > MOST_SPREAD || doubt > MOST_DOUBT {
            Reason::ManySizes
        } else if far > MOST_FAR || spread + FAR_WEIGHT * far > MOST_SPREAD_AND_FAR {
            Reason::UnlikeThePicture
        } else if again.cells >= PATTERN_CELLS && spread < PATTERN_SPREAD {
            Reason::Pattern
        } else if cell_px < LEAST_MEASURED_PX {
            Reason::TooSmall
        } else {
            let estimate = Estimate { cell_px, doubt, cells, spread, looks: self.looks, tiles: self.tiles };
            return Outcome::Measured(estimate);
        };
        Outcome::Unknown(reason)
    }
}

/// The cells of the first analysis that the closer one confirms.
struct Again {
    cells: usize,
    /// Share of the weight of the cells that could be confirmed.
    share: f64,
    /// Mean of the smaller circularity of each pair.
    circularity: f64,
}

impl Again {
    fn of(first: &Look, closer: &Look) -> Self {
        let (mut could, mut found, mut circularities) = (0.0, 0.0, Vec::new());
        for cell in first.cells.iter().filter(|cell| cell.whole && cell.weight > 0.0) {
            if !well_inside(closer.window, cell.x_px, cell.y_px, INSIDE * cell.diameter_px) {
                continue;
            }
            could += cell.weight;
            let far_px = |other: &&super::look::Seen| (other.x_px - cell.x_px).hypot(other.y_px - cell.y_px);
            let Some(nearest) = closer.cells.iter().min_by(|a, b| far_px(a).total_cmp(&far_px(b))) else { continue };
            let factor = nearest.diameter_px / cell.diameter_px;
            if far_px(&nearest) < AGAIN.0 * cell.diameter_px && factor.max(1.0 / factor) < AGAIN.1 {
                found += cell.weight;
                circularities.push(cell.circularity.min(nearest.circularity));
            }
        }
        let mean = circularities.iter().sum::<f64>() / circularities.len().max(1) as f64;
        Self { cells: circularities.len(), share: if could > 0.0 { found / could } else { 0.0 }, circularity: mean }
    }
}

fn well_inside(window: Window, x_px: f64, y_px: f64, margin_px: f64) -> bool {
    let inside = |at_px: f64, start_px: u32, side_px: u32| {
        let from_px = f64::from(start_px);
        at_px > from_px + margin_px && at_px < from_px + f64::from(side_px) - margin_px
    };
    inside(x_px, window.x_px, window.width_px) && inside(y_px, window.y_px, window.height_px)
}
