//! `bloodseg segment`: pictures in, cells out.

mod lanes;
mod lines;
mod picture;
mod place;
mod records;
mod scales;
mod stdin;
mod tables;
mod totals;
mod warnings;
mod work;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::{
    corrections,
    inputs::{self, Input},
    print,
    sample::SampleArgs,
    session::Session,
    signals::{self, STOPPED},
};
use crate::{
    config,
    error::{Error, ErrorKind, Result},
};
use bloodseg_records::{
    shard::{
        Shard,
        mark::{Common, Inputs, Mark, ModelMark},
    },
    validation::Validation,
};
use bloodseg_vision::{geometry::PITCHES_UM, model::store::Models};
use picture::{Grid, How};
use place::Place;
use records::CallRecords;
use stdin::WithStdin;
use tables::Tables;
use totals::Answer;
use work::Work;

/// Arguments of `segment`.
#[derive(Debug, Args)]
pub(super) struct SegmentArgs {
    /// Pictures (PNG, JPEG, TIFF, BMP; 8 or 16 bit) or folders of them; each page of a TIFF is a picture. `-` is a picture
    /// on standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,

    /// Results folder; created if missing
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Size of one pixel of the input in the specimen, in micrometres. Pictures are resized to the scale of the models
    /// accordingly; without it, by what their files say, or by the size of their red cells
    #[arg(long, value_name = "UM", value_parser = pitch_um, allow_negative_numbers = true)]
    um_per_px: Option<f64>,

    /// First shrink each picture: its centre square to 64x64, for fields at full resolution
    #[arg(long)]
    whole_field: bool,

    /// Use the pictures unchanged: they are sensor frames at the pitch of the models
    #[arg(long, conflicts_with = "whole_field")]
    as_is: bool,

    /// Also read subfolders; results go to subfolders of the same names
    #[arg(long)]
    recursive: bool,

    /// Also count cells in pictures that are out of focus, empty, or badly exposed
    #[arg(long)]
    any_quality: bool,

    /// Write tables and records only, no pictures
    #[arg(long)]
    no_pictures: bool,

    /// Print one JSON object per picture instead of a line: the object of `export --format jsonl`, or `image` and `error`
    #[arg(long, conflicts_with = "shard")]
    json: bool,

    #[command(flatten)]
    sample: SampleArgs,

    /// A file of `bloodseg validate`: the count per field is also given as a person would have counted it
    #[arg(long, value_name = "FILE", conflicts_with = "shard")]
    correct: Option<PathBuf>,

    /// Bits used in 16-bit samples, for cameras with 10, 12 or 14 bits
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=16))]
    bits: Option<u32>,

    /// Overwrite the tables of an earlier call
    #[arg(long, conflicts_with_all = ["append", "shard"])]
    force: bool,

    /// Add to the tables of an earlier call; pictures already in them are refused
    #[arg(long, conflicts_with = "shard")]
    append: bool,

    /// Process only part I of N of the pictures, with I from 0 to N - 1, such as 0/4; `bloodseg merge` joins the tables
    #[arg(long, value_name = "I/N", allow_hyphen_values = true)]
    shard: Option<Shard>,
}

pub(super) fn above_zero(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("expected a number above 0".into()),
    }
}

pub(super) fn pitch_um(text: &str) -> std::result::Result<f64, String> {
    text.parse()
        .ok()
        .filter(|um| PITCHES_UM.contains(um))
        .ok_or_else(|| format!("expected {} micrometres", config::pitches()))
}

/// Runs the command. Pictures that cannot be used and results that cannot be written are reported and skipped; the rest
/// is processed, and the tables hold everything that was processed, also after Ctrl-C.
///
/// # Errors
/// At the end, that results are missing, or that pictures could not be used; errors about models or tables immediately.
pub(super) fn run(session: &Session, args: &SegmentArgs) -> Result<ExitCode> {
    let given = args.correct.as_deref().map(Validation::read).transpose()?;
    let place = Place::begin(session, args)?;
    let contents = session.contents()?;
    let validation = given.or_else(|| corrections::of_running(contents.validation.as_deref()));
    let models = &contents.models;
    let taken = place.taken()?;
    let with_stdin = WithStdin::of(&args.inputs, std::io::stdin().lock(), &std::env::temp_dir())?;
    let inputs = inputs::collect(&with_stdin.inputs, args.recursive, &taken)?;
    if !args.no_pictures {
        inputs::check_apart(&inputs, &place.out)?;
    }
    let um_per_px = args.um_per_px.or(session.config.optics.um_per_px);

    // All pictures are listed and checked, so that every shard refuses what a single call would have refused.
    let (all, with_um) = (inputs.as_slice(), um_per_px.is_some() || args.how().grid == Grid::Scaled);
    let part = args.shard.map_or(0..inputs.len(), |shard| shard.range(inputs.len()));
    let common = args.shard.map(|_| common(models, args, &inputs, um_per_px)).transpose()?;
    let inputs = all.get(part).unwrap_or_default();
    let (there, new): (Vec<&Input>, Vec<&Input>) = inputs.iter().partition(|input| taken.contains(&input.name));
    place.sweep(&new);
    let mut tables = Tables::begin(&place.tables, with_um, !taken.is_empty())?;
    let stop = signals::stop_on_signals()?;
    let mut work = Work::begin(session, models, args, um_per_px, inputs.len())?;
    // Shards may run on machines that share only a network folder, where SQLite is unreliable.
    if args.shard.is_none() {
        work.records = Some(CallRecords::begin(session, models, args, um_per_px, &place.out)?);
    }
    work.find_scale(all, &stop)?;
    there.iter().for_each(|input| work.left_out(input, in_the_tables(input)));
    let worked = work.through(&new, &place.out, &mut tables, &stop);
    // Also if the call was stopped.
    work.warnings.end();

    let (pictures, refused) = (inputs.len() as u64, work.refused.len() as u64);
    // A shard's tables may be empty because they are only a part. Without its mark, a shard is not finished. Tables with
    // write errors are incomplete.
    if (args.shard.is_some() || work.done > 0)
        && worked.as_ref().err().is_none_or(|error| error.kind() != ErrorKind::Output)
    {
        let [cells_sha256, frames_sha256] = tables.end()?;
        if let Some((shard, common)) = args.shard.zip(common)
            && worked.is_ok()
            && !stop.is_raised()
        {
            Mark { shard, common, pictures, refused, cells_sha256, frames_sha256 }.write(&place.tables)?;
        }
    }
    let how = if stop.is_raised() { "stopped" } else { "all pictures are done" };
    let recorded = work.records.take().map_or(Ok(()), |records| records.end(how, &place.out));
    if args.shard.is_none() && !args.append && work.done == 0 {
        records::remove(&place.out)?;
    }
    worked.and(recorded)?;
    if args.shard.is_none() {
        totals(models, &work, validation.as_ref(), &place.out, args.append)?;
    }
    if stop.is_raised() {
        let done = work.done;
        print::problem(format_args!(
            "stopped: {done} of {pictures} pictures are done and in the tables; --append continues"
        ));
        return Ok(ExitCode::from(STOPPED));
    }
    work.outcome(&place.out, inputs.len()).map(|()| ExitCode::SUCCESS)
}

/// Prints and saves the totals of the call. With --append the pictures of earlier calls are missing from them, so they
/// are not saved.
fn totals(models: &Models, work: &Work, validation: Option<&Validation>, out: &Path, appended: bool) -> Result<()> {
    let summary = work.seen.count().summary();
    let corrected = summary.and_then(|summary| Some(validation?.correct(&summary, &corrections::sha256(models))));
    let is_printed = !work.json && (work.done > 1 || corrected.is_some());
    if let Some(summary) = summary.as_ref().filter(|_| is_printed) {
        print::line(summary.text("picture"));
        if let Some(corrected) = &corrected {
            print::line(corrected.text());
        }
    }
    if let Some(summary) = summary.filter(|_| !appended) {
        return totals::write(&Answer { summary, corrected }, out);
    }
    // A summary left by an earlier call would be taken for this one's.
    match std::fs::remove_file(out.join(totals::FILE)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::output(&out.join(totals::FILE), e)),
        _ => Ok(()),
    }
}

fn in_the_tables(input: &Input) -> Error {
    let found = format!("{} is already in the tables", input.name);
    Error::input(&input.path, found, "a picture that is not", "Begin new tables with --force or in another folder")
}

/// What the tables of a shard depend on.
fn common(models: &Models, args: &SegmentArgs, inputs: &[Input], um_per_px: Option<f64>) -> Result<Common> {
    Ok(Common {
        version: concat!(env!("CARGO_PKG_VERSION"), "+", env!("BLOODSEG_SOURCES")).to_owned(),
        inputs: Inputs::of(inputs.iter().map(|input| input.path.as_path())),
        ssr: ModelMark::of(&models.ssr)?,
        unet: ModelMark::of(&models.unet)?,
        um_per_px,
        whole_field: args.whole_field,
        as_is: args.as_is,
        any_quality: args.any_quality,
        bits: args.bits,
    })
}

impl SegmentArgs {
    /// How its pictures are read.
    fn how(&self) -> How {
        let grid = match (self.whole_field, self.as_is) {
            (true, _) => Grid::WholeField,
            (false, true) => Grid::AsIs,
            (false, false) => Grid::Scaled,
        };
        How { grid, bits: self.bits }
    }
}
