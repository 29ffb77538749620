//! A folder of fields: `img/NAME.png` or `.jpg` beside `mask/NAME.png`, at full resolution.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use image::{GrayImage, RgbImage};

use crate::measures::truth;
use bloodseg_vision::{
    cells::Labels,
    error::{Error, Result},
    frame::{
        decode::{looks_like_picture, read_mask, read_picture},
        limits::MAX_WHOLE_FIELD_PX,
        reference::{mask_hr, mask_square, prepare},
    },
    geometry::REFERENCE_HR_PX,
};

const LAYOUT: &str = "a folder with img/NAME.png (or .jpg) and mask/NAME.png";

/// Files of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Stem of both files.
    pub name: String,
    /// The picture.
    pub picture: PathBuf,
    /// The mask.
    pub mask: PathBuf,
}

/// The fields of a folder, sorted by name; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSet(Vec<Pair>);

/// A field after the reference preparation.
#[derive(Debug, Clone)]
pub struct EvalField {
    /// Stem of its files.
    pub name: String,
    /// 64x64: the input of the models.
    pub lr: RgbImage,
    /// 256x256: the reference for super-resolution.
    pub hr: RgbImage,
    /// The mask resized to 256x256, levels 0..=255; foreground is above 127.
    pub mask: GrayImage,
    /// The true instances on the grid of 256x256; see [`truth`].
    pub truth: Labels,
    /// True instances at the mask's own size.
    pub annotated_cells: u32,
}

impl FieldSet {
    /// Lists a folder. Files in `img/` without a picture's extension are skipped.
    ///
    /// # Errors
    /// [`Error::Input`] if a folder is missing or has no pictures, if a picture has no mask, or if two pictures share a
    /// stem.
    pub fn open(folder: &Path) -> Result<Self> {
        let (pictures, masks) = (folder.join("img"), folder.join("mask"));
        if !folder.is_dir() {
            let found = if folder.exists() { "a file" } else { "no such folder" };
            return Err(Error::input(folder, found, LAYOUT, ""));
        }
        for part in [&pictures, &masks] {
            if !part.is_dir() {
                return Err(Error::input(part, "no such folder", LAYOUT, split_inside(folder)));
            }
        }
        let failed = |e: std::io::Error| Error::input(&pictures, e, LAYOUT, "");
        let mut by_name: BTreeMap<String, PathBuf> = BTreeMap::new();
        for entry in std::fs::read_dir(&pictures).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if hidden || !looks_like_picture(&path) {
                continue;
            }
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(other) = by_name.insert(name, path.clone()) {
                let found = format!("the same name as {}", other.display());
                return Err(Error::input(&path, found, "one picture a mask", "Remove or rename one of them"));
            }
        }
        if by_name.is_empty() {
            return Err(Error::input(&pictures, "a folder without pictures", LAYOUT, ""));
        }
        let with_mask = |(name, picture): (String, PathBuf)| {
            let mut mask = picture.file_stem().unwrap_or_default().to_owned();
            mask.push(".png");
            let mask = masks.join(mask);
            if !mask.is_file() {
                let todo = format!("Add the mask of {}, or remove the picture", picture.display());
                return Err(Error::input(&mask, "no such file", "a mask for every picture", todo));
            }
            Ok(Pair { name, picture, mask })
        };
        Ok(Self(by_name.into_iter().map(with_mask).collect::<Result<_>>()?))
    }

    /// The fields, sorted by name.
    pub fn pairs(&self) -> &[Pair] {
        &self.0
    }

    /// The field of that name.
    pub fn pair(&self, name: &str) -> Option<&Pair> {
        self.0.iter().find(|pair| pair.name == name)
    }
}

/// What to do if the user named the folder of the splits instead of a split.
fn split_inside(folder: &Path) -> String {
    let inside = ["test_tmp", "val_tmp", "train_tmp"].map(|split| folder.join(split));
    match inside.iter().find(|split| split.join("img").is_dir()) {
        Some(split) => format!("Name a split, such as {}", split.display()),
        None => String::new(),
    }
}

impl Pair {
    /// Reads the two files and prepares them.
    ///
    /// # Errors
    /// [`Error::Input`] if one cannot be read, is smaller than 256x256, or the two differ in size.
    pub fn load(&self) -> Result<EvalField> {
        let (picture, mask) = self.read()?;
        self.prepare(&picture, &mask)
    }

    /// Reads the two files.
    ///
    /// # Errors
    /// As [`Pair::load`].
    pub fn read(&self) -> Result<(RgbImage, GrayImage)> {
        let picture = read_picture(&self.picture, MAX_WHOLE_FIELD_PX)?;
        let mask = read_mask(&self.mask)?;
        let size = |(width, height): (u32, u32)| format!("{width}x{height} pixels");
        if picture.width().min(picture.height()) < REFERENCE_HR_PX {
            let expected = format!("at least {REFERENCE_HR_PX}x{REFERENCE_HR_PX}, a field at full resolution");
            return Err(Error::input(&self.picture, size(picture.dimensions()), expected, ""));
        }
        if picture.dimensions() != mask.dimensions() {
            let expected = format!("{}, as its picture has", size(picture.dimensions()));
            return Err(Error::input(&self.mask, size(mask.dimensions()), expected, ""));
        }
        Ok((picture, mask))
    }

    /// Prepares a picture and its mask of the same size: those of the files, or a part of them.
    ///
    /// # Errors
    /// [`Error::Input`] for a mask with too many instances.
    pub fn prepare(&self, picture: &RgbImage, mask: &GrayImage) -> Result<EvalField> {
        let field = prepare(picture).map_err(|e| e.at(&self.picture))?;
        let square = mask_square(mask);
        let instances = truth::instances(&square)?;
        Ok(EvalField {
            name: self.name.clone(),
            lr: field.lr,
            hr: field.hr,
            mask: mask_hr(&square)?,
            truth: truth::sample(&instances, REFERENCE_HR_PX),
            annotated_cells: truth::count(&instances),
        })
    }
}
