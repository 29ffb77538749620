//! Tables that a run adds to, and a later run may go on with.
//!
//! Rows are written whole, in one call, and a table of other columns is never touched. What a power cut left
//! of a row is cut off before anything is added.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::error::{Error, Result};

/// No row of a table is longer.
const LONGEST_ROW_BYTES: u64 = 64 * 1024;

/// A CSV file that only grows.
#[derive(Debug)]
pub struct AppendedTable {
    path: PathBuf,
    file: File,
}

impl AppendedTable {
    /// Opens or begins a table whose first line is `header`, without its line end.
    ///
    /// # Errors
    /// [`Error::Output`] when the file has another first line, or cannot be written.
    pub fn open(path: &Path, header: &str) -> Result<Self> {
        let failed = |e: std::io::Error| Error::output(path, e);
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut start = Vec::new();
        Read::by_ref(&mut file).take(LONGEST_ROW_BYTES).read_to_end(&mut start).map_err(failed)?;
        let wanted = format!("{header}\n");
        if start.starts_with(wanted.as_bytes()) {
            let whole = whole_rows(&mut file, length).map_err(failed)?;
            if whole < length {
                log::warn!("{}: the last row was cut off; it is left out", path.display());
                file.set_len(whole).map_err(failed)?;
            }
        } else if wanted.as_bytes().starts_with(&start) {
            // Empty, or cut off in its header.
            file.set_len(0).map_err(failed)?;
            file.write_all(wanted.as_bytes()).map_err(failed)?;
        } else {
            return Err(Error::output(path, "a table with other columns is there, and is left as it is"));
        }
        Ok(Self { path: path.to_owned(), file })
    }

    /// Adds whole rows, each with its line end.
    ///
    /// # Errors
    /// [`Error::Output`] when they cannot be written.
    pub fn add(&mut self, rows: &[u8]) -> Result<()> {
        self.file.write_all(rows).map_err(|e| Error::output(&self.path, e))
    }

    /// Brings what was added to the disk.
    ///
    /// # Errors
    /// [`Error::Output`] when it cannot be kept.
    pub fn keep(&self) -> Result<()> {
        self.file.sync_all().map_err(|e| Error::output(&self.path, e))
    }
}

/// Length of the file up to its last line end.
fn whole_rows(file: &mut File, length: u64) -> std::io::Result<u64> {
    let from = length.saturating_sub(LONGEST_ROW_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    Read::by_ref(file).take(LONGEST_ROW_BYTES).read_to_end(&mut tail)?;
    let end = tail.iter().rposition(|byte| *byte == b'\n');
    // Without a line end in reach it is no row of ours: nothing is cut.
    Ok(end.map_or(length, |end| from + end as u64 + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn after(before: Option<&str>) -> (Result<()>, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        if let Some(before) = before {
            std::fs::write(&path, before).unwrap();
        }
        let done = AppendedTable::open(&path, "a,b").and_then(|mut table| table.add(b"3,4\n"));
        (done, std::fs::read_to_string(path).unwrap())
    }

    #[test]
    fn a_table_is_begun_and_gone_on_with() {
        assert_eq!(after(None).1, "a,b\n3,4\n");
        assert_eq!(after(Some("")).1, "a,b\n3,4\n");
        assert_eq!(after(Some("a,b\n1,2\n")).1, "a,b\n1,2\n3,4\n");
    }

    #[test]
    fn what_was_cut_off_goes_and_whole_rows_stay() {
        assert_eq!(after(Some("a,b\n1,2\n5,")).1, "a,b\n1,2\n3,4\n");
        assert_eq!(after(Some("a,")).1, "a,b\n3,4\n");
    }

    #[test]
    fn another_table_is_left_as_it_is() {
        for other in ["a,b,c\n1,2,3\n", "b,a\n", "a,b;\n", "hello"] {
            let (done, text) = after(Some(other));
            assert_eq!(done.unwrap_err().exit_code(), 5);
            assert_eq!(text, other);
        }
    }
}
