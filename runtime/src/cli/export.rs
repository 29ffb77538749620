//! `bloodseg export`: exports what a run recorded to formats of other programs.

use std::{
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Seek, Write, stdout},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};

use super::{print, recorded, session::Session};
use crate::error::{Error, Result};
use bloodseg_clock::utc;
use bloodseg_durable::AtomicFile;
use bloodseg_records::{
    export::{self, Coordinates, ExportError, Format, Table, export},
    limits::MAX_RECORD_BUFFER_BYTES,
    store::read::{Filter, Records},
};

/// Arguments of `export`.
///
/// Reads the records that `bloodseg run --out DIR` wrote, or is still writing, without changing anything. Lengths in
/// `_px` are pixels of the super-resolved picture, those that begin with `input_` are input pixels; `um_per_px` and
/// `um_per_sr_px` are the sizes of input and super-resolved pixels in micrometres. Values in micrometres are present if
/// the pitch is known.
///
/// csv has one row per cell (or per frame or sample, with --table); xlsx is a workbook for Excel with all three tables;
/// jsonl has one object per frame with its cells, including frames without cells; coco one object with images, boxes and
/// polygons; geojson polygons for QuPath; imagej-roi is a ZIP of polygons for ImageJ's ROI manager; fhir an R4 bundle with
/// one Observation per sample.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Folder of a run, or its records.sqlite; may be repeated to read several as one [default: the only folder with records
    /// in the results folder]
    #[arg(long, value_name = "DIR")]
    from: Vec<PathBuf>,

    /// Output format
    #[arg(long, value_enum)]
    format: Name,

    /// Rows of a csv
    #[arg(long, value_enum, value_name = "WHAT", default_value = "cells")]
    table: Rows,

    /// Output file, written atomically; `-` is stdout [default: stdout, except for imagej-roi and xlsx]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Only frames of one run: its number, or `last`
    #[arg(long, value_name = "RUN", default_value = "all", value_parser = which)]
    run: Which,

    /// Frames of the sample of this name alone
    #[arg(long, value_name = "ID")]
    sample: Option<String>,

    /// Only the frame with this number in its run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    frame: Option<i64>,

    /// Only frames from this time on, by the clock of the box: 2026-11-22, or 2026-11-22T17:30:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,

    /// Only frames before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,

    /// Coordinate system of geojson and imagej-roi
    #[arg(long, value_enum, value_name = "WHAT", default_value = "input")]
    coordinates: Places,

    /// An earlier name of `--coordinates sr`
    #[arg(long, hide = true, conflicts_with = "coordinates")]
    in_px: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Places {
    /// Pixels of the input, to overlay on the analysed picture
    Input,
    /// Pixels of the super-resolved picture, to overlay on NAME.sr.png
    Sr,
    /// Micrometres if the pitch is known, else pixels of the input; not available for imagej-roi
    Um,
}

/// Format names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    Csv,
    Jsonl,
    Coco,
    Geojson,
    ImagejRoi,
    Fhir,
    Xlsx,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rows {
    Cells,
    Frames,
    Samples,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    Last,
    One(i64),
}

fn which(text: &str) -> std::result::Result<Which, String> {
    match text {
        "all" => Ok(Which::All),
        "last" => Ok(Which::Last),
        number => {
            let one = number.parse().ok().filter(|number| *number > 0).map(Which::One);
            one.ok_or_else(|| "expected the number of a run, `last` or `all`".into())
        }
    }
}

fn time(text: &str) -> std::result::Result<i64, String> {
    utc::parse(text).ok_or_else(|| "expected a date like 2026-11-22, or a time like 2026-11-22T17:30:00Z".into())
}

/// Runs the command.
///
/// # Errors
/// [`ErrorKind::Input`](crate::error::ErrorKind::Input) for records that are missing or cannot be read,
/// [`ErrorKind::Output`](crate::error::ErrorKind::Output) for a file that cannot be written.
pub(super) fn run(session: &Session, args: &ExportArgs) -> Result<()> {
    let coordinates = match args.coordinates {
        _ if args.in_px => Coordinates::SuperResolved,
        Places::Input => Coordinates::Input,
        Places::Sr => Coordinates::SuperResolved,
        Places::Um => Coordinates::Micrometres,
    };
    let format = match args.format {
        Name::Csv => Format::Csv(match args.table {
            Rows::Cells => Table::Cells,
            Rows::Frames => Table::Frames,
            Rows::Samples => Table::Samples,
        }),
        Name::Jsonl => Format::Jsonl,
        Name::Coco => Format::Coco,
        Name::Geojson => Format::GeoJson(coordinates),
        Name::ImagejRoi => Format::ImagejRoi(coordinates),
        Name::Fhir => Format::Fhir,
        Name::Xlsx => Format::Xlsx,
    };
    let out = args.out.as_deref().filter(|out| *out != Path::new("-"));
    if matches!(format, Format::ImagejRoi(_) | Format::Xlsx) && args.out.is_none() {
        let (found, todo) = match format {
            Format::Xlsx => ("a workbook for a terminal", "Pass --out FILE.xlsx, or --out - for stdout"),
            _ => ("a ZIP for a terminal", "Pass --out FILE.zip, or --out - for stdout"),
        };
        return Err(Error::config("the command line", found, todo));
    }
    let records = Records::open_pooled(&recorded::folders(session, &args.from)?)?;
    recorded::warn_of_damage(&records);
    let run = run_number(&records, args.run)?;
    let filter =
        Filter { run, frame: args.frame, since_ms: args.since, until_ms: args.until, sample: args.sample.clone() };
    let (frames, _) = records.count(&filter)?;
    let bar = print::progress(usize::try_from(frames).unwrap_or(usize::MAX), "frames", session.quiet || out.is_none());
    let write = |to: &mut dyn Write| export(&records, &filter, format, to, &mut || bar.inc(1));
    let done = match out {
        None if format.holds_records() => write_by_way_of_a_file(write),
        None => write(&mut BufWriter::with_capacity(MAX_RECORD_BUFFER_BYTES as usize, stdout().lock())),
        Some(path) => {
            recorded::spare(path)?;
            let mut file = AtomicFile::create(path)?;
            write(&mut file).and_then(|()| Ok(file.commit()?))
        }
    };
    bar.finish_and_clear();
    match done {
        Err(ExportError::Records(error)) => Err(error.into()),
        // The reader closed the pipe and wants no more.
        Err(ExportError::Write(error)) if out.is_none() && error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(ExportError::Write(error)) => Err(Error::output(out.unwrap_or(Path::new("stdout")), error)),
        Ok(()) => Ok(()),
    }
}

/// Formats that keep a read transaction open while they are written go to an unnamed file first, because the reader of a
/// pipe may stall.
fn write_by_way_of_a_file(write: impl FnOnce(&mut dyn Write) -> export::Result<()>) -> export::Result<()> {
    let path = std::env::temp_dir().join(format!("bloodseg-export-{}", std::process::id()));
    let failed = |e: io::Error| ExportError::Records(bloodseg_records::error::Error::output(&path, e));
    let mut file = File::options().read(true).write(true).create_new(true).open(&path).map_err(failed)?;
    // It disappears with the process, however that ends.
    fs::remove_file(&path).map_err(failed)?;
    write(&mut BufWriter::with_capacity(MAX_RECORD_BUFFER_BYTES as usize, &mut file)).map_err(|error| match error {
        ExportError::Write(error) => failed(error),
        other => other,
    })?;
    file.rewind().map_err(failed)?;
    let mut out = stdout().lock();
    io::copy(&mut file, &mut out)?;
    Ok(out.flush()?)
}

/// The selected run.
fn run_number(records: &Records, which: Which) -> Result<Option<i64>> {
    let runs = records.runs()?;
    let missing = |found: String| {
        let expected =
            runs.map_or("a folder with a run".to_owned(), |(first, last)| format!("one of {first} to {last}"));
        Error::input(records.path(), found, expected, "")
    };
    match (which, runs) {
        (Which::All, _) => Ok(None),
        (Which::Last, Some((_, last))) => Ok(Some(last)),
        (Which::Last, None) => Err(missing("no run yet".into())),
        (Which::One(run), _) if records.has_run(run)? => Ok(Some(run)),
        (Which::One(run), _) => Err(missing(format!("no run {run}"))),
    }
}
