//! Joins the tables of all shards into those that one call over all pictures would have written, byte for byte.
//!
//! Each shard covers consecutive pictures of the list, so that its rows can be copied unchanged; memory does not grow
//! with the tables.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    FOLDER,
    mark::{FILE, Mark},
    sealed::hexadecimal,
};
use crate::{
    error::{Error, Result},
    frames,
    shard::limits::MAX_SHARDS,
    table,
};
use bloodseg_durable::AtomicFile;
use bloodseg_vision::model::limits::MAX_TEXT_BYTES;

/// Maximum number of missing shards that are named individually.
const NAMED: usize = 10;

/// A finished shard.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Folder of its tables.
    pub folder: PathBuf,
    /// What it did.
    pub mark: Mark,
}

/// What all shards did together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// Shards.
    pub shards: u32,
    /// Pictures that were divided.
    pub pictures: u64,
    /// Those that could not be used.
    pub refused: u64,
}

/// The shards in the named folders: results folders of shards, or folders of single shards.
///
/// # Errors
/// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) for a folder without shards, or with an unfinished one.
pub fn find(named: &[PathBuf]) -> Result<Vec<Finished>> {
    let mut found = Vec::new();
    for folder in named {
        let own = folder.join(FOLDER);
        let folders = match folder.join(FILE).exists() {
            true => vec![folder.clone()],
            false => folders_in(if own.is_dir() { &own } else { folder })?,
        };
        if folders.is_empty() {
            let todo = "Name the --out of `bloodseg segment --shard I/N`";
            return Err(Error::input(folder, "no shards", "a folder that shards wrote into", todo));
        }
        for folder in folders {
            let mark = Mark::read(&folder)?;
            found.push(Finished { folder, mark });
        }
        if found.len() > MAX_SHARDS as usize {
            return Err(Error::input(folder, "too many shards", format!("at most {MAX_SHARDS}"), ""));
        }
    }
    Ok(found)
}

/// Subfolders named like those of shards, sorted.
fn folders_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: io::Error| Error::input(folder, e, "a folder that shards wrote into", "");
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().replace("-of-", "/");
        if name.parse::<super::Shard>().is_ok() && path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// Sorts shards, and refuses those that are not one complete division of one list.
///
/// # Errors
/// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) naming what is missing, duplicate, or different, and
/// where.
pub fn whole(mut shards: Vec<Finished>) -> Result<Vec<Finished>> {
    shards.sort_by_key(|shard| shard.mark.shard.index);
    let Some(first) = shards.first() else {
        return Err(Error::input(Path::new(FOLDER), "no shards", "all shards of one division", ""));
    };
    let of = first.mark.shard.of;
    for other in &shards {
        let differs = |what: &str, found: &str, there: &str| {
            let expected = format!("{there} as in {}", first.folder.display());
            let todo = "Run the shards again with the same pictures, models and flags, or remove the folders that belong \
                        to another division";
            Error::input(&other.folder, format!("another run: {what} is {found}"), expected, todo)
        };
        if other.mark.shard.of != of {
            return Err(differs("the number of shards", &other.mark.shard.of.to_string(), &of.to_string()));
        }
        if let Some((what, there, found)) = first.mark.common.difference(&other.mark.common) {
            return Err(differs(what, &found, &there));
        }
    }
    for pair in shards.windows(2) {
        if let [one, two] = pair
            && one.mark.shard == two.mark.shard
        {
            let found = format!("shard {} once more, as in {}", two.mark.shard, one.folder.display());
            return Err(Error::input(&two.folder, found, "each shard once", "Leave one of the two out"));
        }
    }
    let mut there = shards.iter().map(|shard| shard.mark.shard.index).peekable();
    let missing: Vec<u32> = (0..of).filter(|index| there.next_if_eq(index).is_none()).collect();
    if missing.is_empty() {
        return Ok(shards);
    }
    let shown: Vec<String> = missing.iter().take(NAMED).map(|index| format!("{index}/{of}")).collect();
    let more = match missing.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let found = format!("{} of {of} shards are missing: {}{more}", missing.len(), shown.join(", "));
    Err(Error::input(&first.folder, found, "all shards", "Run them, and name their folders too"))
}

/// Joins the tables of a complete division into `out`. If no picture at all could be used none are written, as with a
/// single call.
///
/// # Errors
/// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) for a table that differs from what its shard wrote,
/// [`ErrorKind::Unwritable`](crate::error::ErrorKind::Unwritable); no table is then written.
pub fn join(shards: &[Finished], out: &Path) -> Result<Total> {
    let total = Total {
        shards: shards.len() as u32,
        pictures: shards.iter().map(|shard| shard.mark.pictures).sum(),
        refused: shards.iter().map(|shard| shard.mark.refused).sum(),
    };
    let place = out.canonicalize().map_err(|e| Error::output(out, e))?;
    if let Some(shard) = shards.iter().find(|shard| shard.folder.canonicalize().is_ok_and(|folder| folder == place)) {
        let todo = "Choose another folder with --out";
        return Err(Error::input(&shard.folder, "the folder of a shard", "a folder for the whole", todo));
    }
    if total.refused == total.pictures {
        return Ok(total);
    }
    let cells = joined(shards, out, table::TABLE, |mark| &mark.cells_sha256)?;
    let frames = joined(shards, out, frames::TABLE, |mark| &mark.frames_sha256)?;
    cells.commit()?;
    frames.commit()?;
    Ok(total)
}

fn joined(shards: &[Finished], out: &Path, name: &str, sealed: fn(&Mark) -> &str) -> Result<AtomicFile> {
    let target = out.join(name);
    let mut file = AtomicFile::create(&target)?;
    let mut header = Vec::new();
    for shard in shards {
        let path = shard.folder.join(name);
        let fault = |found: String| {
            Error::input(&path, found, "the table as its shard wrote it", "Copy it again, or run the shard again")
        };
        let mut table = BufReader::new(fs::File::open(&path).map_err(|e| fault(e.to_string()))?);
        let mut hash = Sha256::new();
        let mut own = Vec::new();
        (&mut table).take(MAX_TEXT_BYTES).read_until(b'\n', &mut own).map_err(|e| fault(e.to_string()))?;
        hash.update(&own);
        if header.is_empty() {
            file.write_all(&own).map_err(|e| Error::output(&target, e))?;
            header = own;
        } else if header != own {
            return Err(fault("other columns than the first shard's".into()));
        }
        loop {
            let bytes = table.fill_buf().map_err(|e| fault(e.to_string()))?;
            if bytes.is_empty() {
                break;
            }
            hash.update(bytes);
            file.write_all(bytes).map_err(|e| Error::output(&target, e))?;
            let taken = bytes.len();
            table.consume(taken);
        }
        if hexadecimal(hash) != sealed(&shard.mark) {
            return Err(fault("a table that was cut off or changed".into()));
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests;
