//! One function a command.

use std::path::Path;

use anyhow::{Context, Result};
use bloodseg::model::manifest::{Role, Training};
use indicatif::ParallelProgressIterator;
use rayon::prelude::*;
use tch::Device;

use crate::{
    cli::{Command, SynthArguments, TrainArguments},
    data::{
        degrade::Mixture,
        field::Field,
        layout::{Pair, Split, hold_back, pairs},
        pitch,
        seen::Enlarged,
        set::SampleSet,
        window::Window,
    },
    device,
    export::bundle::{About, export},
    net, progress,
    recipe::{
        ablate,
        checkpoint::{State, best_file},
        settings::{Places, Settings},
        ssr::{self, Ssr},
        train::{Figures, Task, train},
        unet::{self, Measured, Unet},
    },
};

/// Runs a command.
pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Ssr(arguments) => train_ssr(&arguments),
        Command::Unet(arguments) => train_unet(&arguments),
        Command::Ablate(arguments) => run_ablation(&arguments),
        Command::Synth(arguments) => synth(&arguments),
    }
}

fn synth(arguments: &SynthArguments) -> Result<()> {
    let SynthArguments { out, count, seed, size } = arguments;
    let written = bloodseg::smear::write_set(out, *count, *seed, *size)?;
    log::info!("{}: {} fields of {size} px, with img, mask and labels", out.display(), written.len());
    Ok(())
}

/// The fields of a data set by what they are for.
struct Fields {
    trained: Vec<Field>,
    held_back: Vec<Field>,
    reported: Vec<Field>,
}

impl Fields {
    fn read(data: &Path) -> Result<Self> {
        let (trained, held_back) = hold_back(pairs(data, Split::Train)?);
        let reported = pairs(data, Split::Val)?;
        log::info!("fields: {} to train, {} held back, {} reported", trained.len(), held_back.len(), reported.len());
        Ok(Self { trained: read(&trained)?, held_back: read(&held_back)?, reported: read(&reported)? })
    }

    fn describe(&self) -> String {
        format!(
            "BBBC041 malaria thin smears with the masks of Depto et al. (2021); {} fields trained on, {} of train_tmp held back to choose the epoch, {} of val_tmp reported",
            self.trained.len(),
            self.held_back.len(),
            self.reported.len()
        )
    }
}

fn read(pairs: &[Pair]) -> Result<Vec<Field>> {
    let bar = progress::bar(pairs.len() as u64, "fields");
    pairs.par_iter().progress_with(bar).map(Field::read).collect()
}

fn train_ssr(arguments: &TrainArguments) -> Result<()> {
    let (settings, places) = (arguments.settings(ssr::defaults()), arguments.places("ssr"));
    let device = device::pick(arguments.device)?;
    let fields = Fields::read(&places.data)?;
    let task = Ssr::new(
        SampleSet::windows(&fields.trained, &Mixture::PICTURES, settings.windows, settings.seed, &places.cache)?,
        SampleSet::reference(&fields.held_back)?,
        SampleSet::reference(&fields.reported)?,
        device,
    );
    let meaning = "RGB picture of four times the edge, sRGB levels";
    finish(&task, arguments, &settings, &places, &fields, device, (Role::SuperResolution, meaning))
}

fn train_unet(arguments: &TrainArguments) -> Result<()> {
    let (settings, places) = (arguments.settings(unet::defaults()), arguments.places("unet"));
    let device = device::pick(arguments.device)?;
    let fields = Fields::read(&places.data)?;
    let windows = SampleSet::windows(&fields.trained, &Mixture::CELLS, settings.windows, settings.seed, &places.cache)?;
    let enlarged = Enlarged::by_net(&places)?;
    let task = Unet::new(
        net::unet::net(),
        enlarged.replace(windows, &places)?,
        measured(&at_all_magnifications(&fields.held_back), &enlarged, &places)?,
        measured(&fields.reported, &enlarged, &places)?,
        device,
    );
    let meaning = "channel 0 foreground, channel 1 core (depth inside a cell); 128 is probability one half, a level is 1/16 logit";
    finish(&task, arguments, &settings, &places, &fields, device, (Role::Segmentation, meaning))
}

fn run_ablation(arguments: &TrainArguments) -> Result<()> {
    let (settings, places) = (arguments.settings(unet::defaults()), arguments.places("ablation"));
    let device = device::pick(arguments.device)?;
    let Fields { trained, held_back, reported } = Fields::read(&places.data)?;
    let held_back = at_all_magnifications(&held_back);
    let fields = ablate::Fields { trained: &trained, held_back: &held_back, reported: &reported };
    let rows = ablate::ablate(fields, &settings, &places, device)?;
    ablate::write(&rows, &places.checkpoints)?;
    log::info!("{}:\n{}", places.checkpoints.join("ablation.md").display(), ablate::markdown(&rows));
    Ok(())
}

/// Magnifications at which the held-back fields choose: the segmenter has to part cells at each of them.
const HELD_BACK_MAGNIFICATIONS: [f64; 3] = [0.7, 1.0, 1.4];

fn at_all_magnifications(fields: &[Field]) -> Vec<Field> {
    let pairs: Vec<(&Field, f64)> =
        HELD_BACK_MAGNIFICATIONS.iter().flat_map(|m| fields.iter().map(move |field| (field, *m))).collect();
    pairs.into_par_iter().map(|(field, m)| Window::magnified(field, m).field(field)).collect()
}

/// The reference windows of fields, as the segmenter sees them, with their true cells.
fn measured(fields: &[Field], enlarged: &Enlarged, places: &Places) -> Result<Measured> {
    Measured::new(enlarged.replace(SampleSet::reference(fields)?, places)?, fields)
}

/// Trains (or takes the best checkpoint as it is), validates and exports.
fn finish(
    task: &dyn Task,
    arguments: &TrainArguments,
    settings: &Settings,
    places: &Places,
    fields: &Fields,
    device: Device,
    (role, meaning): (Role, &str),
) -> Result<()> {
    let state = if arguments.export_only {
        State::read(&best_file(&places.checkpoints), task.net(), device)?
    } else {
        train(task, settings, &places.checkpoints, device, arguments.resume)?
    };
    let grids = state.grids.as_ref().context("the best checkpoint is not quantized")?;
    let figures: Figures = task.validate(&state.average, Some(grids))?;
    let name = task.net().name;
    let about = About {
        role,
        output_meaning: meaning.into(),
        pitch: pitch::estimate(&fields.trained),
        cells: task.cell_rule(&state.average, grids)?,
        training: Training {
            command: format!(
                "train-host {name} --seed {} --epochs {} --quantized-epochs {} --windows {} --batch {} --learning-rate {} --precision {}",
                settings.seed,
                settings.epochs,
                settings.quantized_epochs,
                settings.windows,
                settings.batch,
                settings.learning_rate,
                settings.precision.name()
            ),
            seed: settings.seed,
            epochs: settings.epochs,
            steps: settings.steps(),
            data: fields.describe(),
            licence: "CC BY-NC-SA 3.0 (images of BBBC041): attribution, non-commercial, share-alike".into(),
            parameters: 0,
            macs: 0,
        },
        figures: figures.iter().map(|(name, value)| ((*name).to_owned(), (value * 1e5).round() / 1e5)).collect(),
        figures_from: format!("train-host {name}, int8, after the best epoch ({} of {})", state.epoch, settings.epochs),
    };
    let manifest = export(task.net(), &state.average, grids, &about, &places.models)?;
    log::info!(
        "{}: {} bytes, {} parameters, {} MAC a tile; {:?}",
        places.models.join(&manifest.file).display(),
        manifest.size_bytes,
        manifest.training.parameters,
        manifest.training.macs,
        figures
    );
    Ok(())
}
