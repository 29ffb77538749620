//! The training loop of both models, from top to bottom.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tch::{Device, Kind, Tensor};

use super::{
    adam::Adam,
    checkpoint::{self, State},
    log,
    settings::Settings,
};
use crate::{
    net::{
        Net,
        forward::{forward, to_real},
        grids::{Grid, Grids},
        params::{self, Params},
    },
    progress,
    quant::calibrate::calibrate,
    show::{
        Show,
        fields::Sheet,
        time_left::{self, TimeLeft},
    },
};
use bloodseg_clock::{Clock, SystemClock};
use bloodseg_vision::model::manifest::CellRule;

/// Samples on which the grids are calibrated.
const CALIBRATION_SAMPLES: i64 = 128;

/// Figures of an epoch by name, in the order of the log's columns.
pub type Figures = Vec<(&'static str, f64)>;

/// What differs between the models.
pub trait Task {
    /// The model.
    fn net(&self) -> &Net;
    /// Grid of the output, which defines its meaning.
    fn output_grid(&self) -> Grid;
    /// Inputs of the samples `rows` as levels `u8`, `[N, C, H, W]` on the CPU, and the loss's further inputs.
    fn batch(&self, rows: &Tensor) -> (Tensor, Vec<Tensor>);
    /// The loss of an output (real values).
    fn loss(&self, output: &Tensor, targets: &[Tensor], quantized: bool) -> Tensor;
    /// Figures on the validation fields and on the reported split; `select` names the one for selection.
    fn validate(&self, params: &Params, grids: Option<&Grids>) -> Result<Figures>;
    /// A fixed selection of reported fields: input, output and target.
    fn fields(&self, params: &Params, grids: Option<&Grids>) -> Result<Sheet>;
    /// How cells are extracted from the output, for a segmenter.
    fn cell_rule(&self, _params: &Params, _grids: &Grids) -> Result<Option<CellRule>> {
        Ok(None)
    }
    /// Name of the figure that selects the best epoch: greater is better.
    fn select(&self) -> &'static str;
}

/// Trains a model and returns its best quantized state.
pub fn train(task: &dyn Task, settings: &Settings, folder: &Path, device: Device, resume: bool) -> Result<State> {
    settings.check()?;
    let net = task.net();
    let log_file = folder.join("log.csv");
    let (mut state, mut rows) =
        if resume { load(net, settings, folder, device)? } else { fresh(net, settings, folder, device)? };
    let clock = SystemClock::start();
    let steps_per_epoch = settings.steps_per_epoch();
    let mut show = Show::begin(folder, state.epoch, settings.epochs, clock.wall())?;
    let mut pace = TimeLeft::begin(clock.elapsed(), u64::from(state.epoch) * steps_per_epoch, settings.steps());
    let calibration: Vec<Tensor> = calibration_inputs(task, settings.windows, device);

    for epoch in state.epoch..settings.epochs {
        let quantized = settings.is_quantized(epoch);
        if quantized && state.grids.is_none() {
            state.grids = Some(calibrate(net, &state.params, Grid::PICTURE, task.output_grid(), &calibration));
        }
        // Reseeded each epoch: a resumed run draws the same numbers as an uninterrupted one.
        tch::manual_seed((settings.seed << 20) as i64 ^ i64::from(epoch));
        let order = Tensor::randperm(settings.windows as i64, (Kind::Int64, Device::Cpu));
        let bar = progress::epoch(steps_per_epoch, &format!("{} epoch {}/{}", net.name, epoch + 1, settings.epochs));
        let started = clock.elapsed();
        pace.epoch(started, u64::from(epoch) * steps_per_epoch);
        let mut loss_sum = 0.0;
        let mut learning_rate = 0.0;
        for index in 0..steps_per_epoch {
            let step = u64::from(epoch) * steps_per_epoch + index;
            let rows = order.narrow(0, index as i64 * settings.batch as i64, settings.batch as i64);
            let (input, targets) = task.batch(&rows);
            let input =
                channels_last(&to_real(&input.to_device(device), Grid::PICTURE).to_kind(settings.precision.kind()));
            let targets: Vec<Tensor> = targets.iter().map(|t| t.to_device(device)).collect();
            let output = forward(net, &state.params, state.grids.as_ref(), &input);
            let loss = task.loss(&output, &targets, quantized);
            loss.backward();
            learning_rate = settings.learning_rate_at(step);
            state.adam.step(&mut state.params, learning_rate, step);
            update_average(&mut state.average, &state.params, settings.average_decay, step);
            let value = loss.double_value(&[]);
            if !value.is_finite() {
                bail!("epoch {}: the loss is {value}; lower --learning-rate", epoch + 1);
            }
            loss_sum += value;
            bar.inc(1);
            bar.set_message(format!("loss {:.4}, {}", loss_sum / (index + 1) as f64, left(&pace, &clock, step + 1)));
        }
        bar.finish_and_clear();
        state.epoch = epoch + 1;
        let figures = task.validate(&state.average, state.grids.as_ref())?;
        let selected = figures.iter().find(|f| f.0 == task.select()).map_or(f64::NEG_INFINITY, |f| f.1);
        let is_best = quantized && state.best.is_none_or(|(best, _)| selected > best);
        if is_best {
            state.best = Some((selected, state.epoch));
        }
        let took = time_left::text(clock.elapsed().saturating_sub(started));
        let mut row = vec![
            ("epoch".to_owned(), state.epoch.to_string()),
            ("quantized".to_owned(), u8::from(quantized).to_string()),
            ("learning_rate".to_owned(), format!("{learning_rate:.3e}")),
            ("train_loss".to_owned(), format!("{:.6}", loss_sum / steps_per_epoch as f64)),
        ];
        row.extend(figures.iter().map(|(name, value)| ((*name).to_owned(), format!("{value:.5}"))));
        row.push(("best".to_owned(), u8::from(is_best).to_string()));
        let line: Vec<String> = row.iter().skip(3).map(|(name, value)| format!("{name} {value}")).collect();
        let left = left(&pace, &clock, u64::from(state.epoch) * steps_per_epoch);
        ::log::info!("epoch {} of {}, {took}, {left}: {}", state.epoch, settings.epochs, line.join(", "));
        rows.push(row);

        state.write(&checkpoint::file(folder, state.epoch))?;
        if is_best {
            state.write(&checkpoint::best_file(folder))?;
        }
        log::write(&log_file, &rows)?;
        let fields = match show.wants_fields(state.epoch) {
            true => task.fields(&state.average, state.grids.as_ref())?.picture()?,
            false => None,
        };
        show.epoch(&rows, fields.as_ref(), clock.wall())?;
    }
    State::read(&checkpoint::best_file(folder), net, device)
}

/// The remaining time of a run after `done` steps, as text.
fn left(pace: &TimeLeft, clock: &dyn Clock, done: u64) -> String {
    pace.at(clock.elapsed(), done).map_or_else(String::new, |left| format!("{} left", time_left::text(left)))
}

type Rows = Vec<Vec<(String, String)>>;

fn fresh(net: &Net, settings: &Settings, folder: &Path, device: Device) -> Result<(State, Rows)> {
    if let Some(epoch) = checkpoint::last_epoch(folder) {
        bail!(
            "{}: holds a run of {epoch} epochs; expected an empty folder. Go on with --resume, or name another with --out",
            folder.display()
        );
    }
    std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot create the folder", folder.display()))?;
    std::fs::write(folder.join("settings.toml"), toml::to_string(settings)?)
        .with_context(|| format!("{}: cannot write", folder.display()))?;
    tch::manual_seed(settings.seed as i64);
    let params = trainable(params::init(net, device));
    let average = params.iter().map(|(name, p)| (name.clone(), p.detach().copy())).collect();
    let adam = Adam::new(&params);
    Ok((State { epoch: 0, params, average, adam, grids: None, best: None }, Vec::new()))
}

fn load(net: &Net, settings: &Settings, folder: &Path, device: Device) -> Result<(State, Rows)> {
    let Some(epoch) = checkpoint::last_epoch(folder) else {
        bail!("{}: no checkpoint to resume from; leave --resume out to start", folder.display());
    };
    let file = folder.join("settings.toml");
    let text = std::fs::read_to_string(&file).with_context(|| format!("{}: cannot read", file.display()))?;
    let begun: Settings =
        toml::from_str(&text).with_context(|| format!("{}: not the settings of a run", file.display()))?;
    if begun.recipe != settings.recipe {
        bail!(
            "{}: a run of recipe {}; this trainer has recipe {}. Resume it with the trainer that began it, or start again with --out",
            folder.display(),
            begun.recipe,
            settings.recipe
        );
    }
    if begun != *settings {
        bail!("{}: the run was begun with {begun:?}, not with {settings:?}; give the same flags", folder.display());
    }
    let mut state = State::read(&checkpoint::file(folder, epoch), net, device)?;
    state.params = trainable(state.params);
    // Restores libtorch's generator to the state of a fresh run, so that calibration draws the same samples.
    tch::manual_seed(settings.seed as i64);
    drop(params::init(net, device));
    let rows = log::read(&folder.join("log.csv"), epoch)?;
    ::log::info!("resumed after epoch {epoch}");
    Ok((state, rows))
}

fn trainable(params: Params) -> Params {
    params.into_iter().map(|(name, p)| (name, p.detach().copy().set_requires_grad(true))).collect()
}

/// The memory order in which libtorch's CPU convolutions are fastest; the values are unchanged.
pub fn channels_last(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

fn update_average(average: &mut Params, params: &Params, decay: f64, step: u64) {
    let _no_grad = tch::no_grad_guard();
    // A short memory at first, so that the initial weights are forgotten.
    let decay = decay.min((1.0 + step as f64) / (10.0 + step as f64));
    for (name, mean) in average.iter_mut() {
        let _ = mean.g_mul_scalar_(decay).g_add_(&(&params[name] * (1.0 - decay)));
    }
}

fn calibration_inputs(task: &dyn Task, windows: usize, device: Device) -> Vec<Tensor> {
    let samples = CALIBRATION_SAMPLES.min(windows as i64);
    (0..samples)
        .step_by(16)
        .map(|first| {
            let rows = Tensor::arange_start(first, (first + 16).min(samples), (Kind::Int64, Device::Cpu));
            to_real(&task.batch(&rows).0.to_device(device), Grid::PICTURE)
        })
        .collect()
}
