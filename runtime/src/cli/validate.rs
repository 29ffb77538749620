//! `bloodseg validate`: the program's counts against a person's counts of the same pictures.

mod marked;

use std::{io::BufWriter, path::PathBuf};

use clap::Args;

use super::{print, recorded, session::Session};
use crate::error::{Error, Result};
use bloodseg_durable::AtomicFile;
use bloodseg_records::{
    store::read::Records,
    validation::{Validation, matched, read_counts, write_page},
};
use bloodseg_statistics::agreement::Estimate;

/// Most names of pictures in a message.
const MAX_NAMED: usize = 3;

/// Arguments of `validate`.
///
/// COUNTS is a table with the columns `image` and `cells`: names as in the records, and the person's number of red and white cells;
/// or a folder with labels, a file named like each picture: a mask (each connected area is a cell), a label picture (each value
/// is a cell), or a CSV of boxes and points (kind,shape,x0,y0,x1,y1). At least 40 pictures that both counted are needed. Writes the agreement (slope and offset with their covariance, bias and limits of
/// agreement) to a JSON file, which `segment --correct` takes, and as a page.
#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// The person's counts: a CSV, or a folder with labels
    #[arg(value_name = "COUNTS")]
    counts: PathBuf,

    /// Folder of a run or a call that counted the same pictures [default: the only folder with records in the results folder]
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,

    /// Output file; the page has the same name and ends in .html
    #[arg(long, value_name = "FILE", default_value = "validation.json")]
    out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// [`ErrorKind::Input`](crate::error::ErrorKind::Input) for counts that cannot be used or are too few,
/// [`ErrorKind::Output`](crate::error::ErrorKind::Output) for files that cannot be written.
pub(super) fn run(session: &Session, args: &ValidateArgs) -> Result<()> {
    let records = Records::open_checked(&recorded::folder(session, args.from.as_deref())?)?;
    recorded::warn_of_damage(&records);
    let counts = if args.counts.is_dir() { marked::read(&args.counts, &records)? } else { read_counts(&args.counts)? };
    let (found, missing) = matched(&counts, &records)?;
    if found.is_empty() && !counts.is_empty() {
        let none = format!("none of its {} pictures was counted by the program", counts.len());
        return Err(Error::input(
            &args.counts,
            none,
            "names as in the records",
            "Compare its names with the column `image` of frames.csv",
        ));
    }
    if !missing.is_empty() {
        let named: Vec<&str> = missing.iter().take(MAX_NAMED).map(String::as_str).collect();
        let more = if missing.len() > named.len() { ", ..." } else { "" };
        print::warning(format_args!(
            "{}: {} of {} pictures were not counted by the program: {}{more}",
            args.counts.display(),
            missing.len(),
            counts.len(),
            named.join(", ")
        ));
    }
    let models = models(&records)?;
    let validation = Validation::of(&found, models)
        .map_err(|error| Error::input(&args.counts, error.to_string(), "a person's counts of the same pictures", ""))?;
    validation.write(&args.out)?;
    let page = args.out.with_extension("html");
    let mut file = AtomicFile::create(&page)?;
    write_page(&mut BufWriter::new(&mut file), &validation, &found, missing.len())
        .map_err(|error| Error::output(&page, error))?;
    file.commit()?;
    let agreement = &validation.agreement;
    let [lower, upper] = agreement.limits;
    let words = |figure: Estimate, decimals: usize| {
        format!(
            "{:.decimals$} ({:.decimals$} to {:.decimals$})",
            figure.value, figure.interval.low, figure.interval.high
        )
    };
    print::line(format_args!(
        "{} pictures: person = {} + {} x program; bias (program minus person) {} cells, limits of agreement {:.1} to {:.1}",
        agreement.pairs,
        words(agreement.offset, 1),
        words(agreement.slope, 3),
        words(agreement.bias, 1),
        lower.value,
        upper.value
    ));
    print::line(format_args!("{}, {}", args.out.display(), page.display()));
    Ok(())
}

/// Hashes of the models of the latest run in the records.
fn models(records: &Records) -> Result<Vec<String>> {
    let Some((_, last)) = records.runs()? else { return Ok(Vec::new()) };
    Ok(records.models(last)?.into_iter().map(|model| model.sha256).collect())
}
