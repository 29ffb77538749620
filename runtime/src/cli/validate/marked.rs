//! A person's counts from a folder of labels: one file per picture, of its name, with a mask, labels, boxes or points.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::error::{Error, Result};
use bloodseg_evaluate::marks::{self, Kind};
use bloodseg_records::{
    store::read::{Filter, Records},
    validation::PersonCount,
};
use bloodseg_vision::{
    frame::{
        components::components,
        decode::{looks_like_picture, read_labels},
        limits::MAX_WHOLE_FIELD_PX,
    },
    pictures,
};

/// Components of a mask with fewer pixels are specks.
const MIN_COMPONENT_PX: usize = 9;

/// Most files of a folder.
const MAX_FILES: usize = 100_000;

/// The counts of the files in `folder`, by the names that the records have for their pictures.
///
/// # Errors
/// [`ErrorKind::Input`](crate::error::ErrorKind::Input) for a folder without labels, an invalid file, and a name that
/// matches two pictures; those of the records.
pub(super) fn read(folder: &Path, records: &Records) -> Result<Vec<PersonCount>> {
    let names = names(records)?;
    let mut counts = Vec::new();
    for file in files(folder)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stem = pictures::stem(&name);
        let image = match names.get(stem).map(|images| images.iter().collect::<Vec<_>>()).as_deref() {
            Some([image]) => (*image).clone(),
            Some([one, other, ..]) => {
                let found = format!("the labels of {one} and of {other}");
                return Err(Error::input(&file, found, "pictures of different names", "Count them in two calls"));
            }
            // Reported as one that the program did not count.
            _ => name,
        };
        counts.push(PersonCount { image, cells: cells(&file)? as f64 });
    }
    Ok(counts)
}

/// The files with labels, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| Error::input(folder, error, "a folder of labels", "");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)?.take(MAX_FILES) {
        let path = entry.map_err(failed)?.path();
        let is_table = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        if path.is_file() && (is_table || looks_like_picture(&path)) {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        let expected = "NAME.csv with boxes or points, or NAME.png with a mask or labels, for each picture NAME";
        return Err(Error::input(folder, "no labels", expected, ""));
    }
    Ok(files)
}

/// Names of the pictures in the records, by their stems.
fn names(records: &Records) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    records.frames::<Error>(&Filter::default(), |frame| {
        let name = frame.image.rsplit('/').next().unwrap_or_default();
        names.entry(pictures::stem(name).to_owned()).or_default().insert(frame.image.clone());
        Ok(())
    })?;
    Ok(names)
}

/// Red and white cells in a file of labels.
fn cells(file: &Path) -> Result<usize> {
    if !looks_like_picture(file) {
        return Ok(marks::read(file)?.iter().filter(|mark| mark.kind != Kind::Platelet).count());
    }
    let labels = read_labels(file, MAX_WHOLE_FIELD_PX)?;
    let values: BTreeSet<u16> = labels.as_raw().iter().copied().filter(|value| *value != 0).collect();
    if values.len() != 1 {
        return Ok(values.len());
    }
    // A mask: each connected component is a cell.
    let components = components(&labels);
    let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
    components.as_raw().iter().filter(|label| **label != 0).for_each(|label| *sizes.entry(*label).or_default() += 1);
    Ok(sizes.values().filter(|size| **size >= MIN_COMPONENT_PX).count())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use image::{ImageBuffer, Luma, Rgb, RgbImage};

    use super::*;

    #[test]
    fn masks_labels_boxes_and_points_are_counted_without_platelets() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let of = |x: u32, y: u32| u16::try_from(1 + x / 8 + 4 * (y / 8)).unwrap_or_default();
        let is_cell = |x: u32, y: u32| x % 8 < 5 && y % 8 < 5;
        ImageBuffer::from_fn(32, 16, |x, y| Luma([if is_cell(x, y) { of(x, y) } else { 0 }]))
            .save(at("a.png"))
            .unwrap();
        let mut mask = RgbImage::from_fn(32, 16, |x, y| Rgb([if is_cell(x, y) { 255 } else { 0 }; 3]));
        mask.put_pixel(31, 15, Rgb([255; 3]));
        mask.save(at("b.png")).unwrap();
        fs::write(at("c.csv"), "kind,shape,x0,y0,x1,y1\nred,box,1,1,5,5\nwhite,point,3,4,,\nplatelet,point,9,9,,\n")
            .unwrap();
        RgbImage::new(8, 8).save(at("d.png")).unwrap();
        fs::write(at("notes.txt"), "x").unwrap();
        let counts: Vec<usize> = files(folder.path()).unwrap().iter().map(|file| cells(file).unwrap()).collect();
        assert_eq!(counts, [8, 8, 2, 0]);
        fs::write(at("e.png"), "no picture").unwrap();
        assert!(cells(&at("e.png")).is_err());
        assert!(files(&at("none")).is_err());
    }
}
