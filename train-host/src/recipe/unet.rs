//! `train-host unet`: the segmentation net, on what the super-resolution really puts out.

use anyhow::Result;
use tch::{Device, Kind, Tensor};

use super::{
    cells::{FIRST_RULE, cell_maps, choose_rule, figures, mean_dice, truths},
    settings::{Precision, Settings},
    train::{Figures, Task},
};
use crate::{
    data::{
        field::Field,
        set::{SampleSet, to_gray, to_rgb},
        turns::Turn,
    },
    net::{
        Net,
        forward::{forward, to_levels, to_real},
        grids::{Grid, Grids},
        params::Params,
    },
    show::fields::{SHOWN, Sheet, grey},
};
use bloodseg_vision::{
    cells::{Labels, split},
    model::manifest::CellRule,
    pictures::outlined,
};

/// The defaults of the recipe.
pub fn defaults() -> Settings {
    Settings {
        seed: 1,
        epochs: 24,
        quantized_epochs: 6,
        windows: 8192,
        batch: 16,
        learning_rate: 2e-3,
        warmup_steps: 200,
        average_decay: 0.999,
        precision: Precision::Bf16,
    }
}

/// Fields that figures are measured on: their samples, and their true cells.
#[derive(Debug)]
pub struct Measured {
    set: SampleSet,
    truths: Vec<Labels>,
}

impl Measured {
    /// `set` holds the reference window of each field, its `hr` what the segmenter sees.
    pub fn new(set: SampleSet, fields: &[Field]) -> Result<Self> {
        Ok(Self { set, truths: truths(fields)? })
    }
}

/// Training samples whose `hr` is what the segmenter sees, and what figures are measured on.
#[derive(Debug)]
pub struct Unet {
    net: Net,
    device: Device,
    windows: SampleSet,
    held_back: Measured,
    reported: Measured,
}

impl Unet {
    /// A task over samples whose `hr` is what the segmenter sees.
    pub fn new(net: Net, windows: SampleSet, held_back: Measured, reported: Measured, device: Device) -> Self {
        Self { net, device, windows, held_back, reported }
    }

    /// The maps of a set as levels `[N, 2, 256, 256]` on the CPU.
    pub fn maps(&self, set: &SampleSet, params: &Params, grids: Option<&Grids>) -> Tensor {
        self.maps_of(&set.hr, params, grids)
    }

    fn maps_of(&self, seen: &Tensor, params: &Params, grids: Option<&Grids>) -> Tensor {
        let _no_grad = tch::no_grad_guard();
        let input = to_real(&seen.to_device(self.device), Grid::PICTURE);
        to_levels(&forward(&self.net, params, grids, &input), Grid::MAP).to_device(Device::Cpu)
    }

    /// Dice of the foreground, and AP50 and count error of the cells, by a rule.
    fn figures(&self, on: &Measured, params: &Params, grids: Option<&Grids>, rule: &CellRule) -> Result<[f64; 3]> {
        let maps = self.maps(&on.set, params, grids);
        let dice = mean_dice(&maps, &on.set.foreground, rule.foreground_level);
        let cells = figures(&maps, &on.truths, rule)?;
        Ok([dice, cells.ap50, cells.count_error])
    }
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
        (pick(&self.windows.hr), vec![pick(&self.windows.foreground), pick(&self.windows.core)])
    }

    /// Cross-entropy of both maps and the Dice loss of the foreground (Milletari et al., 2016). The core's
    /// target is soft: the depth itself is the probability that is learned.
    fn loss(&self, output: &Tensor, targets: &[Tensor], _quantized: bool) -> Tensor {
        let foreground = targets[0].to_kind(Kind::Float) / 255.0;
        let core = targets[1].to_kind(Kind::Float) / 255.0;
        let (foreground_logit, core_logit) = (output.narrow(1, 0, 1), output.narrow(1, 1, 1));
        let entropy = |logit: &Tensor, wanted: &Tensor| {
            logit.binary_cross_entropy_with_logits::<Tensor>(wanted, None, None, tch::Reduction::Mean)
        };
        let probability = foreground_logit.sigmoid();
        let both = (&probability * &foreground).sum(Kind::Float);
        let dice = (&both * 2.0 + 1.0) / (probability.sum(Kind::Float) + foreground.sum(Kind::Float) + 1.0);
        entropy(&foreground_logit, &foreground) + (dice * -1.0 + 1.0) + entropy(&core_logit, &core) * 2.0
    }

    fn validate(&self, params: &Params, grids: Option<&Grids>) -> Result<Figures> {
        let held_back = self.figures(&self.held_back, params, grids, &FIRST_RULE)?;
        let reported = self.figures(&self.reported, params, grids, &FIRST_RULE)?;
        Ok(vec![
            ("held_back_score", held_back[0] + held_back[1]),
            ("held_back_dice", held_back[0]),
            ("held_back_ap50", held_back[1]),
            ("held_back_count_error", held_back[2]),
            ("val_dice", reported[0]),
            ("val_ap50", reported[1]),
            ("val_count_error", reported[2]),
        ])
    }

    fn fields(&self, params: &Params, grids: Option<&Grids>) -> Result<Sheet> {
        let set = &self.reported.set;
        let count = set.count().min(SHOWN);
        let maps = self.maps_of(&set.hr.narrow(0, 0, count), params, grids);
        let row = |index| {
            let (seen, made) = (to_rgb(&set.hr.get(index))?, cell_maps(&maps.get(index))?);
            let cells = outlined(&seen, &split(&made, &FIRST_RULE)?, &Default::default());
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
        let maps = self.maps(&self.held_back.set, params, Some(grids));
        choose_rule(&maps, &self.held_back.set.foreground, &self.held_back.truths).map(Some)
    }
}
