//! Splits laboratories whose pictures have boxes or points, with additional rendered fields.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use indicatif::ParallelProgressIterator;
use rayon::prelude::*;

use super::{Division, Entry, LeftOut, fields, thumbnails};
use crate::{
    data::{
        field::Field,
        labs::{Laboratories, RED_CELL_LR_PX, Use},
        layout::{Pair, list_pictures},
        near_duplicates::{Thumbnail, find},
        rendered,
    },
    progress,
};

/// The inputs of a division of laboratories.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The folder of the laboratories.
    pub data: &'a Path,
    /// A laboratory that is used neither for training nor for selection, and reported completely.
    pub leave_out: Option<&'a str>,
    /// Number of additional rendered training fields.
    pub rendered: u32,
    /// Their seed.
    pub seed: u64,
    /// A folder with img and mask whose fields are reported too.
    pub report: Option<&'a Path>,
    /// Diameter of a red cell at the models' pitch, in pixels of a 64x64 frame.
    pub red_cell_lr_px: f64,
}

impl Division {
    /// Reads all laboratories of a folder. By their names, a tenth of the pictures of each selects the epoch and a tenth
    /// is reported; near-duplicates of training pictures are used for training too.
    ///
    /// # Errors
    /// Errors of [`Laboratories`] and [`Field::read`], and a left-out laboratory that does not exist or is the only one.
    pub fn of_laboratories(request: &Request<'_>) -> Result<Self> {
        let laboratories = Laboratories::open(request.data, request.red_cell_lr_px)?;
        let names: Vec<&String> = laboratories.known().keys().collect();
        if let Some(name) = request.leave_out {
            ensure!(names.iter().any(|known| *known == name), "{name}: no such laboratory; expected one of {names:?}");
            ensure!(names.len() > 1, "{name}: the only laboratory; nothing would be left to train on");
        }
        let (mut trained, mut held_back, mut reported) = (Vec::new(), Vec::new(), Vec::new());
        for name in names {
            let entries = read(&laboratories, name)?;
            if request.leave_out == Some(name) {
                reported.extend(fields(entries));
                continue;
            }
            let mut parts = (Vec::new(), Vec::new(), Vec::new());
            for entry in entries {
                match Use::of(&entry.0.name) {
                    Use::Train => parts.0.push(entry),
                    Use::Choose => parts.1.push(entry),
                    Use::Report => parts.2.push(entry),
                }
            }
            move_twins(&mut parts.0, &mut parts.1);
            move_twins(&mut parts.0, &mut parts.2);
            move_twins(&mut parts.1, &mut parts.2);
            let [train, choose, report] = [parts.0.len(), parts.1.len(), parts.2.len()];
            log::info!("{name}: {train} pictures to train, {choose} held back, {report} reported");
            trained.extend(fields(parts.0));
            held_back.extend(fields(parts.1));
            reported.extend(fields(parts.2));
        }
        if trained.len() < 10 || held_back.is_empty() {
            bail!(
                "{}: {} pictures to train on and {} held back; expected at least 10 and 1",
                request.data.display(),
                trained.len(),
                held_back.len()
            );
        }
        // These fill a frame at the usual pitch.
        let frame = RED_CELL_LR_PX / request.red_cell_lr_px;
        let at_pitch = |field: Field| Field { frame_edge_px: field.frame_edge_px * frame, ..field };
        trained.extend(rendered::fields(request.rendered, request.seed).into_iter().map(at_pitch));
        if let Some(folder) = request.report {
            reported.extend(masks(folder)?.into_iter().map(at_pitch));
        }
        let left_out = request.leave_out.map_or(LeftOut::Nothing, |name| LeftOut::Laboratory(name.to_owned()));
        let licences = laboratories.known().iter().filter(|(name, _)| request.leave_out != Some(name));
        let licence = licences.map(|(name, about)| format!("{name}: {}", about.licence)).collect::<Vec<_>>().join("; ");
        Ok(Self { trained, held_back, reported, left_out, licence })
    }
}

/// All pictures of a laboratory.
fn read(laboratories: &Laboratories, name: &str) -> Result<Vec<Entry>> {
    let files = laboratories.pictures(name)?;
    let bar = progress::bar(files.len() as u64, name);
    let entry = |file: &std::path::PathBuf| {
        let field = laboratories.read(name, file)?;
        let thumbnail = Thumbnail::new(file.clone(), &field.picture);
        Ok((field, thumbnail))
    };
    files.par_iter().progress_with(bar).map(entry).collect()
}

/// Moves near-duplicates of pictures in `to` to it.
fn move_twins(to: &mut Vec<Entry>, from: &mut Vec<Entry>) {
    loop {
        let mut twins: Vec<usize> = find(&thumbnails(from), &thumbnails(to)).into_iter().map(|pair| pair.one).collect();
        twins.sort_unstable();
        twins.dedup();
        if twins.is_empty() {
            return;
        }
        for index in twins.into_iter().rev() {
            let moved = from.remove(index);
            log::debug!("{}: shows the same as a picture of another split, and goes there", moved.1.file.display());
            to.push(moved);
        }
    }
}

/// The fields of a folder with img and mask.
fn masks(folder: &Path) -> Result<Vec<Field>> {
    let pair = |picture: std::path::PathBuf| {
        let name = picture.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mask = folder.join("mask").join(format!("{name}.png"));
        Field::read(&Pair { name, picture, mask })
    };
    list_pictures(&folder.join("img"))?.into_par_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bloodseg_smear::{SmearSpec, render};

    use super::*;
    use crate::data::rendered::SOURCE;

    /// Two laboratories of `count` pictures with one labelled cell each, and their description.
    fn laboratories(count: u64) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let known = |name: &str| {
            format!(
                "[{name}]\nred_cell_px = 40.0\nbox_over_cell = 1.0\nkinds = [\"red\"]\ncomplete = false\nusual_share = 1.0\nlicence = \"of {name}\"\n"
            )
        };
        std::fs::write(root.path().join("labs.toml"), ["a", "b"].map(known).concat()).unwrap();
        for (name, seed) in [("a", 1), ("b", 1000)] {
            let folder = root.path().join(name);
            ["img", "labels"].iter().for_each(|part| std::fs::create_dir_all(folder.join(part)).unwrap());
            for index in 0..count {
                let picture = render(&SmearSpec::varied(260, 256, seed + index), seed + index).picture;
                picture.save(folder.join(format!("img/{index:02}.png"))).unwrap();
                let marks = "kind,shape,x0,y0,x1,y1\nred,box,100,100,140,140\n";
                std::fs::write(folder.join(format!("labels/{index:02}.csv")), marks).unwrap();
            }
        }
        root
    }

    fn divided(root: &Path, leave_out: Option<&str>) -> Result<Division> {
        let (rendered, seed, report, red_cell_lr_px) = (1, 1, None, RED_CELL_LR_PX);
        Division::of_laboratories(&Request { data: root, leave_out, rendered, seed, report, red_cell_lr_px })
    }

    #[test]
    fn pictures_are_split_by_name_and_laboratory_can_be_left_out() {
        let root = laboratories(30);
        assert!(Laboratories::are_in(root.path()));
        let whole = divided(root.path(), None).unwrap();
        assert_eq!(whole.trained.len() + whole.held_back.len() + whole.reported.len(), 61);
        assert!(whole.trained.iter().any(|field| field.source == SOURCE) && !whole.is_of_masks());
        assert!(whole.held_back.iter().all(|field| Use::of(&field.name) == Use::Choose && !field.marks.is_empty()));
        assert_eq!(whole.licence(), "a: of a; b: of b");
        let without = divided(root.path(), Some("b")).unwrap();
        assert_eq!(without.reported.iter().filter(|field| field.source == "b").count(), 30);
        assert!(without.trained.iter().chain(&without.held_back).all(|field| field.source != "b"));
        assert_eq!(without.licence(), "a: of a");
        assert!(without.reported_is().unwrap().contains("b, left out"));
    }

    #[test]
    fn frame_shows_half_as_much_at_half_the_pitch() {
        let (root, masks) = (laboratories(30), tempfile::tempdir().unwrap());
        bloodseg_smear::write_set(masks.path(), 1, 2, 256).unwrap();
        let edges = |red_cell_lr_px: f64| {
            let request = Request {
                data: root.path(),
                leave_out: None,
                rendered: 1,
                seed: 1,
                report: Some(masks.path()),
                red_cell_lr_px,
            };
            let Division { trained, reported, .. } = Division::of_laboratories(&request).unwrap();
            let edge = |field: &Field| field.frame_edge_px / f64::from(field.picture.width());
            trained.iter().chain(&reported).map(edge).collect::<Vec<_>>()
        };
        let (usual, finer) = (edges(RED_CELL_LR_PX), edges(2.0 * RED_CELL_LR_PX));
        assert_eq!(usual.len(), finer.len());
        for (usual, finer) in usual.iter().zip(&finer) {
            assert!((usual / finer - 2.0).abs() < 1e-6, "{usual} {finer}");
        }
    }

    #[test]
    fn unknown_or_incomplete_laboratories_are_rejected() {
        let root = laboratories(1);
        assert!(divided(root.path(), Some("c")).unwrap_err().to_string().contains("no such laboratory"));
        assert!(divided(root.path(), None).unwrap_err().to_string().contains("at least 10"));
        std::fs::create_dir_all(root.path().join("c/labels")).unwrap();
        assert!(divided(root.path(), None).unwrap_err().to_string().contains("unknown laboratory"));
        std::fs::remove_file(root.path().join("a/labels/00.csv")).unwrap();
        std::fs::remove_dir_all(root.path().join("c")).unwrap();
        assert!(format!("{:#}", divided(root.path(), None).unwrap_err()).contains("00.csv"));
    }
}
