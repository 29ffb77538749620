//! The log of a run: one CSV row per epoch.

use std::path::Path;

use anyhow::{Context, Result};

/// Writes the rows of all epochs so far, atomically. The columns are those of the first row.
pub fn write(file: &Path, rows: &[Vec<(String, String)>]) -> Result<()> {
    let partial = file.with_extension("partial");
    let mut writer =
        csv::Writer::from_path(&partial).with_context(|| format!("{}: cannot write", partial.display()))?;
    if let Some(first) = rows.first() {
        writer.write_record(first.iter().map(|(name, _)| name))?;
    }
    for row in rows {
        writer.write_record(row.iter().map(|(_, value)| value))?;
    }
    writer.flush()?;
    std::fs::rename(&partial, file).with_context(|| format!("{}: cannot rename", partial.display()))
}

/// Reads the rows of the first `epochs` epochs.
pub fn read(file: &Path, epochs: u32) -> Result<Vec<Vec<(String, String)>>> {
    let mut reader = csv::Reader::from_path(file).with_context(|| format!("{}: cannot read", file.display()))?;
    let header = reader.headers()?.clone();
    reader
        .records()
        .take(epochs as usize)
        .map(|record| Ok(header.iter().map(str::to_owned).zip(record?.iter().map(str::to_owned)).collect()))
        .collect()
}
