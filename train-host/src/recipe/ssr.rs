//! `train-host ssr`: the super-resolution model.

use anyhow::Result;
use image::imageops::{FilterType, resize};
use tch::{Device, Kind, Tensor};

use super::{
    settings::{Precision, RECIPE, Settings},
    train::{Figures, Task},
};
use crate::{
    data::{
        field::class,
        set::{SampleSet, to_rgb},
        turns::Turn,
    },
    net::{
        Net,
        forward::{forward, to_levels, to_real},
        grids::{Grid, Grids},
        params::Params,
        ssr,
    },
    show::fields::{SHOWN, Sheet},
};
use bloodseg_vision::geometry::SCALE;

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

/// Training samples, and the fields for figures.
#[derive(Debug)]
pub struct Ssr {
    net: Net,
    device: Device,
    windows: SampleSet,
    held_back: SampleSet,
    reported: SampleSet,
}

impl Ssr {
    /// A task over generated samples.
    pub fn new(windows: SampleSet, held_back: SampleSet, reported: SampleSet, device: Device) -> Self {
        Self { net: ssr::net(), device, windows, held_back, reported }
    }

    /// The output for inputs `[N, 3, 64, 64]`, as levels.
    fn enlarged(&self, lr: &Tensor, params: &Params, grids: Option<&Grids>) -> Tensor {
        let _no_grad = tch::no_grad_guard();
        let input = to_real(&lr.to_device(self.device), Grid::PICTURE);
        to_levels(&forward(&self.net, params, grids, &input), Grid::PICTURE)
    }

    fn psnr_db(&self, set: &SampleSet, params: &Params, grids: Option<&Grids>) -> f64 {
        let _no_grad = tch::no_grad_guard();
        let levels = self.enlarged(&set.lr, params, grids).to_kind(Kind::Double);
        let shown = shown(&set.classes).to_kind(Kind::Double).to_device(self.device);
        let sum = |t: &Tensor| t.sum_dim_intlist([1i64, 2, 3].as_slice(), false, Kind::Double);
        let squared = (levels - set.hr.to_device(self.device)).square() * &shown;
        let error = sum(&squared) / (sum(&shown) * 3.0);
        ((error / (255.0 * 255.0)).log10() * -10.0).mean(Kind::Double).double_value(&[])
    }
}

/// Where samples show their field, as 0 or 1.
fn shown(classes: &Tensor) -> Tensor {
    classes.ne(i64::from(class::OUTSIDE))
}

impl Task for Ssr {
    fn net(&self) -> &Net {
        &self.net
    }

    fn output_grid(&self) -> Grid {
        Grid::PICTURE
    }

    fn batch(&self, rows: &Tensor) -> (Tensor, Vec<Tensor>) {
        let turn = Turn::draw();
        let pick = |t: &Tensor| turn.apply(&t.index_select(0, rows));
        (pick(&self.windows.lr), vec![pick(&self.windows.hr), shown(&pick(&self.windows.classes))])
    }

    /// Charbonnier's smooth absolute error (Lai et al., 2017) while in float; then the squared error, which PSNR
    /// measures.
    fn loss(&self, output: &Tensor, targets: &[Tensor], quantized: bool) -> Tensor {
        let error = output - to_real(&targets[0], Grid::PICTURE);
        let shown = targets[1].to_kind(Kind::Float);
        let mean = |t: Tensor| (t * &shown).sum(Kind::Float) / (shown.sum(Kind::Float) * 3.0 + 1.0);
        if quantized { mean(error.square()) * 20.0 } else { mean((error.square() + 1e-6).sqrt()) }
    }

    fn validate(&self, params: &Params, grids: Option<&Grids>) -> Result<Figures> {
        Ok(vec![
            ("held_back_psnr_db", self.psnr_db(&self.held_back, params, grids)),
            ("val_psnr_db", self.psnr_db(&self.reported, params, grids)),
        ])
    }

    fn fields(&self, params: &Params, grids: Option<&Grids>) -> Result<Sheet> {
        let count = self.reported.count().min(SHOWN);
        let (lr, hr) = (self.reported.lr.narrow(0, 0, count), self.reported.hr.narrow(0, 0, count));
        let made = self.enlarged(&lr, params, grids).to_device(Device::Cpu);
        let row = |index| {
            let small = to_rgb(&lr.get(index))?;
            let input = resize(&small, small.width() * SCALE, small.height() * SCALE, FilterType::Nearest);
            Ok(vec![input, to_rgb(&made.get(index))?, to_rgb(&hr.get(index))?])
        };
        let titles = vec!["input", "super-resolved", "truth"];
        Ok(Sheet { titles, rows: (0..count).map(row).collect::<Result<_>>()? })
    }

    fn select(&self) -> &'static str {
        "held_back_psnr_db"
    }
}
