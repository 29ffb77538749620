//! `train-host unet`: the segmentation model, on actual outputs of super-resolution.

use std::path::Path;

use anyhow::Result;
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::{
    cells::{RULE, cell_maps, choose_rule, mean_dice},
    scenes::{Scene, SceneFigures},
    separation,
    settings::{Precision, RECIPE, Settings},
    train::{Figures, Task},
};
use crate::{
    data::{
        field::{Field, class},
        set::{SampleSet, to_gray, to_rgb},
        turns::Turn,
    },
    net::{
        Net,
        forward::{forward, to_levels, to_real},
        grids::{Grid, Grids},
        params::Params,
        unet::MAPS_WITH_KINDS,
    },
    show::fields::{SHOWN, Sheet, grey},
};
use bloodseg_evaluate::marks::Kind as Kinds;
use bloodseg_vision::{cells::split, model::manifest::CellRule, pictures::outlined};

/// The defaults of the recipe.
pub fn defaults() -> Settings {
    Settings {
        recipe: RECIPE,
        seed: 1,
        epochs: 24,
        quantized_epochs: 6,
        windows: 8192,
        batch: 16,
        learning_rate: 2e-3,
        warmup_steps: 200,
        average_decay: 0.999,
        precision: Precision::F32,
        width: 1,
        teacher: None,
    }
}

/// Fields for figures: their samples and their truth.
#[derive(Debug)]
pub struct Measured {
    set: SampleSet,
    scenes: Vec<Scene>,
}

impl Measured {
    /// `set` has the frame of each field, and in `hr` the input of the segmenter.
    ///
    /// # Errors
    /// A mask that cannot be sampled.
    pub fn new(set: SampleSet, fields: &[Field]) -> Result<Self> {
        Ok(Self { set, scenes: fields.par_iter().map(Scene::of).collect::<Result<_>>()? })
    }
}

/// Training samples whose `hr` is the input of the segmenter, and the fields for figures.
#[derive(Debug)]
pub struct Unet {
    net: Net,
    device: Device,
    windows: SampleSet,
    held_back: Measured,
    reported: Measured,
    /// What the rule is chosen on; `None` for what is held back.
    chosen_on: Option<Measured>,
}

impl Unet {
    /// A task over samples whose `hr` is the input of the segmenter. The rule is chosen on what is held back.
    pub fn new(net: Net, windows: SampleSet, held_back: Measured, reported: Measured, device: Device) -> Self {
        Self { net, device, windows, held_back, reported, chosen_on: None }
    }

    /// The same with a rule that is chosen on other fields.
    pub fn choosing_on(self, fields: Measured) -> Self {
        Self { chosen_on: Some(fields), ..self }
    }

    /// The maps of a set as levels `[N, 2 or 4, 256, 256]` on the CPU.
    pub fn maps(&self, set: &SampleSet, params: &Params, grids: Option<&Grids>) -> Tensor {
        // In parts, because the values of all layers of a part are in memory at once.
        let parts: Vec<Tensor> =
            set.hr.split(VALIDATED_AT_ONCE, 0).iter().map(|seen| self.maps_of(seen, params, grids)).collect();
        Tensor::cat(&parts, 0)
    }

    fn maps_of(&self, seen: &Tensor, params: &Params, grids: Option<&Grids>) -> Tensor {
        let _no_grad = tch::no_grad_guard();
        let input = to_real(&seen.to_device(self.device), Grid::PICTURE);
        to_levels(&forward(&self.net, params, grids, &input), Grid::MAP).to_device(Device::Cpu)
    }

    /// Figures by a rule, with names that begin with `prefix`; the score first.
    fn figures(&self, on: &Measured, maps: &Tensor, names: &Names) -> Result<Figures> {
        let figures = SceneFigures::of(maps, &on.scenes, &RULE)?;
        let dice = mean_dice(maps, &on.set.foreground, &known(&on.set.classes), RULE.foreground_level);
        let all = [
            Some(figures.score(dice)?),
            Some(dice),
            figures.ap50(),
            figures.cells_f1(),
            figures.kind_f1(Kinds::White),
            figures.kind_f1(Kinds::Platelet),
            figures.whites_in_pieces(),
            figures.count_error(),
        ];
        Ok(names.iter().zip(all).filter_map(|(name, figure)| Some((*name, figure?))).collect())
    }

    /// The figures of every reported laboratory as a table.
    ///
    /// # Errors
    /// Maps without valid cells.
    pub fn table(&self, params: &Params, grids: &Grids, rule: &CellRule) -> Result<String> {
        let maps = self.maps(&self.reported.set, params, Some(grids));
        Ok(SceneFigures::of(&maps, &self.reported.scenes, rule)?.table())
    }
}

impl Unet {
    /// Writes the figures of every separation of cells on fields that it was not trained on.
    ///
    /// # Errors
    /// Maps without valid cells, a file that cannot be written.
    pub fn write_separations(
        &self,
        file: &Path,
        on: &Measured,
        params: &Params,
        grids: &Grids,
        level: u8,
    ) -> Result<()> {
        separation::write(file, &self.maps(&on.set, params, Some(grids)), &on.scenes, level)
    }
}

/// Names of the figures, in the order of the log.
type Names = [&'static str; 8];

const HELD_BACK: Names = [
    "held_back_score",
    "held_back_dice",
    "held_back_ap50",
    "held_back_cells_f1",
    "held_back_white_f1",
    "held_back_platelet_f1",
    "held_back_whites_in_pieces",
    "held_back_count_error",
];

const REPORTED: Names = [
    "val_score",
    "val_dice",
    "val_ap50",
    "val_cells_f1",
    "val_white_f1",
    "val_platelet_f1",
    "val_whites_in_pieces",
    "val_count_error",
];

/// Depth inside a cell below which a pixel is in the valley to the next cell, or at its edge.
const VALLEY_DEPTH: f64 = 0.3;

/// Frames processed at once.
const VALIDATED_AT_ONCE: i64 = 16;

/// Where the class of a pixel is known.
fn known(classes: &Tensor) -> Tensor {
    classes.lt(i64::from(class::OUTSIDE))
}

impl Task for Unet {
    fn net(&self) -> &Net {
        &self.net
    }

    fn output_grid(&self) -> Grid {
        Grid::MAP
    }

    fn batch(&self, rows: &Tensor) -> (Tensor, Vec<Tensor>) {
        let turn = Turn::draw();
        let pick = |t: &Tensor| turn.apply(&t.index_select(0, rows));
        let windows = &self.windows;
        (pick(&windows.hr), vec![pick(&windows.foreground), pick(&windows.core), pick(&windows.classes)])
    }

    /// Cross-entropy of foreground and core, Dice loss of the foreground (Milletari et al., 2016), and cross-entropy of
    /// the kinds inside cells. The core's target is soft: the depth is the target probability. Platelets, which are few
    /// and small, and the narrow valleys between two cells have larger weights.
    fn loss(&self, output: &Tensor, targets: &[Tensor], _quantized: bool) -> Tensor {
        let known = known(&targets[2]).to_kind(Kind::Float);
        let is = |class: u8| targets[2].eq(i64::from(class)).to_kind(Kind::Float);
        let [red, white, platelet] = [class::RED, class::WHITE, class::PLATELET].map(is);
        let foreground = targets[0].to_kind(Kind::Float) / 255.0;
        let core = targets[1].to_kind(Kind::Float) / 255.0;
        let (foreground_logit, core_logit) = (output.narrow(1, 0, 1), output.narrow(1, 1, 1));
        let mean = |loss: &Tensor, weight: &Tensor| (loss * weight).sum(Kind::Float) / (weight.sum(Kind::Float) + 1.0);
        let entropy = |logit: &Tensor, wanted: &Tensor| {
            logit.binary_cross_entropy_with_logits::<Tensor>(wanted, None, None, tch::Reduction::None)
        };
        let weight = &known * (&platelet * 2.0 + 1.0);
        let valley = core.lt(VALLEY_DEPTH).to_kind(Kind::Float) * &foreground;
        let core_weight = &weight * (valley + 1.0);
        let probability = foreground_logit.sigmoid() * &known;
        let truth = &foreground * &known;
        let both = (&probability * &truth).sum(Kind::Float);
        let dice = (&both * 2.0 + 1.0) / (probability.sum(Kind::Float) + truth.sum(Kind::Float) + 1.0);
        let of_cells = mean(&entropy(&foreground_logit, &foreground), &weight)
            + (dice * -1.0 + 1.0)
            + mean(&entropy(&core_logit, &core), &core_weight) * 2.0;
        if output.size()[1] < MAPS_WITH_KINDS {
            return of_cells;
        }
        // Red has no map: its log-odds against itself are 0.
        let kinds =
            Tensor::cat(&[&output.narrow(1, 2, 2), &foreground_logit.zeros_like()], 1).log_softmax(1, Kind::Float);
        let of_kind =
            -(kinds.narrow(1, 0, 1) * &white + kinds.narrow(1, 1, 1) * &platelet + kinds.narrow(1, 2, 1) * &red);
        let kind_weight = &red + &white * 2.0 + &platelet * 8.0;
        of_cells + mean(&of_kind, &kind_weight) * 0.5
    }

    fn validate(&self, params: &Params, grids: Option<&Grids>) -> Result<Figures> {
        let on = |measured: &Measured, names: &Names| {
            self.figures(measured, &self.maps(&measured.set, params, grids), names)
        };
        Ok([on(&self.held_back, &HELD_BACK)?, on(&self.reported, &REPORTED)?].concat())
    }

    fn fields(&self, params: &Params, grids: Option<&Grids>) -> Result<Sheet> {
        let set = &self.reported.set;
        let count = set.count().min(SHOWN);
        let maps = self.maps_of(&set.hr.narrow(0, 0, count), params, grids);
        let row = |index| {
            let (seen, made) = (to_rgb(&set.hr.get(index))?, cell_maps(&maps.get(index))?);
            let cells = outlined(&seen, &split(&made, &RULE)?, &Default::default());
            let truth = to_gray(&set.foreground.get(index).get(0))?;
            Ok(vec![seen, grey(&made.foreground), grey(&made.core), grey(&truth), cells])
        };
        let titles = vec!["seen", "foreground", "depth in a cell", "true mask", "cells that are found"];
        Ok(Sheet { titles, rows: (0..count).map(row).collect::<Result<_>>()? })
    }

    fn select(&self) -> &'static str {
        "held_back_score"
    }

    fn cell_rule(&self, params: &Params, grids: &Grids) -> Result<Option<CellRule>> {
        let Measured { set, scenes } = self.chosen_on.as_ref().unwrap_or(&self.held_back);
        let maps = self.maps(set, params, Some(grids));
        choose_rule(&maps, &set.foreground, &known(&set.classes), scenes).map(Some)
    }
}
