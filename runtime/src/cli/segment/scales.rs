//! How large the cells of each picture are, and so how the picture is brought to the scale of the nets: by the pitch that was
//! given, by the picture's own file, or by a measurement of its red cells, which the pictures of a call share.

use std::collections::BTreeMap;

use image::RgbImage;

use super::picture::{How, Picture};
use crate::{cli::inputs::Input, error, run::stop::Stop};
use bloodseg_records::frames::Scaled;
use bloodseg_vision::{
    error::Result,
    frame::quality::Verdict,
    pipeline::Pipeline,
    placement::{PitchSource, Placement, rescale},
    scale::{self, Estimate, Fit, Outcome, Pool, Pooled},
};

/// Pictures that are measured before the others at most, where they do not agree sooner.
const MAX_PROBES: usize = 9;

/// A picture that cannot be measured keeps the common scale where its analysis shows cells within this of it, in logarithms.
const NEAR_THE_POOL: f64 = 0.35;

/// Longest side at which a picture of unknown scale is super-resolved to be looked at, in pixels.
const LOOK_PX: f64 = 256.0;

/// Median diameters of red cells that blood has, in micrometres; outside, the pitch is doubtful.
const RED_CELL_UM: std::ops::RangeInclusive<f64> = 5.0..=11.0;

/// Whole cells that it takes to doubt a pitch.
const MIN_CELLS_TO_DOUBT: usize = 5;

/// The scales of the pictures of a call.
#[derive(Debug)]
pub(super) struct Scales {
    /// Pitch of the nets, in micrometres a pixel.
    target_um_per_px: f64,
    given_um_per_px: Option<f64>,
    any_quality: bool,
    pool: Option<Pooled>,
    /// What was measured already, by the names of the pictures.
    measured: BTreeMap<String, Outcome>,
}

impl Scales {
    /// Measures a few of `inputs`, spread over all, until they agree. A pitch that was given needs no measurement.
    ///
    /// # Errors
    /// Those of the models; pictures that cannot be read are passed over, and reported when their turn comes.
    pub(super) fn begin(
        pipeline: &mut Pipeline,
        inputs: &[Input],
        how: How,
        given_um_per_px: Option<f64>,
        any_quality: bool,
        stop: &Stop,
    ) -> Result<Self> {
        let target_um_per_px = pipeline.pitch().um_per_px;
        let (mut pool, mut measured) = (Pool::default(), BTreeMap::new());
        let mut probes = scale::probes(if given_um_per_px.is_some() { 0 } else { inputs.len() }).into_iter();
        while let Some(input) = probes.next().and_then(|at| inputs.get(at)) {
            if pool.is_settled() || stop.is_raised() || (measured.len() >= MAX_PROBES && pool.scale().is_some()) {
                break;
            }
            let Ok(picture) = Picture::read(input, how) else { continue };
            if picture.metadata.um_per_px.is_some() {
                continue;
            }
            let outcome = scale::measure(pipeline, &picture.rgb).map_err(|e| e.at(&input.path))?;
            outcome.estimate().iter().for_each(|estimate| pool.add(estimate));
            measured.insert(input.name.clone(), outcome);
        }
        let pool = pool.scale();
        if let Some(Pooled { cell_px, agreeing: (agreeing, of) }) = pool {
            log::info!("red cells of {cell_px:.1} px in {agreeing} of {of} pictures that were measured");
        }
        Ok(Self { target_um_per_px, given_um_per_px, any_quality, pool, measured })
    }

    /// Analyses a picture at its scale; the analysis is the pipeline's latest.
    ///
    /// # Errors
    /// Those of the analysis.
    pub(super) fn analyse(
        &mut self,
        pipeline: &mut Pipeline,
        input: &Input,
        picture: &Picture,
    ) -> error::Result<Scaled> {
        Ok(self.scaled(pipeline, input, picture).map_err(|e| e.at(&input.path))?)
    }

    fn scaled(&mut self, pipeline: &mut Pipeline, input: &Input, picture: &Picture) -> Result<Scaled> {
        let known = self.given_um_per_px.map(|um| (um, PitchSource::Given));
        let known = known.or(picture.metadata.um_per_px.map(|um| (um, PitchSource::Metadata)));
        let Some((um_per_px, source)) = known else { return self.by_cells(pipeline, input, &picture.rgb) };
        let placement = self.at(pipeline, &picture.rgb, self.target_um_per_px / um_per_px)?;
        let scaled = Scaled { placement, um_per_px: Some(um_per_px), um_per_px_range: None, source };
        if is_doubtful(pipeline, &scaled) {
            pipeline.set_verdict(Verdict::ScaleDoubtful);
        }
        Ok(scaled)
    }

    fn by_cells(&mut self, pipeline: &mut Pipeline, input: &Input, picture: &RgbImage) -> Result<Scaled> {
        let Some(pool) = self.pool else {
            return match self.measure(pipeline, input, picture)? {
                Outcome::Measured(estimate) => self.own(pipeline, picture, &estimate),
                Outcome::Unknown(_) => look(pipeline, picture),
            };
        };
        if let Some(Outcome::Measured(estimate)) = self.measured.get(&input.name) {
            let estimate = *estimate;
            return self.outlier_or_pool(pipeline, input, picture, pool, &estimate);
        }
        let scaled = self.pooled(pipeline, picture, pool)?;
        let size = pipeline.latest().and_then(|analysis| scale::size_in(analysis, pool.factor()));
        if pool.fit(size) != Fit::Differs {
            return Ok(scaled);
        }
        match self.measure(pipeline, input, picture)? {
            Outcome::Measured(estimate) => self.outlier_or_pool(pipeline, input, picture, pool, &estimate),
            Outcome::Unknown(_)
                if size.is_some_and(|size| (size.cell_px / pool.cell_px).ln().abs() < NEAR_THE_POOL) =>
            {
                self.pooled(pipeline, picture, pool)
            }
            Outcome::Unknown(_) => look(pipeline, picture),
        }
    }

    fn measure(&mut self, pipeline: &mut Pipeline, input: &Input, picture: &RgbImage) -> Result<Outcome> {
        if let Some(outcome) = self.measured.get(&input.name) {
            return Ok(*outcome);
        }
        let outcome = scale::measure(pipeline, picture)?;
        self.measured.insert(input.name.clone(), outcome);
        Ok(outcome)
    }

    fn outlier_or_pool(
        &self,
        pipeline: &mut Pipeline,
        input: &Input,
        picture: &RgbImage,
        pool: Pooled,
        estimate: &Estimate,
    ) -> Result<Scaled> {
        if !pool.is_another(estimate) {
            return self.pooled(pipeline, picture, pool);
        }
        let (own, others) = (estimate.cell_px, pool.cell_px);
        log::warn!(
            "{}: red cells of {own:.1} px, others have {others:.1} px; analysed at a scale of its own",
            input.name
        );
        self.own(pipeline, picture, estimate)
    }

    fn own(&self, pipeline: &mut Pipeline, picture: &RgbImage, estimate: &Estimate) -> Result<Scaled> {
        self.measured_at(pipeline, picture, estimate.factor(), estimate.um_per_px())
    }

    fn pooled(&self, pipeline: &mut Pipeline, picture: &RgbImage, pool: Pooled) -> Result<Scaled> {
        self.measured_at(pipeline, picture, pool.factor(), pool.um_per_px())
    }

    fn measured_at(
        &self,
        pipeline: &mut Pipeline,
        picture: &RgbImage,
        factor: f64,
        (um_per_px, (low, high)): (f64, (f64, f64)),
    ) -> Result<Scaled> {
        let placement = self.at(pipeline, picture, factor)?;
        let (um_per_px, um_per_px_range) = (Some(um_per_px), Some([low, high]));
        Ok(Scaled { placement, um_per_px, um_per_px_range, source: PitchSource::Measured })
    }

    /// Analyses a picture with `factor` of its pixels for one.
    fn at(&self, pipeline: &mut Pipeline, picture: &RgbImage, factor: f64) -> Result<Placement> {
        let (analysed, placement) = rescale(picture, factor)?;
        if self.any_quality { pipeline.analyse_any(&analysed) } else { pipeline.analyse(&analysed) }?;
        Ok(placement)
    }
}

/// Shows a picture whose scale nobody knows, without cells.
fn look(pipeline: &mut Pipeline, picture: &RgbImage) -> Result<Scaled> {
    let factor = (f64::from(picture.width().max(picture.height())) / LOOK_PX).max(1.0);
    let (shown, placement) = rescale(picture, factor)?;
    pipeline.look(&shown)?;
    Ok(Scaled { placement, ..Scaled::default() })
}

/// Whether the pitch makes the median red cell of the latest analysis of a size that blood does not have.
fn is_doubtful(pipeline: &Pipeline, scaled: &Scaled) -> bool {
    let Some((um_per_sr_px, analysis)) = scaled.um_per_sr_px().zip(pipeline.latest()) else { return false };
    let whole = analysis.cells.iter().filter(|cell| !cell.touches_border);
    let mut diameters_um: Vec<f64> = whole.map(|cell| cell.equivalent_diameter_px * um_per_sr_px).collect();
    diameters_um.sort_by(f64::total_cmp);
    let median = diameters_um.get(diameters_um.len() / 2);
    analysis.quality.verdict.is_good()
        && diameters_um.len() >= MIN_CELLS_TO_DOUBT
        && median.is_some_and(|median| !RED_CELL_UM.contains(median))
}

/// What is said of the scale of a picture that was counted.
pub(super) fn words(scaled: &Scaled) -> String {
    let scale = scaled.placement.scale;
    match scaled.source {
        PitchSource::None => String::new(),
        PitchSource::Measured => {
            let cell_px = scale * scale::CELL_PX;
            format!(", scale {scale:.2} (measured: red cells of {cell_px:.1} px)")
        }
        source => {
            format!(", scale {scale:.2} ({}: {:.4} um a pixel)", source.name(), scaled.um_per_px.unwrap_or_default())
        }
    }
}

/// A fault of the software.
pub(super) fn no_analysis() -> error::Error {
    error::Error::internal("segment", "no analysis")
}
