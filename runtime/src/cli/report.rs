//! `bloodseg report`: one HTML page about a run.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{print, recorded, session::Session};
use crate::error::{Error, Result};
use bloodseg_durable::AtomicFile;
use bloodseg_records::{
    export::ExportError,
    report::{self, Scope},
    store::{about::RunRow, read::Records},
    validation::Validation,
};

/// Most runs listed in a message.
pub(super) const MAX_NAMED_RUNS: usize = 16;

/// Arguments of `report`.
///
/// Writes one self-contained HTML file: counts, histogram of diameters, counts and quality over time, pictures of typical
/// and odd cells, verdicts, calibration, models and events of a run. It has no script, loads nothing, follows the
/// reader's light or dark setting, and can be printed. Also works during the run, with the records so far. The same
/// records give the same file.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Number of the run in the records, or `latest`
    #[arg(value_name = "RUN", default_value = "latest", value_parser = which)]
    run: Which,

    /// Report all frames of the sample of this name, from however many calls and runs
    #[arg(long, value_name = "ID", conflicts_with = "run")]
    sample: Option<String>,

    /// Folder of a run, or its records.sqlite; may be repeated to read several as one [default: the only folder with records
    /// in the results folder]
    #[arg(long, value_name = "DIR")]
    from: Vec<PathBuf>,

    /// A file of `bloodseg validate`: the cells per field are also given as a person would have counted them
    #[arg(long, value_name = "FILE")]
    correct: Option<PathBuf>,

    /// Output file, written atomically [default: report-RUN.html]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Latest,
    One(i64),
}

fn which(text: &str) -> std::result::Result<Which, String> {
    match text {
        // `export` calls it `last`.
        "latest" | "last" => Ok(Which::Latest),
        number => {
            let one = number.parse().ok().filter(|number| *number > 0).map(Which::One);
            one.ok_or_else(|| "expected the number of a run, or `latest`".into())
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`ErrorKind::Input`](crate::error::ErrorKind::Input) for records that are missing or cannot be read,
/// [`ErrorKind::Output`](crate::error::ErrorKind::Output) for a file that cannot be written or exists.
pub(super) fn run(session: &Session, args: &ReportArgs) -> Result<()> {
    let validation = args.correct.as_deref().map(Validation::read).transpose()?;
    let records = Records::open_pooled(&recorded::folders(session, &args.from)?)?;
    recorded::warn_of_damage(&records);
    let mut scope = match &args.sample {
        Some(name) => of_sample(&records, name)?,
        None => Scope::of_run(&records, wanted(&records, args.run)?)?,
    };
    scope.validation = validation;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("report-{}.html", file_part(&scope))));
    refuse_what_is_there(&out, args.force)?;
    let (frames, _) = records.count(&scope.filter)?;
    let bar = print::progress(usize::try_from(frames).unwrap_or(usize::MAX), "frames", session.quiet);
    let mut file = AtomicFile::create(&out)?;
    let done = report::write(&records, &scope, &mut file, &mut || bar.inc(1));
    bar.finish_and_clear();
    let written = done.map_err(|error| match error {
        ExportError::Records(error) => error.into(),
        ExportError::Write(error) => Error::output(&out, error),
    })?;
    file.commit()?;
    if !session.quiet {
        let report::Written { frames, cells, shown } = written;
        let path = out.display();
        let what = match &args.sample {
            Some(name) => format!("sample {name}"),
            None => format!("run {}", scope.run.id),
        };
        print::line(format_args!("report   {path}: {what}, {frames} frames, {cells} cells, {shown} of them shown"));
    }
    Ok(())
}

/// The part of the file name that identifies the page: the number of the run, or the sample with characters that every
/// file system accepts.
fn file_part(scope: &Scope) -> String {
    match &scope.filter.sample {
        None => scope.run.id.to_string(),
        Some(name) => name.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect(),
    }
}

/// All frames of a sample.
fn of_sample(records: &Records, name: &str) -> Result<Scope> {
    if let Some(scope) = Scope::of_sample(records, name)? {
        return Ok(scope);
    }
    let names = records.sample_names(MAX_NAMED_RUNS)?;
    let expected = match names.is_empty() {
        true => "records of a run with --sample".to_owned(),
        false => format!("one of {}", names.join(", ")),
    };
    Err(Error::input(records.path(), format!("no sample {name}"), expected, ""))
}

/// The selected run.
fn wanted(records: &Records, which: Which) -> Result<RunRow> {
    let (number, found) = match which {
        Which::One(number) => (Some(number), format!("no run {number}")),
        Which::Latest => (records.runs()?.map(|(_, last)| last), "no run yet".into()),
    };
    if let Some(run) = number.map(|number| records.run(number)).transpose()?.flatten() {
        return Ok(run);
    }
    let (runs, all) = records.latest_runs(MAX_NAMED_RUNS)?;
    let names: Vec<String> = runs.iter().map(i64::to_string).collect();
    let earlier = all.saturating_sub(runs.len() as u64);
    let expected = match (runs.is_empty(), earlier) {
        (true, _) => "a folder with a run".into(),
        (false, 0) => format!("one of {}", names.join(", ")),
        (false, earlier) => format!("one of {}, or of {earlier} earlier ones", names.join(", ")),
    };
    Err(Error::input(records.path(), found, expected, ""))
}

fn refuse_what_is_there(out: &Path, force: bool) -> Result<()> {
    match out.symlink_metadata() {
        Ok(there) if there.is_dir() => Err(Error::output(out, "the path is a folder")),
        Ok(_) if force => recorded::spare(out),
        Ok(_) => Err(Error::output(out, "the file exists; pass --force to overwrite it")),
        _ => Ok(()),
    }
}
