//! Scales pictures of one microscope for the models and analyses them, using their known pitch or the shared size of
//! their red cells.

use std::{borrow::Borrow, collections::BTreeMap};

use image::RgbImage;

use super::{
    Estimate, Fit, Outcome, Pool, Pooled, RED_CELL_UM, doubt::is_doubtful, measure, probes, red_cell_px, size_in,
    um_per_px,
};
use crate::{
    error::Result,
    frame::quality::Verdict,
    geometry::MAX_TILED_PX,
    pipeline::Pipeline,
    placement::{PitchSource, Placement, Rescaler, Scaled},
};

/// Most pictures to measure before the common scale is taken from those that agree, if they do not settle it earlier.
pub const MAX_PROBES: usize = 9;

/// Number of estimates kept of pictures that never agree.
const MAX_ESTIMATES: usize = 32;

/// A picture that cannot be measured uses the common scale if the cells of its analysis are within this of it, as a
/// logarithm.
const NEAR_THE_POOL: f64 = 0.35;

/// Longest side at which a picture of unknown scale is super-resolved for viewing, in pixels.
pub(crate) const LOOK_PX: f64 = 128.0;

/// Consecutive live frames without a scale after which only one in [`LOOK_AGAIN`] is measured, because an empty slide
/// must be cheap.
const UNKNOWN_IN_A_ROW: u32 = 9;
const LOOK_AGAIN: u32 = 10;

/// A factor this close to 1 is 1: the difference is rounding of a pitch.
const NO_FACTOR: f64 = 1e-3;

/// How the common scale is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learning {
    /// From [`Scaler::probe`] only, so that the order of the pictures does not matter.
    Probed,
    /// From each picture as it arrives, until they agree; and again if several in a row agree on another.
    FromEach {
        /// Whether frames are dropped while one is measured; if so, not every frame without a scale is measured.
        live: bool,
    },
}

/// A change of the common scale, to be reported. Diameters are in pixels of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Note {
    /// A picture whose red cells differ in size from those of the others, analysed at its own scale.
    Outlier {
        /// Diameter of its red cells.
        own_px: f64,
        /// Diameter of the red cells of the others.
        pool_px: f64,
    },
    /// The pictures now agree on a scale.
    Settled(Pooled),
    /// The latest pictures agree on another scale than the earlier ones: the magnification was changed.
    Moved {
        /// Earlier diameter of the red cells.
        from_px: f64,
        /// Current diameter.
        to_px: f64,
    },
}

/// The common scale of the pictures of one microscope, and the memory for scaling them.
#[derive(Debug)]
pub struct Scaler {
    any_quality: bool,
    learning: Learning,
    most_px: u64,
    pool: Pool,
    /// Whether the pool has the common scale.
    is_settled: bool,
    /// Number of pictures measured.
    probes: usize,
    /// Consecutive estimates that are far from the pool.
    strays: Pool,
    unknown_in_a_row: u32,
    rescaler: Rescaler,
}

impl Scaler {
    /// Starts without a scale. With `any_quality`, cells are counted whatever the verdict, but never at an unknown scale.
    pub fn new(any_quality: bool, learning: Learning) -> Self {
        Self {
            any_quality,
            learning,
            most_px: MAX_TILED_PX,
            pool: Pool::default(),
            is_settled: false,
            probes: 0,
            strays: Pool::default(),
            unknown_in_a_row: 0,
            rescaler: Rescaler::default(),
        }
    }

    /// Another one with the same common scale, for another thread. Its memory is its own.
    pub fn another(&self) -> Self {
        let (strays, rescaler) = Default::default();
        let Self { any_quality, learning, most_px, is_settled, probes, .. } = *self;
        let pool = self.pool.clone();
        Self { any_quality, learning, most_px, pool, is_settled, probes, strays, unknown_in_a_row: 0, rescaler }
    }

    /// Sets a limit: pictures with more than `most_px` pixels at the scale of the models are rejected.
    pub fn limit(&mut self, most_px: u64) {
        self.most_px = most_px.min(MAX_TILED_PX);
    }

    /// Whether no more pictures need to be measured.
    pub fn is_settled(&self) -> bool {
        self.pool.is_settled() || (self.probes >= MAX_PROBES && self.pool.scale().is_some())
    }

    /// Measures a picture before any is analysed.
    ///
    /// # Errors
    /// Those of the models.
    pub fn probe(&mut self, pipeline: &mut Pipeline, picture: &RgbImage) -> Result<Outcome> {
        let outcome = measure(pipeline, picture)?;
        self.learn(&outcome);
        Ok(outcome)
    }

    /// Fixes the common scale of the measured pictures for all later ones.
    pub fn settle(&mut self) -> Option<Pooled> {
        let pooled = self.pool.scale();
        self.is_settled = pooled.is_some();
        pooled
    }

    fn learn(&mut self, outcome: &Outcome) {
        self.probes += 1;
        if let Some(estimate) = outcome.estimate().filter(|_| self.pool.len() < MAX_ESTIMATES) {
            self.pool.add(&estimate);
        }
    }

    /// Measures a few of `count` pictures, spread over all, until they agree, and fixes their common scale. `picture`
    /// returns one by its number; `None` for one that cannot be read or has a pitch of its own. The measurements are of
    /// use when these pictures are analysed.
    ///
    /// # Errors
    /// Those of the models, and of `picture`.
    pub fn share<P: Borrow<RgbImage>>(
        &mut self,
        pipeline: &mut Pipeline,
        count: usize,
        mut picture: impl FnMut(usize) -> Result<Option<P>>,
    ) -> Result<(Option<Pooled>, BTreeMap<usize, Outcome>)> {
        let mut measured = BTreeMap::new();
        for at in probes(count) {
            if self.is_settled() {
                break;
            }
            let Some(picture) = picture(at)? else { continue };
            measured.insert(at, self.probe(pipeline, picture.borrow())?);
        }
        Ok((self.settle(), measured))
    }

    /// Analyses a picture unscaled, and sets its placement.
    ///
    /// # Errors
    /// Those of the analysis.
    pub fn as_it_is(&mut self, pipeline: &mut Pipeline, picture: &RgbImage, origin: &Scaled) -> Result<()> {
        self.at(pipeline, picture, 1.0)?;
        pipeline.set_scaled(*origin);
        doubt(pipeline);
        Ok(())
    }

    /// Analyses a picture at its scale; the result is the pipeline's latest analysis. `origin` is its placement on the
    /// input and the pitch of the input, as far as known. `measured` is an earlier measurement of the same picture.
    ///
    /// # Errors
    /// Those of the analysis, and [`Error::Picture`](crate::error::Error::Picture) if it would be too large at its scale.
    pub fn analyse(
        &mut self,
        pipeline: &mut Pipeline,
        picture: &RgbImage,
        origin: &Scaled,
        measured: Option<Outcome>,
    ) -> Result<Option<Note>> {
        let Some(um_per_px) = origin.um_per_analysed_px() else {
            return self.by_cells(pipeline, picture, origin, measured);
        };
        let factor = pipeline.pitch().um_per_px / um_per_px;
        let placement = self.at(pipeline, picture, factor)?;
        pipeline.set_scaled(Scaled { placement: origin.placement.then(placement), ..*origin });
        doubt(pipeline);
        Ok(None)
    }

    fn by_cells(
        &mut self,
        pipeline: &mut Pipeline,
        picture: &RgbImage,
        origin: &Scaled,
        measured: Option<Outcome>,
    ) -> Result<Option<Note>> {
        let mut at = Measuring { pipeline, picture, origin, measured };
        match self.pool.scale().filter(|_| self.is_settled) {
            Some(pool) => self.by_the_pool(&mut at, pool),
            None => self.by_its_own(&mut at),
        }
    }

    /// A picture while there is no common scale.
    fn by_its_own(&mut self, at: &mut Measuring<'_>) -> Result<Option<Note>> {
        let learns = self.learning != Learning::Probed;
        if self.is_spared() {
            return self.look(at).map(|()| None);
        }
        let outcome = at.outcome()?;
        self.unknown_in_a_row = if outcome.estimate().is_some() { 0 } else { self.unknown_in_a_row + 1 };
        if learns {
            self.learn(&outcome);
            self.is_settled = self.is_settled();
        }
        let pool = self.pool.scale().filter(|_| learns);
        match (outcome, pool) {
            (Outcome::Measured(estimate), Some(pool)) if !pool.is_another(&estimate) => {
                self.pooled(at, pool)?;
                Ok(self.is_settled.then_some(Note::Settled(pool)))
            }
            (Outcome::Measured(estimate), _) => self.own(at, &estimate).map(|()| None),
            (Outcome::Unknown(_), Some(pool)) => self.near_the_pool(at, pool).map(|()| None),
            (Outcome::Unknown(_), None) => self.look(at).map(|()| None),
        }
    }

    /// Whether a live frame is not measured, because none of the previous ones had a scale.
    fn is_spared(&mut self) -> bool {
        if self.learning != (Learning::FromEach { live: true }) || self.unknown_in_a_row < UNKNOWN_IN_A_ROW {
            return false;
        }
        let is_due = self.unknown_in_a_row.is_multiple_of(LOOK_AGAIN);
        self.unknown_in_a_row += u32::from(!is_due);
        !is_due
    }

    /// A picture when there is a common scale: its analysis shows whether it fits.
    fn by_the_pool(&mut self, at: &mut Measuring<'_>, pool: Pooled) -> Result<Option<Note>> {
        if let Some(Outcome::Measured(estimate)) = at.measured {
            return self.outlier_or_pool(at, pool, &estimate);
        }
        let size = self.pooled(at, pool)?;
        if pool.fit(size) != Fit::Differs {
            self.strays = Pool::default();
            return Ok(None);
        }
        match at.outcome()? {
            Outcome::Measured(estimate) => self.outlier_or_pool(at, pool, &estimate),
            Outcome::Unknown(_) => self.near_the_pool(at, pool).map(|()| None),
        }
    }

    /// A picture that cannot be measured: uses the common scale if its cells are close to it, otherwise it is only shown.
    fn near_the_pool(&mut self, at: &mut Measuring<'_>, pool: Pooled) -> Result<()> {
        let size = self.pooled(at, pool)?;
        if size.is_some_and(|size| (size.cell_px / pool.cell_px).ln().abs() < NEAR_THE_POOL) {
            return Ok(());
        }
        self.look(at)
    }

    /// Shows a picture of unknown scale, without cells.
    fn look(&mut self, at: &mut Measuring<'_>) -> Result<()> {
        let (width, height) = at.picture.dimensions();
        let factor = (f64::from(width.max(height)) / LOOK_PX).max(1.0);
        let (shown, placement) = self.rescaler.rescale(at.picture, factor, MAX_TILED_PX)?;
        at.pipeline.look(shown)?;
        if self.any_quality {
            // Cells of bad frames are counted then, but not at an unknown scale.
            at.pipeline.set_verdict(Verdict::ScaleUnknown);
        }
        at.pipeline.set_scaled(Scaled { placement: at.origin.placement.then(placement), ..Scaled::default() });
        Ok(())
    }

    fn outlier_or_pool(&mut self, at: &mut Measuring<'_>, pool: Pooled, estimate: &Estimate) -> Result<Option<Note>> {
        if !pool.is_another(estimate) {
            self.pooled(at, pool)?;
            return Ok(None);
        }
        self.own(at, estimate)?;
        let (own_px, pool_px) = (estimate.cell_px, pool.cell_px);
        if self.learning == Learning::Probed {
            return Ok(Some(Note::Outlier { own_px, pool_px }));
        }
        self.strays.add(estimate);
        match self.strays.scale().filter(|_| self.strays.is_settled()) {
            Some(now) => {
                self.pool = std::mem::take(&mut self.strays);
                Ok(Some(Note::Moved { from_px: pool_px, to_px: now.cell_px }))
            }
            None => Ok(Some(Note::Outlier { own_px, pool_px })),
        }
    }

    fn own(&mut self, at: &mut Measuring<'_>, estimate: &Estimate) -> Result<()> {
        self.measured_at(at, estimate.cell_px, estimate.interval_px())
    }

    /// Analyses at the common scale, and returns the size found in the analysis.
    fn pooled(&mut self, at: &mut Measuring<'_>, pool: Pooled) -> Result<Option<super::Size>> {
        self.measured_at(at, pool.cell_px, pool.interval_px())?;
        Ok(at.pipeline.latest().and_then(|analysis| size_in(analysis, pool.factor(at.pipeline))))
    }

    fn measured_at(&mut self, at: &mut Measuring<'_>, cell_px: f64, (low_px, high_px): (f64, f64)) -> Result<()> {
        let placement = self.at(at.pipeline, at.picture, cell_px / red_cell_px(at.pipeline))?;
        let before = at.origin.placement;
        let (um, (low_um, high_um)) =
            um_per_px(cell_px * before.scale, (low_px * before.scale, high_px * before.scale));
        at.pipeline.set_scaled(Scaled {
            placement: before.then(placement),
            um_per_px: Some(um),
            um_per_px_range: Some([low_um, high_um]),
            source: PitchSource::Measured,
        });
        Ok(())
    }

    /// Analyses a picture with `factor` of its pixels per analysed pixel.
    fn at(&mut self, pipeline: &mut Pipeline, picture: &RgbImage, factor: f64) -> Result<Placement> {
        let factor = if (factor - 1.0).abs() < NO_FACTOR { 1.0 } else { factor };
        let any_quality = self.any_quality;
        let (analysed, placement) = self.rescaler.rescale(picture, factor, self.most_px)?;
        if any_quality { pipeline.analyse_any(analysed) } else { pipeline.analyse(analysed) }?;
        Ok(placement)
    }
}

/// A picture without a pitch.
struct Measuring<'a> {
    pipeline: &'a mut Pipeline,
    picture: &'a RgbImage,
    origin: &'a Scaled,
    measured: Option<Outcome>,
}

impl Measuring<'_> {
    fn outcome(&mut self) -> Result<Outcome> {
        match self.measured {
            Some(outcome) => Ok(outcome),
            None => {
                let outcome = measure(self.pipeline, self.picture)?;
                self.measured = Some(outcome);
                Ok(outcome)
            }
        }
    }
}

/// Sets the verdict of an analysis that contradicts its pitch.
fn doubt(pipeline: &mut Pipeline) {
    if pipeline.latest().is_some_and(is_doubtful) {
        pipeline.set_verdict(Verdict::ScaleDoubtful);
    }
}

/// The scale in words: `scale 7.10 (measured: red cells of 38.8 px)`; empty if unknown.
pub fn words(scaled: &Scaled) -> String {
    let scale = scaled.placement.scale;
    match scaled.source {
        PitchSource::None => String::new(),
        PitchSource::Measured => {
            let cell_px = scaled.um_per_px.map_or(0.0, |um| RED_CELL_UM.1 / um);
            format!("scale {scale:.2} (measured: red cells of {cell_px:.1} px)")
        }
        source => {
            format!("scale {scale:.2} ({}: {:.4} um per pixel)", source.name(), scaled.um_per_px.unwrap_or_default())
        }
    }
}
