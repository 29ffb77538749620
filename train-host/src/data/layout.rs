//! The layout of a data set: `train_tmp|val_tmp|test_tmp / img|mask`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Trained on, and selected on by a held-back part of it.
    Train,
    /// Reported.
    Val,
}

impl Split {
    /// Name of its folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Train => "train_tmp",
            Self::Val => "val_tmp",
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
    let pictures = folder.join("img");
    let entries = std::fs::read_dir(&pictures).with_context(|| {
        format!(
            "{}: no such folder; expected --data to name a folder that holds {}/img and {}/mask (see data/README.md)",
            pictures.display(),
            split.folder(),
            split.folder()
        )
    })?;
    let mut pairs = Vec::new();
    for entry in entries {
        let picture = entry.with_context(|| format!("{}: cannot list", pictures.display()))?.path();
        let extension = picture.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        if !matches!(extension.as_str(), "png" | "jpg" | "jpeg") {
            log::warn!("{}: skipped, neither PNG nor JPEG", picture.display());
            continue;
        }
        let Some(name) = picture.file_stem().map(|s| s.to_string_lossy().into_owned()) else { continue };
        let mask = folder.join("mask").join(format!("{name}.png"));
        if !mask.is_file() {
            bail!("{}: no mask; expected {}", picture.display(), mask.display());
        }
        pairs.push(Pair { name, picture, mask });
    }
    if pairs.is_empty() {
        bail!("{}: no PNG or JPEG pictures in it", pictures.display());
    }
    pairs.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(twins) = pairs.windows(2).find(|w| w[0].name == w[1].name) {
        bail!("{}: two pictures share the name {}", pictures.display(), twins[0].name);
    }
    Ok(pairs)
}

/// Fields of the training split that are held back to choose the best epoch: every tenth.
///
/// The reported split is never looked at for a choice.
pub fn hold_back(pairs: Vec<Pair>) -> (Vec<Pair>, Vec<Pair>) {
    let (chosen, trained): (Vec<_>, Vec<_>) = pairs.into_iter().enumerate().partition(|(index, _)| index % 10 == 9);
    let strip = |pairs: Vec<(usize, Pair)>| pairs.into_iter().map(|(_, pair)| pair).collect();
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
    fn what_is_missing_is_named() {
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
        let pair = |n: usize| Pair { name: n.to_string(), picture: "p".into(), mask: "m".into() };
        let (trained, held_back) = hold_back((0..25).map(pair).collect());
        assert_eq!((trained.len(), held_back.len()), (23, 2));
        assert!(held_back.iter().all(|h| !trained.contains(h)));
    }
}
