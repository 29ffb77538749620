//! One function a command.

use std::io::Write;

use anyhow::{Context, Result};
use rayon::prelude::*;
use tch::Device;

use crate::{
    cli::{Command, StainsArguments, SynthArguments, TrainArguments},
    data::{
        degrade::Mixture,
        division::{Division, read_fields},
        field::Field,
        layout::Split,
        pitch,
        seen::Enlarged,
        set::SampleSet,
        stains,
        window::Window,
    },
    device,
    export::bundle::{About, export},
    net,
    recipe::{
        ablate,
        checkpoint::{State, best_file},
        curves, log as run_log,
        settings::{Places, Settings},
        ssr::{self, Ssr},
        train::{Figures, Task, train},
        unet::{self, Measured, Unet},
    },
};
use bloodseg_evaluate::{method::Methods, set::FieldSet, worst_cells};
use bloodseg_vision::model::{
    manifest::{Role, Training},
    store::Models,
};

/// Runs a command.
pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Ssr(arguments) => train_ssr(&arguments),
        Command::Unet(arguments) => train_unet(&arguments),
        Command::Ablate(arguments) => run_ablation(&arguments),
        Command::Stains(arguments) => stains(&arguments),
        Command::Synth(arguments) => synth(&arguments),
    }
}

fn synth(arguments: &SynthArguments) -> Result<()> {
    let SynthArguments { out, count, seed, size } = arguments;
    let written = bloodseg_smear::write_set(out, *count, *seed, *size)?;
    log::info!("{}: {} fields of {size} px, with img, mask and labels", out.display(), written.len());
    Ok(())
}

fn stains(arguments: &StainsArguments) -> Result<()> {
    let fields = read_fields(&arguments.data, Split::Train)?;
    let groups = stains::groups(&fields.iter().map(stains::features).collect::<Vec<_>>());
    let names: Vec<String> = fields.into_iter().map(|field| field.name).collect();
    let table = stains::table(&groups, &names, log::log_enabled!(log::Level::Debug));
    std::io::stdout().write_all(table.as_bytes()).context("standard output: cannot write")
}

fn train_ssr(arguments: &TrainArguments) -> Result<()> {
    let (settings, places) = (arguments.settings(ssr::defaults()), arguments.places("ssr"));
    let device = device::pick(arguments.device)?;
    let fields = Division::read(&places.data, arguments.leave_out_stain)?;
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
    let fields = Division::read(&places.data, arguments.leave_out_stain)?;
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
    finish(&task, arguments, &settings, &places, &fields, device, (Role::Segmentation, meaning))?;
    match arguments.leave_out_stain {
        None => show_worst_cells(&places),
        Some(_) => Ok(()),
    }
}

/// Pictures of the ten worst cells of the reported split, to look at; they show the data set and stay out of models/.
fn show_worst_cells(places: &Places) -> Result<()> {
    let set = FieldSet::open(&places.data.join(Split::Val.folder()))?;
    let mut methods = Methods::load(&Models::load(&places.models)?, None)?;
    let report = bloodseg_evaluate::evaluate(&set, &mut methods, &mut |_, _| Ok(()))?;
    let folder = places.checkpoints.join("worst_cells");
    worst_cells::write(&set, methods.model.as_mut(), &report.worst_cells, &folder)?;
    log::info!("{}: the worst cells of the reported fields", folder.display());
    Ok(())
}

fn run_ablation(arguments: &TrainArguments) -> Result<()> {
    let (settings, places) = (arguments.settings(unet::defaults()), arguments.places("ablation"));
    let device = device::pick(arguments.device)?;
    let division = Division::read(&places.data, arguments.leave_out_stain)?;
    let held_back = at_all_magnifications(&division.held_back);
    let fields = ablate::Fields { trained: &division.trained, held_back: &held_back, reported: &division.reported };
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
    fields: &Division,
    device: Device,
    (role, meaning): (Role, &str),
) -> Result<()> {
    fields.keep(&places.checkpoints, arguments.resume || arguments.export_only)?;
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
                "train-host {name} --seed {} --epochs {} --quantized-epochs {} --windows {} --batch {} --learning-rate {} --precision {}{}",
                settings.seed,
                settings.epochs,
                settings.quantized_epochs,
                settings.windows,
                settings.batch,
                settings.learning_rate,
                settings.precision.name(),
                arguments.leave_out_stain.map(|number| format!(" --leave-out-stain {number}")).unwrap_or_default()
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
        figures_from: format!(
            "train-host {name}, int8, after the best epoch ({} of {}){}",
            state.epoch,
            settings.epochs,
            fields.reported_is().map(|what| format!("; {what}")).unwrap_or_default()
        ),
    };
    let manifest = export(task.net(), &state.average, grids, &about, &places.models)?;
    let log_file = places.checkpoints.join("log.csv");
    if log_file.is_file() {
        let rows = run_log::read(&log_file, settings.epochs)?;
        curves::write(&rows, &places.models.join(format!("curves-{name}.svg")))?;
    } else {
        log::warn!("{}: no such file, so that no curves are drawn", log_file.display());
    }
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
