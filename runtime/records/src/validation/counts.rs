//! A person's counts, and the program's counts of the same pictures.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    error::{Error, Result},
    limits::MAX_VALIDATION_BYTES,
    store::read::{Filter, Records},
};
use bloodseg_durable::open_plain;
use bloodseg_statistics::agreement::Pair;

/// A picture that a person counted.
#[derive(Debug, Clone, PartialEq)]
pub struct PersonCount {
    /// Its name, as in the records.
    pub image: String,
    /// Cells, without platelets.
    pub cells: f64,
}

/// A picture that both counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// Its name.
    pub image: String,
    /// Both counts.
    pub pair: Pair,
}

/// Reads a table with the columns `image` and `cells`.
///
/// # Errors
/// [`crate::error::ErrorKind::Vision`] for a file that is not such a table, naming the row.
pub fn read_counts(path: &Path) -> Result<Vec<PersonCount>> {
    let expected = "a CSV with the columns image and cells, a row per picture";
    let failed = |found: String| Error::input(path, found, expected, "");
    let size = fs::metadata(path).map_or(0, |file| file.len());
    if size > MAX_VALIDATION_BYTES {
        return Err(failed(format!("{size} bytes; at most {MAX_VALIDATION_BYTES} are read")));
    }
    let file = open_plain(path).map_err(|error| failed(error.to_string()))?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let headers = reader.headers().map_err(|error| failed(error.to_string()))?.clone();
    // A spreadsheet may write a byte order mark.
    let column = |name: &str| headers.iter().position(|header| header.trim_start_matches('\u{feff}') == name);
    let (Some(image), Some(cells)) = (column("image"), column("cells")) else {
        return Err(failed(format!("the columns {}", headers.iter().collect::<Vec<_>>().join(", "))));
    };
    let mut counts = Vec::new();
    for (row, record) in reader.records().enumerate() {
        let record = record.map_err(|error| failed(error.to_string()))?;
        let field = |at| record.get(at).unwrap_or_default();
        let number = field(cells).parse().ok().filter(|count: &f64| count.is_finite() && *count >= 0.0);
        let Some(cells) = number else {
            return Err(failed(format!(
                "row {}: {:?} in the column cells, not a number of 0 or more",
                row + 2,
                field(cells)
            )));
        };
        counts.push(PersonCount { image: field(image).to_owned(), cells });
    }
    Ok(counts)
}

/// The pictures that the records counted too, by the latest frame of each name; and the names that they did not.
///
/// # Errors
/// Those of the records.
pub fn matched(counts: &[PersonCount], records: &Records) -> Result<(Vec<Matched>, Vec<String>)> {
    let mut programs: BTreeMap<String, f64> = BTreeMap::new();
    records.frames::<Error>(&Filter::default(), |frame| {
        if frame.counted {
            programs.insert(frame.image.clone(), frame.cells as f64);
        }
        Ok(())
    })?;
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for PersonCount { image, cells } in counts {
        match programs.get(image) {
            Some(program) => {
                found.push(Matched { image: image.clone(), pair: Pair { program: *program, person: *cells } });
            }
            None => missing.push(image.clone()),
        }
    }
    Ok((found, missing))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn spreadsheet_tables_are_read_and_errors_name_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counts.csv");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            read_counts(&path)
        };
        let counts = read("\u{feff}image,who,cells\r\n\"a, b.png\",x, 12 \r\nc.png,y,0\r\n").unwrap();
        assert_eq!(
            counts.iter().map(|count| (count.image.as_str(), count.cells)).collect::<Vec<_>>(),
            [("a, b.png", 12.0), ("c.png", 0.0)]
        );
        for (text, wanted) in [
            ("picture,cells\na,1\n", "the columns picture, cells"),
            ("image,cells\na,1\nb,many\n", "row 3"),
            ("image,cells\na,-1\n", "row 2"),
            ("image,cells\na,NaN\n", "row 2"),
            ("image,cells\na\n", "record"),
            ("", "columns"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text:?}: {error}");
        }
    }
}
