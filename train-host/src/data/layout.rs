//! The layout of a data set: `train_tmp|val_tmp|test_tmp / img|mask`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// For training, and a part of it for validation.
    Train,
    /// Reported.
    Val,
    /// For independent evaluation; only read to ensure that none of it is in another split.
    Test,
}

impl Split {
    /// Name of its folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Train => "train_tmp",
            Self::Val => "val_tmp",
            Self::Test => "test_tmp",
        }
    }
}

/// A picture and its mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Stem of both files.
    pub name: String,
    /// The picture.
    pub picture: PathBuf,
    /// The mask.
    pub mask: PathBuf,
}

/// All pairs of a split, sorted by name.
///
/// # Errors
/// A missing folder, a split without pictures, or a picture without a mask.
pub fn pairs(data: &Path, split: Split) -> Result<Vec<Pair>> {
    let folder = data.join(split.folder());
    let mut pairs = Vec::new();
    for picture in pictures(data, split)? {
        let Some(name) = picture.file_stem().map(|s| s.to_string_lossy().into_owned()) else { continue };
        let mask = folder.join("mask").join(format!("{name}.png"));
        if !mask.is_file() {
            bail!("{}: no mask; expected {}", picture.display(), mask.display());
        }
        pairs.push(Pair { name, picture, mask });
    }
    pairs.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(twins) = pairs.windows(2).find(|w| w[0].name == w[1].name) {
        bail!("{}: two pictures share the name {}", folder.join("img").display(), twins[0].name);
    }
    Ok(pairs)
}

/// All pictures of a split, with or without masks, sorted.
///
/// # Errors
/// A missing folder, or a split without pictures.
pub fn pictures(data: &Path, split: Split) -> Result<Vec<PathBuf>> {
    list_pictures(&data.join(split.folder()).join("img")).with_context(|| {
        let folder = split.folder();
        format!("expected --data to name a folder that holds {folder}/img and {folder}/mask (see data/README.md)")
    })
}

/// All pictures of a folder, sorted.
///
/// # Errors
/// A folder that cannot be listed or has no pictures.
pub fn list_pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{}: no such folder", folder.display()))?;
    let mut pictures = Vec::new();
    for entry in entries {
        let picture = entry.with_context(|| format!("{}: cannot list", folder.display()))?.path();
        let extension = picture.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        if matches!(extension.as_str(), "png" | "jpg" | "jpeg") {
            pictures.push(picture);
        } else {
            log::warn!("{}: skipped, neither PNG nor JPEG", picture.display());
        }
    }
    if pictures.is_empty() {
        bail!("{}: no PNG or JPEG pictures in it", folder.display());
    }
    pictures.sort();
    Ok(pictures)
}

/// Fields of the training split used for validation: every tenth.
///
/// The reported split is never used for selection.
pub fn hold_back<T>(fields: Vec<T>) -> (Vec<T>, Vec<T>) {
    let (chosen, trained): (Vec<_>, Vec<_>) = fields.into_iter().enumerate().partition(|(index, _)| index % 10 == 9);
    let strip = |fields: Vec<(usize, T)>| fields.into_iter().map(|(_, field)| field).collect();
    (strip(trained), strip(chosen))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn touch(root: &Path, files: &[&str]) {
        for file in files {
            let file = root.join("train_tmp").join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, b"x").unwrap();
        }
    }

    #[test]
    fn pairs_are_found_by_stem_and_sorted() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["img/b.jpg", "img/a.PNG", "img/notes.txt", "mask/a.png", "mask/b.png"]);
        let names: Vec<String> = pairs(root.path(), Split::Train).unwrap().into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn missing_or_ambiguous_files_are_named() {
        let root = tempfile::tempdir().unwrap();
        let say = |root: &Path| format!("{:#}", pairs(root, Split::Train).unwrap_err());
        assert!(say(root.path()).contains("--data"));
        touch(root.path(), &["img/a.png"]);
        assert!(say(root.path()).contains("no mask"));
        touch(root.path(), &["img/a.jpg", "mask/a.png"]);
        assert!(say(root.path()).contains("share the name"));
    }

    #[test]
    fn every_tenth_field_is_held_back() {
        let (trained, held_back) = hold_back((0..25).collect());
        assert_eq!((trained.len(), held_back.len()), (23, 2));
        assert!(held_back.iter().all(|h| !trained.contains(h)));
    }
}
