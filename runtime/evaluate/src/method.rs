//! Methods from a low-resolution picture to cells, which an evaluation compares.

use image::RgbImage;

use crate::{measures::FOREGROUND_ABOVE, set::EvalField};
use bloodseg_vision::{
    cells::{self, Labels, leave_out_platelets},
    error::{Error, Result},
    frame::resize::resize_rgb,
    geometry::{SCALE, TILE_PX, TILE_SR_PX},
    model::{manifest::CellRule, store::Models},
    pipeline::Pipeline,
    segmentation::Segmenter,
    super_resolution::SuperResolution,
};

/// The result of a method for a picture of W x H: both are 4W x 4H.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The super-resolved picture.
    pub sr: RgbImage,
    /// One number per cell, without platelets because the masks have none; the mask is where it is not 0.
    pub labels: Labels,
}

/// The results for one field of the methods that are not baselines.
#[derive(Debug, Clone)]
pub struct Answers {
    /// Of the models that are evaluated.
    pub model: Answer,
    /// Of their float twins, if there are any.
    pub float: Option<Answer>,
}

/// A method from a low-resolution picture to cells.
pub trait Method {
    /// Analyses a picture of 64x64.
    ///
    /// # Errors
    /// Those of the models.
    fn answer(&mut self, lr: &RgbImage) -> Result<Answer>;
}

/// The device's method: int8 models, tiles, cells; its quality check is [`Methods::gated`].
impl Method for Pipeline {
    fn answer(&mut self, lr: &RgbImage) -> Result<Answer> {
        let rule = self.rule();
        let analysis = self.analyse_any(lr)?;
        let mut labels = analysis.labels.clone();
        leave_out_platelets(&mut labels, &analysis.maps, &rule)?;
        Ok(Answer { sr: analysis.sr.clone(), labels })
    }
}

/// The methods that an evaluation compares.
pub struct Methods<'a> {
    /// The method under evaluation: the int8 models.
    pub model: Box<dyn Method + 'a>,
    /// The baseline: the same segmenter on the bicubic picture.
    pub bicubic: Box<dyn Method + 'a>,
    /// The float twins, for measuring drift.
    pub float: Option<Box<dyn Method + 'a>>,
}

impl Methods<'_> {
    /// The models in the pipeline, the baseline, and the float twins if there are any.
    ///
    /// # Errors
    /// [`Error::Model`] if a model does not run.
    pub fn load(models: &Models, float: Option<&Models>) -> Result<Self> {
        let float = match float {
            // The same rule extracts the cells, so the drift is that of the models.
            Some(twins) => Some(Box::new(Nets::float(twins, rule(models)?)?) as Box<dyn Method>),
            None => None,
        };
        Ok(Self { model: Box::new(Pipeline::load(models)?), bicubic: Box::new(Nets::bicubic(models)?), float })
    }
}

/// Models on one tile, combined differently from the pipeline.
struct Nets {
    /// Bicubic enlargement if `None`.
    super_resolution: Option<SuperResolution>,
    segmenter: Segmenter,
    rule: CellRule,
}

fn rule(models: &Models) -> Result<CellRule> {
    models.unet.manifest.cells.ok_or_else(|| Error::internal("evaluation", "a segmenter without a rule"))
}

impl Nets {
    fn bicubic(models: &Models) -> Result<Self> {
        let segmenter = Segmenter::load_for(&models.unet, TILE_SR_PX, TILE_SR_PX)?;
        Ok(Self { super_resolution: None, segmenter, rule: rule(models)? })
    }

    /// Golden outputs are not checked: floating-point sums differ between processors.
    fn float(models: &Models, rule: CellRule) -> Result<Self> {
        Ok(Self {
            super_resolution: Some(SuperResolution::load_for(&models.ssr, TILE_PX, TILE_PX)?),
            segmenter: Segmenter::load_for(&models.unet, TILE_SR_PX, TILE_SR_PX)?,
            rule,
        })
    }
}

impl Method for Nets {
    fn answer(&mut self, lr: &RgbImage) -> Result<Answer> {
        let sr = match &mut self.super_resolution {
            Some(net) => net.run(lr)?,
            None => resize_rgb(lr, lr.width() * SCALE, lr.height() * SCALE)?,
        };
        let maps = self.segmenter.run(&self.segmenter.prepare(lr, &sr))?;
        let mut labels = cells::split(&maps, &self.rule)?;
        leave_out_platelets(&mut labels, &maps, &self.rule)?;
        Ok(Answer { sr, labels })
    }
}

/// The upper bound for a foreground that does not separate cells: the components of the true mask at 256x256.
///
/// # Errors
/// Only [`Error::Internal`].
pub fn perfect_mask(field: &EvalField) -> Result<Labels> {
    cells::components(&field.mask, FOREGROUND_ABOVE)
}
