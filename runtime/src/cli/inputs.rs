//! What the user named becomes a list of pictures.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::error::{Error, Result};
use bloodseg_vision::{
    frame::decode::{EXTENSIONS, looks_like_picture},
    pictures,
};

/// One picture to be read, and the stem of what will be written for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) path: PathBuf,
    pub(super) stem: String,
}

/// Folders deeper than this are taken for a loop of links.
const MOST_FOLDERS_DEEP: usize = 16;

/// Files as they are named, folders as their pictures sorted by name; bloodseg's own results in them are left out.
///
/// # Errors
/// [`Error::Input`] for a folder that cannot be read or has no pictures, and for two pictures of one stem, whose
/// results would overwrite each other.
pub(super) fn collect(named: &[PathBuf], recursive: bool) -> Result<Vec<Input>> {
    let mut paths = Vec::new();
    for path in named {
        if !path.is_dir() {
            paths.push(path.clone());
            continue;
        }
        let before = paths.len();
        read_folder(path, recursive, 0, &mut paths)?;
        if paths.len() == before {
            let todo = if recursive { "" } else { "Its own folders are read with --recursive" };
            let expected = format!("pictures: {}", EXTENSIONS.join(", "));
            return Err(Error::input(path, "a folder without pictures", expected, todo));
        }
    }
    let mut taken: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut inputs = Vec::with_capacity(paths.len());
    for path in paths {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // Some file systems hold A.png and a.png for one.
        if let Some(other) = taken.insert(stem.to_lowercase(), path.clone()) {
            let found = format!("the same name as {}", other.display());
            let expected = "one picture a name, since results are named after it";
            return Err(Error::input(&path, found, expected, "Rename one, or use two calls with an --out each"));
        }
        inputs.push(Input { path, stem });
    }
    Ok(inputs)
}

fn read_folder(folder: &Path, recursive: bool, depth: usize, paths: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |e: std::io::Error| Error::input(folder, e, "a folder that can be read", "");
    let mut entries = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>())
        .map_err(failed)?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if recursive && depth < MOST_FOLDERS_DEEP {
                read_folder(&path, recursive, depth + 1, paths)?;
            }
        } else if looks_like_picture(&path) && !pictures::is_result(&path) {
            paths.push(path);
        }
    }
    Ok(())
}

/// Refuses results that would fall on an input.
///
/// # Errors
/// [`Error::Input`] naming the picture that would be lost.
pub(super) fn check_apart(inputs: &[Input], out: &Path) -> Result<()> {
    let read: BTreeSet<PathBuf> = inputs.iter().filter_map(|input| input.path.canonicalize().ok()).collect();
    let written = inputs.iter().flat_map(|input| pictures::paths(out, &input.stem));
    match written.filter_map(|path| path.canonicalize().ok()).find(|path| read.contains(path)) {
        None => Ok(()),
        Some(path) => Err(Error::input(
            &path,
            "an input that a result would overwrite",
            "results apart from inputs",
            "Choose another folder with --out",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        folder
    }

    fn stems(folder: &Path, recursive: bool) -> Vec<String> {
        collect(&[folder.to_owned()], recursive).unwrap().into_iter().map(|input| input.stem).collect()
    }

    #[test]
    fn a_folder_is_its_pictures_by_name() {
        let folder = folder(&["b.png", "a.JPG", "a.sr.png", "notes.txt", "sub/c.tif"]);
        assert_eq!(stems(folder.path(), false), ["a", "b"]);
        assert_eq!(stems(folder.path(), true), ["a", "b", "c"]);
    }

    #[test]
    fn a_folder_without_pictures_and_two_of_one_stem_are_refused() {
        let empty = folder(&["notes.txt"]);
        assert!(collect(&[empty.path().to_owned()], false).unwrap_err().to_string().contains("without pictures"));
        let twice = folder(&["x/a.png", "y/A.png"]);
        let error = collect(&[twice.path().to_owned()], true).unwrap_err().to_string();
        assert!(error.contains("the same name as") && error.contains("a.png") && error.contains("A.png"), "{error}");
    }

    #[test]
    fn a_file_is_taken_whatever_its_name() {
        assert_eq!(collect(&["x/a.dat".into()], false).unwrap()[0].stem, "a");
    }

    #[test]
    fn results_never_fall_on_inputs() {
        let folder = folder(&["a.png", "a.mask.png"]);
        let inputs = collect(&[folder.path().join("a.png"), folder.path().join("a.mask.png")], false).unwrap();
        assert!(check_apart(&inputs, folder.path()).is_err());
        assert!(check_apart(&inputs, &folder.path().join("out")).is_ok());
    }
}
