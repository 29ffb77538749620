//! `train-host unet`: the segmentation net, on what the super-resolution really puts out.

use anyhow::Result;
use tch::{Device, Kind, Tensor};

use super::{
    settings::Settings,
    ssr::Turns,
    train::{Figures, Task},
};
use crate::{
    data::set::SampleSet,
    net::{
        Net,
        forward::{forward, to_levels, to_real},
        grids::{Grid, Grids},
        params::Params,
        unet,
    },
};

/// The defaults of the recipe.
pub fn defaults() -> Settings {
    Settings {
        seed: 1,
        epochs: 24,
        quantized_epochs: 6,
        windows: 4096,
        batch: 16,
        learning_rate: 2e-3,
        warmup_steps: 200,
        average_decay: 0.999,
    }
}

/// Training samples whose `hr` is the super-resolved picture, and the fields that figures are measured on.
#[derive(Debug)]
pub struct Unet {
    net: Net,
    device: Device,
    windows: SampleSet,
    held_back: SampleSet,
    reported: SampleSet,
}

impl Unet {
    /// A task over super-resolved samples.
    pub fn new(windows: SampleSet, held_back: SampleSet, reported: SampleSet, device: Device) -> Self {
        Self { net: unet::net(), device, windows, held_back, reported }
    }

    /// The maps of a set as levels `[N, 2, 256, 256]` on the CPU.
    pub fn maps(&self, set: &SampleSet, params: &Params, grids: Option<&Grids>) -> Tensor {
        let _no_grad = tch::no_grad_guard();
        let input = to_real(&set.hr.to_device(self.device), Grid::PICTURE);
        to_levels(&forward(&self.net, params, grids, &input), Grid::MAP).to_device(Device::Cpu)
    }

    fn figures(&self, set: &SampleSet, params: &Params, grids: Option<&Grids>) -> [f64; 2] {
        let maps = self.maps(set, params, grids);
        let predicted = maps.select(1, 0).gt(128);
        let truth = set.foreground.select(1, 0).gt(127);
        let sum = |t: &Tensor| t.to_kind(Kind::Double).sum_dim_intlist([1i64, 2].as_slice(), false, Kind::Double);
        let both = sum(&predicted.logical_and(&truth));
        let dice = (&both * 2.0 / (sum(&predicted) + sum(&truth) + 1e-9)).mean(Kind::Double).double_value(&[]);
        let depth = to_real(&maps.select(1, 1), Grid::MAP).sigmoid();
        let wanted = set.core.select(1, 0).to_kind(Kind::Float) / 255.0;
        let error = (depth - wanted).abs().mean(Kind::Double).double_value(&[]);
        [dice, error]
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
        let turns = Turns::draw(rows.size()[0]);
        let pick = |t: &Tensor| turns.apply(&t.index_select(0, rows));
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
        let [held_dice, held_depth] = self.figures(&self.held_back, params, grids);
        let [dice, depth] = self.figures(&self.reported, params, grids);
        Ok(vec![
            ("held_back_dice", held_dice),
            ("held_back_core_error", held_depth),
            ("val_dice", dice),
            ("val_core_error", depth),
        ])
    }

    fn select(&self) -> &'static str {
        "held_back_dice"
    }
}
