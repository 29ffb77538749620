//! Where the results go, and what is already there.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{SegmentArgs, records};
use crate::cli::{inputs::Input, session::Session};
use crate::error::{Error, Result};
use bloodseg_records::{
    earlier,
    error::ErrorKind,
    frames,
    lock::FolderLock,
    shard::{self, Shard, mark::Mark},
    store, table,
};
use bloodseg_vision::pictures;

/// The folders of one call.
pub(super) struct Place {
    /// For the pictures.
    pub(super) out: PathBuf,
    /// For the tables: the same, or that of the shard.
    pub(super) tables: PathBuf,
    is_shard: bool,
    goes_on: bool,
    /// Shards share their folder, and write their own tables.
    _held: Option<FolderLock>,
}

impl Place {
    /// Creates the folders, and refuses those whose tables would be lost.
    ///
    /// # Errors
    /// [`ErrorKind::Output`](crate::error::ErrorKind::Output) for a folder that cannot be created, that another call is
    /// writing to, that holds records of a run, or that has tables when neither --force nor --append was given.
    pub(super) fn begin(session: &Session, args: &SegmentArgs) -> Result<Self> {
        // Before anything that can fail: a later search for a mark must not find one from an earlier call.
        if let (Some(shard), Some(out)) = (args.shard, args.out.as_ref().or(session.config.output.dir.as_ref())) {
            Mark::remove(&folder_of(shard, out))?;
        }
        let out = session.out(args.out.as_ref())?;
        let has_records = out.join(store::FILE).exists();
        if has_records && !records::are_of_calls(&out)? {
            return Err(Error::output(&out, "it holds the records of a run, whose tables have the same names"));
        }
        let held = if args.shard.is_none() { Some(hold(&out)?) } else { None };
        let tables = args.shard.map_or_else(|| out.clone(), |shard| folder_of(shard, &out));
        let there = if args.shard.is_some() { Vec::new() } else { earlier::tables(&out) };
        match there.as_slice() {
            // Something that is not a file causes an error when it is overwritten.
            [first, ..] if first.is_file() && !args.force && !args.append => {
                let found = "it has a table of an earlier call. --append adds to it, --force overwrites it";
                return Err(Error::output(first, found));
            }
            [one] if args.append => {
                return Err(Error::output(
                    one,
                    "the other table of the call before is missing, so nothing can be added",
                ));
            }
            _ => {}
        }
        // Left by a call that was killed, or about to be overwritten: tables exist only once a call has ended.
        if has_records && !args.append && args.shard.is_none() {
            records::remove(&out)?;
        }
        if args.shard.is_some() {
            std::fs::create_dir_all(&tables).map_err(|e| Error::output(&tables, e))?;
        }
        Ok(Self { out, tables, is_shard: args.shard.is_some(), goes_on: args.append && !there.is_empty(), _held: held })
    }

    /// The names of the pictures in the tables that this call adds to.
    ///
    /// # Errors
    /// [`ErrorKind::Output`](crate::error::ErrorKind::Output) for tables that cannot be read.
    pub(super) fn taken(&self) -> Result<BTreeSet<String>> {
        if self.goes_on { Ok(earlier::names(&self.tables)?) } else { Ok(BTreeSet::new()) }
    }

    /// Deletes unfinished files of calls that were killed. Shards share their folder with processes on other machines,
    /// which may still be running: there nothing is deleted.
    pub(super) fn sweep(&self, inputs: &[&Input]) {
        if self.is_shard {
            return;
        }
        let below = inputs.iter().filter_map(|input| Path::new(&input.stem).parent());
        for folder in below.chain([Path::new("")]).collect::<BTreeSet<_>>() {
            bloodseg_durable::sweep_dead(&self.out.join(folder), |name| {
                [table::TABLE, frames::TABLE].contains(&name) || pictures::is_result(Path::new(name))
            });
        }
    }
}

/// Keeps other calls and runs out of a folder: otherwise whichever ends last would replace the tables of the other.
fn hold(out: &Path) -> Result<FolderLock> {
    FolderLock::take(out).map_err(|error| match error.kind() {
        ErrorKind::Taken => {
            Error::output(out, "another call is writing to it. Wait until it ends, then add with --append")
        }
        _ => error.into(),
    })
}

/// Folder of a shard's tables.
fn folder_of(shard: Shard, out: &Path) -> PathBuf {
    out.join(shard::FOLDER).join(shard.folder())
}
