//! The arguments shared by all commands; those of one command are in its own file.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::{
    bench::BenchArgs,
    budget::BudgetArgs,
    calibrate::CalibrateArgs,
    cameras::CamerasArgs,
    config::ConfigArgs,
    doctor::DoctorArgs,
    eval::EvalArgs,
    export::ExportArgs,
    flatfield::FlatFieldArgs,
    manual::{CompletionsArgs, ManArgs},
    merge::MergeArgs,
    models::ModelsArgs,
    report::ReportArgs,
    run::RunArgs,
    sample::SampleCommand,
    segment::SegmentArgs,
    validate::ValidateArgs,
};

const AFTER_HELP: &str = "\
Exit codes:
   0  success
   2  invalid command line
   3  a picture or folder cannot be used (the others were processed)
   4  a model is missing, damaged, or incompatible
   5  a result cannot be written (the others were)
   6  invalid config file
   7  a source of frames is missing or failed
  70  internal error
 130  stopped by Ctrl-C or SIGTERM; the tables hold what was processed

Examples:
  bloodseg segment smear.png --out results
  bloodseg segment frames/ --out results --um-per-px 2.0
  bloodseg segment sensor-frames/ --out results --as-is
  bloodseg segment archive/ --out results --shard 0/4
  bloodseg merge results
  bloodseg run demo
  bloodseg run frames/ --fps 5 --out results
  bloodseg export --from results --format jsonl | head
  bloodseg report latest --from results
  bloodseg cameras
  bloodseg doctor --config bloodseg.toml --out results
  bloodseg calibrate camera0
  bloodseg flatfield camera0 --out camera0.flat
  bloodseg run camera0 --config bloodseg.toml --out results
  bloodseg eval data/synth --out worst
  bloodseg bench --json
  bloodseg models install new.bloodseg --slots slots --key maker.pub
  bloodseg config print > bloodseg.toml";

/// Counts blood cells in frames of a low-cost microscope.
///
/// Each 64x64 tile is super-resolved to 256x256 and segmented, and every cell is reported with its measures. Not a
/// medical device.
#[derive(Debug, Parser)]
#[command(version, after_long_help = AFTER_HELP, arg_required_else_help = true)]
pub(super) struct Args {
    /// What to do
    #[command(subcommand)]
    pub(super) command: Command,

    /// Folder with ssr.onnx, ssr.toml, unet.onnx and unet.toml, instead of the built-in models
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) models: Option<PathBuf>,

    /// Slots folder that `bloodseg models install` installs to, instead of the config's
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "models")]
    pub(super) slots: Option<PathBuf>,

    /// Config file; `bloodseg config print` prints a template
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Print more on stderr; twice for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,

    /// Print only warnings, errors and results: no progress, no per-frame lines
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
}

/// One variant per command.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Count the cells in pictures
    ///
    /// For `a.png` of W x H the results are a.sr.png (super-resolved), a.mask.png (0 or 255), a.labels.png (16 bit, one
    /// number per cell), all of four times the size at which the picture is analysed, and a.overlay.png (outlines on the finer
    /// of the input and the super-resolved picture), and for the whole call cells.csv with one row per
    /// cell and frames.csv with one row per picture. A picture that is out of focus, empty, or badly exposed is reported
    /// as such and not counted. Pictures larger than 64x64 are cut into overlapping tiles, smaller ones are padded. A
    /// picture that cannot be used is reported and skipped; the exit code is then 3.
    ///
    /// A cell in the super-resolved picture that the input does not support has `supported` false in cells.csv. The
    /// overlay shows it orange and hatched, and the line of its picture counts it.
    ///
    /// With --shard I/N, a call processes one of N parts of the pictures. All shards may share one --out; their tables go
    /// to shards/I-of-N in it, and `bloodseg merge` joins them. See docs/archive.md.
    Segment(SegmentArgs),
    /// Join the tables of `segment --shard` into those of a single call
    ///
    /// cells.csv and frames.csv have the same bytes as those of a single call over all pictures. Missing, duplicate and
    /// damaged shards are refused, and so are shards with different pictures, models, versions or flags, with the
    /// difference. If pictures could not be used, the exit code is 3, as with `segment`.
    Merge(MergeArgs),
    /// Analyse the frames of a source continuously: a camera, a folder, or `demo`
    Run(RunArgs),
    /// Export what a run recorded to formats of other programs, also during the run
    Export(ExportArgs),
    /// Write an HTML report of a run: counts, sizes, pictures of cells, models, events
    Report(ReportArgs),
    /// Name the sample under the lens of a run, also while it runs, or print its name
    Sample(SampleCommand),
    /// Compare the program's counts with a person's counts of the same pictures, and make a correction of them
    Validate(ValidateArgs),
    /// Evaluate the models on fields with masks: all measures beside their baselines
    Eval(EvalArgs),
    /// Measure speed and memory on this machine
    Bench(BenchArgs),
    /// Compute the memory that a run needs, itemised
    Budget(BudgetArgs),
    /// List the cameras of this machine: formats, sizes, controls
    Cameras(CamerasArgs),
    /// Estimate the pitch of a source, in um per pixel, from the size of its red cells
    Calibrate(CalibrateArgs),
    /// Measure uneven illumination on an empty field, for a camera's `flatfield` in the config
    Flatfield(FlatFieldArgs),
    /// Install signed models into two slots, list them, and roll back
    Models(ModelsArgs),
    /// Check config, cameras, models, memory, disk, clock and service of this machine
    ///
    /// Prints one line per check: `ok`, `look` (a run works, but check this), `FAULT` (a run does not work), or `none`
    /// (not checked), with what to do. The exit code is that of the first fault, or 0. Opens each camera and waits for a
    /// frame; writes to the results folder and restores it.
    Doctor(DoctorArgs),
    /// Print the commented default config, or check a config file
    Config(ConfigArgs),
    /// Print the manual page, or write one page per command
    Man(ManArgs),
    /// Print shell completions
    Completions(CompletionsArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn arguments_are_valid() {
        super::Args::command().debug_assert();
    }
}
