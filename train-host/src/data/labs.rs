//! Laboratories with boxes or points: descriptions and pictures.
//!
//! ```text
//! DIR/NAME/img/STEM.png       any picture
//! DIR/NAME/labels/STEM.csv    kind,shape,x0,y0,x1,y1 in pixels of it
//! ```

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::{
    field::{Beyond, Field},
    layout::list_pictures,
    outlines::outlines,
};
use bloodseg_evaluate::marks::{self, Kind};
use bloodseg_vision::{
    frame::{decode::read_picture, limits::MAX_WHOLE_FIELD_PX},
    geometry::REFERENCE_LR_PX,
    model::golden::sha256,
};

/// Diameter of a red cell at the usual pitch of the models, in pixels of a 64x64 frame.
pub const RED_CELL_LR_PX: f64 = 5.46;

/// At the usual pitch, pictures are downscaled to red cells of this size, twice that of the models' finer grid, which makes
/// cutting windows many times as fast.
const WORKING_RED_CELL_PX: f64 = 44.0;

/// The descriptions of the laboratories in `data/README.md`.
const KNOWN: &str = include_str!("../../../data/labs.toml");

/// The description of a laboratory.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Laboratory {
    /// Edge of the box around a typical red cell, in pixels of its pictures.
    pub red_cell_px: f64,
    /// How much wider boxes are than cells.
    pub box_over_cell: f64,
    /// The labelled kinds.
    pub kinds: Vec<Kind>,
    /// Whether almost all cells of these kinds are labelled.
    pub complete: bool,
    /// Sampling weight.
    pub usual_share: f64,
    /// Licence of pictures and labels, with credits.
    pub licence: String,
}

/// A folder of laboratories.
#[derive(Debug)]
pub struct Laboratories {
    root: PathBuf,
    red_cell_lr_px: f64,
    known: BTreeMap<String, Laboratory>,
}

/// The purpose of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Training.
    Train,
    /// Selects the epoch and the rule.
    Choose,
    /// Reported.
    Report,
}

impl Use {
    /// By the name of the picture: a tenth selects, a tenth is reported.
    pub fn of(name: &str) -> Self {
        match u8::from_str_radix(&sha256(name.as_bytes())[..2], 16).unwrap_or(u8::MAX) {
            0..26 => Self::Choose,
            26..52 => Self::Report,
            _ => Self::Train,
        }
    }
}

impl Laboratories {
    /// Whether a folder contains laboratories rather than splits with masks.
    pub fn are_in(folder: &Path) -> bool {
        !folder.join("train_tmp").is_dir()
            && std::fs::read_dir(folder)
                .is_ok_and(|entries| entries.flatten().any(|entry| entry.path().join("labels").is_dir()))
    }

    /// Lists the laboratories of a folder, for models whose red cells are `red_cell_lr_px` wide in a 64x64 frame.
    ///
    /// # Errors
    /// A folder that cannot be read or has none, and an unknown laboratory.
    pub fn open(root: &Path, red_cell_lr_px: f64) -> Result<Self> {
        let own = root.join("labs.toml");
        let text = match own.is_file() {
            true => std::fs::read_to_string(&own).with_context(|| format!("{}: cannot read", own.display()))?,
            false => KNOWN.to_owned(),
        };
        let table: BTreeMap<String, Laboratory> =
            toml::from_str(&text).with_context(|| format!("{}: not a table of laboratories", own.display()))?;
        let mut known = BTreeMap::new();
        for entry in std::fs::read_dir(root).with_context(|| format!("{}: cannot list", root.display()))? {
            let path = entry.with_context(|| format!("{}: cannot list", root.display()))?.path();
            if !path.join("labels").is_dir() {
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(about) = table.get(&name) else {
                bail!(
                    "{}: an unknown laboratory; expected one of {:?}, or a section [{name}] in {}",
                    path.display(),
                    table.keys().collect::<Vec<_>>(),
                    own.display()
                );
            };
            ensure!(
                about.red_cell_px > red_cell_lr_px && about.box_over_cell > 0.0 && about.usual_share > 0.0,
                "{name}: expected red_cell_px above {red_cell_lr_px}, and box_over_cell and usual_share above 0"
            );
            known.insert(name, about.clone());
        }
        ensure!(!known.is_empty(), "{}: it contains no folder with img and labels", root.display());
        Ok(Self { root: root.to_owned(), red_cell_lr_px, known })
    }

    /// The laboratories by name.
    pub fn known(&self) -> &BTreeMap<String, Laboratory> {
        &self.known
    }

    /// The pictures of a laboratory, sorted.
    ///
    /// # Errors
    /// A folder that cannot be listed or is empty.
    pub fn pictures(&self, name: &str) -> Result<Vec<PathBuf>> {
        list_pictures(&self.root.join(name).join("img"))
    }

    /// Reads a picture of a laboratory with its labels, and outlines the cells.
    ///
    /// # Errors
    /// A picture that cannot be decoded, labels that are missing or invalid.
    pub fn read(&self, name: &str, file: &Path) -> Result<Field> {
        let about = self.known.get(name).with_context(|| format!("{name}: no such laboratory"))?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let marks = marks::read(&self.root.join(name).join("labels").join(format!("{stem}.csv")))?;
        let picture = read_picture(file, MAX_WHOLE_FIELD_PX)?;
        let (labels, classes) = outlines(&picture, &marks, about);
        let mut field = Field::of_labels(stem, name.to_owned(), picture, &labels, classes);
        field.frame_edge_px = f64::from(REFERENCE_LR_PX) * about.red_cell_px / self.red_cell_lr_px;
        field.beyond = Beyond::Repeat;
        field.share = about.usual_share;
        field.marks = marks;
        match WORKING_RED_CELL_PX * (self.red_cell_lr_px / RED_CELL_LR_PX) / about.red_cell_px {
            scale if scale < 1.0 => field.shrunk(scale),
            _ => Ok(field),
        }
    }
}
