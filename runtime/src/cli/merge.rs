//! `bloodseg merge`: joins the tables of all shards.

use std::path::PathBuf;

use clap::Args;

use super::print;
use crate::error::{Error, Result};
use bloodseg_records::{
    frames,
    shard::merge::{self, Total},
    table,
};

const AFTER_HELP: &str = "\
Examples:
  bloodseg segment archive/ --out results --shard 0/2
  bloodseg segment archive/ --out results --shard 1/2
  bloodseg merge results

  bloodseg merge --out whole machine-a/results machine-b/results";

/// Arguments of `merge`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct MergeArgs {
    /// The --out of the shards: one folder shared by all, or several
    #[arg(required = true, value_name = "DIR")]
    shards: Vec<PathBuf>,

    /// Output folder for the joined tables, created if missing [default: the folder of the shards, if there is one]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// Those of [`merge::find`], [`merge::whole`] and [`merge::join`]; finally,
/// [`ErrorKind::Input`](crate::error::ErrorKind::Input) if shards had unusable pictures, as in `segment`.
pub(super) fn run(args: &MergeArgs) -> Result<()> {
    let shards = merge::whole(merge::find(&args.shards)?)?;
    let out = match (&args.out, args.shards.as_slice()) {
        (Some(out), _) => out.clone(),
        (None, [one]) => one.clone(),
        (None, _) => {
            return Err(Error::usage("several folders of shards, but no output folder", "Pass --out DIR"));
        }
    };
    std::fs::create_dir_all(&out).map_err(|e| Error::output(&out, e))?;
    let Total { shards, pictures, refused } = merge::join(&shards, &out)?;
    if refused < pictures {
        let (cells, frames) = (out.join(table::TABLE), out.join(frames::TABLE));
        print::line(format_args!("{shards} shards, {pictures} pictures: {}, {}", cells.display(), frames.display()));
    }
    match refused {
        0 => Ok(()),
        _ => Err(Error::unusable(&out, refused, pictures, "the warnings of their shards")),
    }
}
