//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{
    device::DeviceChoice,
    recipe::settings::{Places, Precision, Settings},
};

/// Trains, quantizes and exports the models of bloodseg.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Print more; twice for everything.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    /// Print only errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train the super-resolution model, 64x64 to 256x256, and export models/ssr.onnx.
    Ssr(TrainArguments),
    /// Train the segmentation model on the output of models/ssr.onnx, and export models/unet.onnx.
    Unet(TrainArguments),
    /// Train segmenters on different pictures with the same settings, and write one table with the contribution of each
    /// part: nearest, bicubic, super-resolution in float and in int8, no super-resolution, with and without splitting of
    /// cells. Needs models/ssr.onnx. Finished trainings in --out are reused.
    Ablate(TrainArguments),
    /// Group the training fields by their stain, for --leave-out-stain; with -v also list their names.
    Stains(StainsArguments),
    /// Choose how touching cells are separated, from the separation.csv of trainings that left out one laboratory each;
    /// prints a table.
    Separation(SeparationArguments),
    /// Draw the training targets of the pictures of laboratories: cells in the colour of their kind, ignored pixels
    /// darkened.
    Outlines(OutlinesArguments),
    /// Render synthetic smear fields with exact masks and labels, as a data set.
    Synth(SynthArguments),
}

/// Flags of `stains`.
#[derive(Debug, Args)]
pub struct StainsArguments {
    /// Data set: a folder with train_tmp, which contains img and mask.
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub data: PathBuf,
}

/// Arguments of `separation`.
#[derive(Debug, Args)]
pub struct SeparationArguments {
    /// The separation.csv of each training, of at least two laboratories.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Flags of `outlines`.
#[derive(Debug, Args)]
pub struct OutlinesArguments {
    /// Data set: a folder of laboratories, each with img and labels.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Output folder: one PNG per picture, in one folder per laboratory.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Number of pictures per laboratory.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub count: usize,
}

/// Flags of `synth`.
#[derive(Debug, Args)]
pub struct SynthArguments {
    /// Output folder for img, mask and labels.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Number of fields to render.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub count: u32,
    /// Seed: the same seed gives the same fields.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Edge of a field in pixels, 256 to 4096.
    #[arg(long, value_name = "PX", default_value_t = 640)]
    pub size: u32,
}

/// Flags of both trainings. Omitted flags have the recipe's defaults.
#[derive(Debug, Args)]
pub struct TrainArguments {
    /// Data set: a folder of laboratories, each with img and labels, or one with train_tmp and val_tmp, each with img and
    /// mask; see data/README.md.
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub data: PathBuf,
    /// Number of rendered fields to train on in addition to laboratories.
    #[arg(long, value_name = "N", default_value_t = 160)]
    pub rendered: u32,
    /// With laboratories: a folder with img and mask whose fields are only reported.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// With laboratories: the pitch of the models' input in micrometres per pixel, 0.69 to 2.8 [default: 1.374]. The default
    /// folders are then named after it.
    #[arg(long, value_name = "UM", value_parser = pitch)]
    pub um_per_px: Option<f64>,
    /// Use the pictures of this laboratory neither for training nor for validation, and report all of them. The default
    /// folders are then named after it.
    #[arg(long, value_name = "NAME", conflicts_with = "leave_out_stain")]
    pub leave_out_laboratory: Option<String>,
    /// Use the fields of this stain neither for training nor for validation, and report them instead of val_tmp;
    /// `train-host stains` lists the numbers. The default folders are then named after it.
    #[arg(long, value_name = "N")]
    pub leave_out_stain: Option<usize>,
    /// For segmenters on laboratories: a folder of models of a finer pitch, which label what people did not and give half of
    /// the depth.
    #[arg(long, value_name = "DIR")]
    pub teacher: Option<PathBuf>,
    /// For segmenters on laboratories: so many times the usual channels, 1 to 4, for a teacher [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4))]
    pub width: Option<u32>,
    /// Folder of the checkpoints and the log [default: ssr_model_checkpoints or unet_model_checkpoints].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Folder of the exported models [default: models].
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// Folder for generated training data, which may be deleted at any time [default: cache in --out].
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Resume after the last checkpoint of --out.
    #[arg(long)]
    pub resume: bool,
    /// Do not train: export the best checkpoint of --out again.
    #[arg(long, conflicts_with = "resume")]
    pub export_only: bool,
    /// Device for computation.
    #[arg(long, value_enum, default_value = "auto")]
    pub device: DeviceChoice,
    /// Seed for everything random.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Total number of epochs.
    #[arg(long, value_name = "N")]
    pub epochs: Option<u32>,
    /// Number of final epochs with quantization-aware training [default: a quarter].
    #[arg(long, value_name = "N")]
    pub quantized_epochs: Option<u32>,
    /// Number of random training windows; each epoch uses each once.
    #[arg(long, value_name = "N")]
    pub windows: Option<usize>,
    /// Samples per step.
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Greatest learning rate.
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f64>,
    /// Precision of the convolutions in training steps.
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
}

impl TrainArguments {
    /// The recipe's defaults, overridden by the flags.
    pub fn settings(&self, defaults: Settings) -> Settings {
        let epochs = self.epochs.unwrap_or(defaults.epochs);
        let quarter = if self.epochs.is_some() { epochs.div_ceil(4) } else { defaults.quantized_epochs };
        Settings {
            seed: self.seed.unwrap_or(defaults.seed),
            epochs,
            quantized_epochs: self.quantized_epochs.unwrap_or(quarter),
            windows: self.windows.unwrap_or(defaults.windows),
            batch: self.batch.unwrap_or(defaults.batch),
            learning_rate: self.learning_rate.unwrap_or(defaults.learning_rate),
            precision: self.precision.unwrap_or(defaults.precision),
            width: self.width.unwrap_or(defaults.width),
            ..defaults
        }
    }

    /// The folders, with the default names for the model `name`.
    pub fn places(&self, name: &str) -> Places {
        // Models trained with data left out or for another pitch are for measurements; a separate folder prevents shipping
        // them by mistake.
        let pitch = self.um_per_px.map(|um| format!("_at_{um}_um")).unwrap_or_default();
        let without = match (&self.leave_out_laboratory, self.leave_out_stain) {
            (Some(name), _) => format!("_without_{name}"),
            (None, Some(number)) => format!("_without_stain_{number}"),
            (None, None) => String::new(),
        };
        let or_named = |given: &Option<PathBuf>, name: String| given.clone().unwrap_or_else(|| PathBuf::from(name));
        let checkpoints = or_named(&self.out, format!("{name}_model_checkpoints{without}{pitch}"));
        Places {
            data: self.data.clone(),
            cache: self.cache.clone().unwrap_or_else(|| checkpoints.join("cache")),
            checkpoints,
            models: or_named(&self.models, format!("models{without}{pitch}")),
        }
    }
}

/// Pitches in micrometres: super-resolution is trained on windows of half to twice the usual one.
const PITCHES_UM: std::ops::RangeInclusive<f64> = 0.69..=2.8;

fn pitch(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(um) if PITCHES_UM.contains(&um) => Ok(um),
        _ => Err(format!("expected {} to {} micrometres per pixel", PITCHES_UM.start(), PITCHES_UM.end())),
    }
}

impl Arguments {
    /// Starts the log on standard error; RUST_LOG overrides the flags.
    pub fn start_log(&self) {
        let level = match (self.quiet, self.verbose) {
            (true, _) => "error",
            (_, 0) => "info",
            (_, 1) => "debug",
            _ => "trace",
        };
        env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(level)).format_target(false).init();
    }
}
