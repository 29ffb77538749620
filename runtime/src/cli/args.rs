//! The arguments that all commands share; those of one command are in its own file.

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
};

const AFTER_HELP: &str = "\
Exit codes:
   0  all done
   2  the command line is wrong
   3  a picture or folder cannot be used (the others were still done)
   4  a model is missing, damaged, or does not fit
   5  a result cannot be written (the others were still done)
   6  the config file is wrong
   7  a source of frames is missing or broke
  70  a fault of bloodseg itself
 130  stopped by Ctrl-C or SIGTERM; tables hold what was done

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

/// Counts blood cells in low-resolution microscope frames.
///
/// Each 64x64 tile is super-resolved to 256x256 and segmented there; single cells come out with their measures.
/// Not a medical device.
#[derive(Debug, Parser)]
#[command(version, after_long_help = AFTER_HELP, arg_required_else_help = true)]
pub(super) struct Args {
    /// What to do
    #[command(subcommand)]
    pub(super) command: Command,

    /// Folder with ssr.onnx, ssr.toml, unet.onnx and unet.toml, instead of the built-in models
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) models: Option<PathBuf>,

    /// Folder of the two slots that `bloodseg models install` installs into, instead of the config's
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "models")]
    pub(super) slots: Option<PathBuf>,

    /// Config file; `bloodseg config print` shows one
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Say more on stderr; twice for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,

    /// Print warnings, errors and results alone: no progress, no line a frame
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
}

/// One variant a command.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Find the cells in pictures
    ///
    /// For `a.png` of W x H the results are a.sr.png (super-resolved), a.mask.png (0 or 255), a.labels.png (16 bit, one
    /// number a cell) and a.overlay.png (outlines), all of 4W x 4H, and for the call one cells.csv, with a row a cell,
    /// and one frames.csv, with a row a picture. A picture that is out of focus, empty, or badly exposed is reported as
    /// such, without cells. Pictures larger than 64x64 are cut into overlapping tiles, smaller ones are padded. A
    /// picture that cannot be used is reported and left out; the exit code is then 3.
    ///
    /// A cell that stands in the super-resolved picture but not in the input has `supported` false in cells.csv and is
    /// outlined in orange and hatched in the overlay, where others are green; the line of its picture counts them.
    ///
    /// With --shard I/N a call takes one of N parts of the pictures: the pictures of all shards may go into one --out,
    /// and the tables go into shards/I-of-N in it, from where `bloodseg merge` joins them. See docs/archive.md.
    Segment(SegmentArgs),
    /// Join the tables of `segment --shard` to what one call would have written
    ///
    /// cells.csv and frames.csv are the same bytes as those of one call over all pictures. Missing, double and damaged
    /// shards are refused, and so are shards of other pictures, models, versions or flags; what differs is named. Where
    /// pictures could not be used the exit code is 3, as with `segment`.
    Merge(MergeArgs),
    /// Analyse the frames of a source as they come: a camera, a folder, or `demo`
    Run(RunArgs),
    /// Write what a run recorded in the formats of other programs, also while it runs
    Export(ExportArgs),
    /// Write one HTML page about a run, to hand on: counts, sizes, pictures of cells, models, events
    Report(ReportArgs),
    /// Name the sample under the lens of a run, also while it runs, or print its name
    Sample(SampleCommand),
    /// Measure the models on fields with masks: every figure beside its baseline
    Eval(EvalArgs),
    /// Measure times and memory on this machine
    Bench(BenchArgs),
    /// Tell what a run will need of the memory, line by line
    Budget(BudgetArgs),
    /// List the cameras of this machine: formats, sizes, controls
    Cameras(CamerasArgs),
    /// Estimate the pitch of a source, um a pixel, from the size of its red cells
    Calibrate(CalibrateArgs),
    /// Measure the lamp's unevenness on an empty field, for a camera's `flatfield` in the config
    Flatfield(FlatFieldArgs),
    /// Install signed models into two slots, see what lies there, and go back
    Models(ModelsArgs),
    /// Check this machine: config, cameras, models, memory, disk, clock, service; and say what to do
    ///
    /// A line a check: `ok`, `look` (a run goes, but have a look), `FAULT` (it does not), or `none` (not checked). The exit
    /// code is that of the first fault, 0 without one. Cameras are opened and waited on for a frame; the folder of the
    /// results is written to and left as it was.
    Doctor(DoctorArgs),
    /// Show the commented default configuration, or check a config file
    Config(ConfigArgs),
    /// Print the manual page, or write a page for each command
    Man(ManArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_sound() {
        super::Args::command().debug_assert();
    }
}
