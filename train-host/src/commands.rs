//! One function per command.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use tch::Device;

use crate::{
    cli::{Command, OutlinesArguments, SeparationArguments, StainsArguments, SynthArguments, TrainArguments},
    data::{
        degrade::Mixture,
        division::{Division, Request, read_fields},
        field::Field,
        labs::{Laboratories, Use},
        layout::Split,
        pitch,
        seen::Enlarged,
        set::SampleSet,
        stains,
        teacher::Teacher,
        window::Window,
    },
    device,
    export::bundle::{About, export},
    net::{self, grids::Grids},
    recipe::{
        ablate,
        checkpoint::{State, best_file},
        curves, log as run_log, separation,
        settings::{Places, Settings},
        ssr::{self, Ssr},
        train::{Figures, Task, train},
        unet::{self, Measured, Unet},
    },
    show::outlines::outlined,
};
use bloodseg_evaluate::{method::Methods, set::FieldSet, worst_cells};
use bloodseg_vision::model::{
    manifest::{CellRule, Role, Training},
    store::Models,
};

/// Runs a command.
pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Ssr(arguments) => train_ssr(&arguments),
        Command::Unet(arguments) => train_unet(&arguments),
        Command::Ablate(arguments) => run_ablation(&arguments),
        Command::Stains(arguments) => stains(&arguments),
        Command::Separation(arguments) => choose_separation(&arguments),
        Command::Outlines(arguments) => draw_outlines(&arguments),
        Command::Synth(arguments) => synth(&arguments),
    }
}

fn draw_outlines(arguments: &OutlinesArguments) -> Result<()> {
    let laboratories = Laboratories::open(&arguments.data, pitch::red_cell_lr_px(None))?;
    for name in laboratories.known().keys() {
        let folder = arguments.out.join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("{}: cannot create the folder", folder.display()))?;
        let files = laboratories.pictures(name)?;
        files.par_iter().take(arguments.count).try_for_each(|file| -> Result<()> {
            let field = laboratories.read(name, file)?;
            let to = folder.join(&field.name).with_extension("png");
            outlined(&field).save(&to).with_context(|| format!("{}: cannot write", to.display()))
        })?;
        log::info!("{}: {} pictures", folder.display(), files.len().min(arguments.count));
    }
    Ok(())
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

/// Divides the data set for a training.
fn division(arguments: &TrainArguments, settings: &Settings) -> Result<Division> {
    if Laboratories::are_in(&arguments.data) {
        ensure!(
            arguments.leave_out_stain.is_none(),
            "--leave-out-stain needs masks; expected --leave-out-laboratory NAME"
        );
        return Division::of_laboratories(&Request {
            data: &arguments.data,
            leave_out: arguments.leave_out_laboratory.as_deref(),
            rendered: arguments.rendered,
            seed: settings.seed,
            report: arguments.report.as_deref(),
            red_cell_lr_px: pitch::red_cell_lr_px(arguments.um_per_px),
        });
    }
    ensure!(
        arguments.leave_out_laboratory.is_none() && arguments.report.is_none() && arguments.um_per_px.is_none(),
        "{}: holds no laboratories; --leave-out-laboratory, --report and --um-per-px need some",
        arguments.data.display()
    );
    Division::read(&arguments.data, arguments.leave_out_stain)
}

/// Rejects options that only a segmenter on laboratories has.
fn ensure_no_teacher(arguments: &TrainArguments, what: &str) -> Result<()> {
    ensure!(
        arguments.teacher.is_none() && arguments.width.is_none(),
        "{what}; --teacher and --width are for train-host unet on laboratories"
    );
    Ok(())
}

fn train_ssr(arguments: &TrainArguments) -> Result<()> {
    ensure_no_teacher(arguments, "found a training of super-resolution")?;
    let (settings, places) = (arguments.settings(ssr::defaults()), arguments.places("ssr"));
    let device = device::pick(arguments.device)?;
    let fields = division(arguments, &settings)?;
    let task = Ssr::new(
        SampleSet::windows(&fields.trained, &Mixture::PICTURES, settings.windows, settings.seed, &places.cache)?,
        SampleSet::frames(&fields.held_back)?,
        SampleSet::frames(&fields.reported)?,
        device,
    );
    let meaning = "RGB picture of four times the edge, sRGB levels";
    finish(&task, arguments, &settings, &places, &fields, device, (Role::SuperResolution, meaning)).map(drop)
}

const MEANING: &str =
    "levels of 1/16 logit, 128 is probability one half: channel 0 foreground, 1 core (depth inside a cell)";
const MEANING_OF_KINDS: &str = "2 white against red, 3 platelet against red";

fn train_unet(arguments: &TrainArguments) -> Result<()> {
    let (mut settings, places) = (arguments.settings(unet::defaults()), arguments.places("unet"));
    let device = device::pick(arguments.device)?;
    if !Laboratories::are_in(&arguments.data) {
        ensure_no_teacher(arguments, &format!("{}: found no laboratories", arguments.data.display()))?;
    }
    let red_cell_lr_px = pitch::red_cell_lr_px(arguments.um_per_px);
    let left_out = arguments.leave_out_laboratory.as_deref();
    let teacher =
        arguments.teacher.as_deref().map(|folder| Teacher::load(folder, red_cell_lr_px, left_out)).transpose()?;
    let mut fields = division(arguments, &settings)?;
    if let Some(teacher) = teacher {
        settings.teacher = Some(teacher.sha256().to_owned());
        if !arguments.export_only {
            fields.trained = teacher.label(fields.trained, red_cell_lr_px)?;
        }
    }
    // An export trains nothing.
    let count = if arguments.export_only { settings.batch } else { settings.windows };
    let windows = SampleSet::windows(&fields.trained, &Mixture::CELLS, count, settings.seed, &places.cache)?;
    let enlarged = Enlarged::by_net(&places)?;
    let (net, meaning) = match fields.is_of_masks() {
        true => (net::unet::net(), MEANING.into()),
        false => (net::unet::net_with_kinds_of(settings.width), format!("{MEANING}, {MEANING_OF_KINDS}")),
    };
    let mut task = Unet::new(
        net,
        enlarged.replace(windows, &places)?,
        measured(&at_all_magnifications(&fields.held_back), &enlarged, &places)?,
        measured(&fields.reported, &enlarged, &places)?,
        device,
    );
    if !fields.is_of_masks() {
        task = task.choosing_on(measured(&labelled(&fields), &enlarged, &places)?);
    }
    let rule = finish(&task, arguments, &settings, &places, &fields, device, (Role::Segmentation, &meaning))?;
    if fields.is_of_masks() {
        return match arguments.leave_out_stain {
            None => show_worst_cells(&places),
            Some(_) => Ok(()),
        };
    }
    let rule = rule.context("a segmenter has a rule")?;
    write_laboratories(&task, rule, &places, device)?;
    let Some(name) = &arguments.leave_out_laboratory else { return Ok(()) };
    let unseen = measured(&choosable(&fields, name), &enlarged, &places)?;
    let (state, grids) = best(&task, &places, device)?;
    let file = places.checkpoints.join(separation::FILE);
    task.write_separations(&file, &unseen, &state.average, &grids, rule.foreground_level)?;
    log::info!("{}: figures of every separation of cells, for `train-host separation`", file.display());
    Ok(())
}

/// Writes the figures of each reported laboratory beside the checkpoints.
fn write_laboratories(task: &Unet, rule: CellRule, places: &Places, device: Device) -> Result<()> {
    let (state, grids) = best(task, places, device)?;
    let table = task.table(&state.average, &grids, &rule)?;
    let file = places.checkpoints.join("laboratories.md");
    std::fs::write(&file, &table).with_context(|| format!("{}: cannot write", file.display()))?;
    log::info!("{}: frames of 64x64 of the pictures that are reported\n{table}", file.display());
    Ok(())
}

/// The best checkpoint and its grids.
fn best(task: &Unet, places: &Places, device: Device) -> Result<(State, Grids)> {
    let mut state = State::read(&best_file(&places.checkpoints), task.net(), device)?;
    let grids = state.grids.take().context("the best checkpoint is not quantized")?;
    Ok((state, grids))
}

/// The pictures of a left-out laboratory, without those that a training on it reports, on which nothing is chosen.
fn choosable(fields: &Division, name: &str) -> Vec<Field> {
    let is_choosable = |field: &&Field| field.source == name && Use::of(&field.name) != Use::Report;
    fields.reported.iter().filter(is_choosable).cloned().collect()
}

fn choose_separation(arguments: &SeparationArguments) -> Result<()> {
    let table = separation::choose(&arguments.files)?;
    std::io::stdout().write_all(table.as_bytes()).context("standard output: cannot write")
}

/// Pictures of the ten worst cells of the reported split, for inspection; they show the data set and stay out of models/.
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
    ensure_no_teacher(arguments, "found an ablation")?;
    let (settings, places) = (arguments.settings(unet::defaults()), arguments.places("ablation"));
    let device = device::pick(arguments.device)?;
    let division = division(arguments, &settings)?;
    ensure!(division.is_of_masks(), "{}: the ablation needs masks", places.data.display());
    let held_back = at_all_magnifications(&division.held_back);
    let fields = ablate::Fields { trained: &division.trained, held_back: &held_back, reported: &division.reported };
    let rows = ablate::ablate(fields, &settings, &places, device)?;
    ablate::write(&rows, &places.checkpoints)?;
    log::info!("{}:\n{}", places.checkpoints.join("ablation.md").display(), ablate::markdown(&rows));
    Ok(())
}

/// Magnifications at which the validation fields select: the segmenter must separate cells at each of them.
const HELD_BACK_MAGNIFICATIONS: [f64; 3] = [0.7, 1.0, 1.4];

fn at_all_magnifications(fields: &[Field]) -> Vec<Field> {
    if fields.iter().any(|field| !field.marks.is_empty()) {
        return fields.to_vec();
    }
    let pairs: Vec<(&Field, f64)> =
        HELD_BACK_MAGNIFICATIONS.iter().flat_map(|m| fields.iter().map(move |field| (field, *m))).collect();
    pairs.into_par_iter().map(|(field, m)| Window::magnified(field, m).field(field)).collect()
}

/// The pictures of laboratories that the rule is chosen on: also those trained on, as two numbers do not overfit.
fn labelled(division: &Division) -> Vec<Field> {
    let has_labels = |field: &&Field| !field.marks.is_empty();
    division.trained.iter().filter(has_labels).chain(&division.held_back).cloned().collect()
}

/// Frames of fields as the segmenter sees them, with their true cells.
fn measured(fields: &[Field], enlarged: &Enlarged, places: &Places) -> Result<Measured> {
    Measured::new(enlarged.replace(SampleSet::frames(fields)?, places)?, fields)
}

/// Trains (or reuses the best checkpoint), validates and exports; returns the rule of a segmenter.
fn finish(
    task: &dyn Task,
    arguments: &TrainArguments,
    settings: &Settings,
    places: &Places,
    fields: &Division,
    device: Device,
    (role, meaning): (Role, &str),
) -> Result<Option<CellRule>> {
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
        pitch: match fields.is_of_masks() {
            true => pitch::estimate(&fields.trained),
            false => pitch::of_laboratories(pitch::red_cell_lr_px(arguments.um_per_px)),
        },
        cells: task.cell_rule(&state.average, grids)?,
        training: Training {
            command: format!(
                "train-host {name} --seed {} --epochs {} --quantized-epochs {} --windows {} --batch {} --learning-rate {} --precision {}{}{}{}{}{}",
                settings.seed,
                settings.epochs,
                settings.quantized_epochs,
                settings.windows,
                settings.batch,
                settings.learning_rate,
                settings.precision.name(),
                if fields.is_of_masks() { String::new() } else { format!(" --rendered {}", arguments.rendered) },
                arguments.um_per_px.map(|um| format!(" --um-per-px {um}")).unwrap_or_default(),
                if settings.width == 1 { String::new() } else { format!(" --width {}", settings.width) },
                if settings.teacher.is_some() { " --teacher DIR" } else { "" },
                match (&arguments.leave_out_laboratory, arguments.leave_out_stain) {
                    (Some(name), _) => format!(" --leave-out-laboratory {name}"),
                    (None, Some(number)) => format!(" --leave-out-stain {number}"),
                    (None, None) => String::new(),
                }
            ),
            seed: settings.seed,
            epochs: settings.epochs,
            steps: settings.steps(),
            data: match &settings.teacher {
                Some(sha256) => format!("{}; labels also by the teacher with sha256 {sha256}", fields.describe()),
                None => fields.describe(),
            },
            licence: fields.licence().to_owned(),
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
        log::warn!("{}: no such file; no curves are drawn", log_file.display());
    }
    log::info!(
        "{}: {} bytes, {} parameters, {} MAC per tile; {:?}",
        places.models.join(&manifest.file).display(),
        manifest.size_bytes,
        manifest.training.parameters,
        manifest.training.macs,
        figures
    );
    Ok(about.cells)
}
