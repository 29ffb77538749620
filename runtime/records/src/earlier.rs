//! The tables that an earlier call of `segment` left in a folder.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use crate::{cell_text::unguarded, frames, table};
use bloodseg_vision::error::{Error, Result};

/// The tables that exist in the folder.
pub fn tables(folder: &Path) -> Vec<PathBuf> {
    [table::TABLE, frames::TABLE].map(|name| folder.join(name)).into_iter().filter(|path| path.exists()).collect()
}

/// The names of the pictures in a table of frames.
///
/// # Errors
/// [`ErrorKind::Unwritable`](crate::error::ErrorKind::Unwritable) for a table that cannot be read, or is not one of
/// `segment`.
pub fn names(folder: &Path) -> Result<BTreeSet<String>> {
    let path = folder.join(frames::TABLE);
    let failed = |e: &dyn ToString| Error::output(&path, format!("the existing table: {}", e.to_string()));
    let mut reader = csv::Reader::from_path(&path).map_err(|e| failed(&e))?;
    if reader.headers().map_err(|e| failed(&e))?.iter().ne(frames::columns()) {
        return Err(failed(&"it has other columns"));
    }
    let name = |row: csv::Result<csv::StringRecord>| Ok(unguarded(row?.get(0).unwrap_or_default()).to_owned());
    reader.records().map(name).collect::<csv::Result<_>>().map_err(|e| failed(&e))
}

/// Copies a table with its header, which must be `columns`.
///
/// # Errors
/// Those of both files; a table with other columns, or with an incomplete last row.
pub fn copy(path: &Path, columns: &[&str], to: &mut impl Write) -> io::Result<()> {
    let mut from = BufReader::new(File::open(path)?);
    let mut header = String::new();
    from.by_ref().take(4096).read_line(&mut header)?;
    let fault = |words: &str| io::Error::new(ErrorKind::InvalidData, words);
    if header.trim_end_matches(['\r', '\n']) != columns.join(",") {
        return Err(fault("the existing table has other columns; --um-per-px adds some"));
    }
    to.write_all(header.as_bytes())?;
    let mut last = header.as_bytes().last().copied();
    loop {
        let bytes = from.fill_buf()?;
        let Some(&end) = bytes.last() else { break };
        to.write_all(bytes)?;
        last = Some(end);
        let length = bytes.len();
        from.consume(length);
    }
    if last == Some(b'\n') { Ok(()) } else { Err(fault("the existing table does not end with a whole row")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn table_is_copied_whole_or_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(frames::TABLE);
        assert!(tables(folder.path()).is_empty());
        let header = frames::columns().join(",");
        let scale = ",".repeat(frames::SCALE_COLUMNS.len() + frames::KIND_COLUMNS.len());
        let text = format!("{header}\n\"a, b.png\",,empty,,0,0,0,0{scale}\nc.png#2,3,good,1,0,0,0,0{scale}\n");
        std::fs::write(&path, &text).unwrap();
        assert_eq!(tables(folder.path()), std::slice::from_ref(&path));
        assert_eq!(names(folder.path()).unwrap(), BTreeSet::from(["a, b.png".into(), "c.png#2".into()]));
        let copied = |columns: &[&str]| {
            let mut to = Vec::new();
            copy(&path, columns, &mut to).map(|()| String::from_utf8(to).unwrap())
        };
        assert_eq!(copied(&frames::columns()).unwrap(), text);
        assert!(copied(&table::columns(true)).unwrap_err().to_string().contains("other columns"));
        std::fs::write(&path, &text[..text.len() - 1]).unwrap();
        assert!(copied(&frames::columns()).unwrap_err().to_string().contains("whole row"));
        std::fs::write(&path, "image,other\n").unwrap();
        assert_eq!(names(folder.path()).unwrap_err().kind(), bloodseg_vision::error::ErrorKind::Output);
    }
}
