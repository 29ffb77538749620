//! From command-line arguments to a list of pictures.

mod folders;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::error::{Error, Result};
use bloodseg_vision::{
    frame::decode::{self, EXTENSIONS},
    pictures,
};
use folders::Folders;

/// One picture to read: a file, or a page of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    /// The file.
    pub(super) path: PathBuf,
    /// Page of the file, from 0.
    pub(super) page: usize,
    /// Its name in tables and output: the path below the given folder, with `#2` for a second page.
    pub(super) name: String,
    /// Stem of its results, below the results folder.
    pub(super) stem: String,
}

/// A file, and its path below the given folder.
struct Found {
    path: PathBuf,
    below: PathBuf,
}

/// Files as given, folders as their pictures sorted by name, pages of a file in order. Skips names in folders that begin
/// with a dot, and results of bloodseg. Reads no folder twice, whatever links lead to it.
///
/// Two pictures that differ only in their extension keep it in the names of their results. So does one whose results
/// would overwrite those of a picture in `taken`, the names of an earlier call.
///
/// # Errors
/// [`ErrorKind::Input`](crate::error::ErrorKind::Input) for a folder that cannot be read or has no pictures, and for two
/// pictures of one name, whose results would overwrite each other.
pub(super) fn collect(named: &[PathBuf], recursive: bool, taken: &BTreeSet<String>) -> Result<Vec<Input>> {
    let (mut found, mut folders) = (Vec::new(), Folders::default());
    for path in named {
        if !path.is_dir() {
            let below = PathBuf::from(path.file_name().unwrap_or_default());
            found.push(Found { path: path.clone(), below });
            continue;
        }
        let before = found.len();
        let is_new = folders.read(path, recursive, &mut found)?;
        if is_new && found.len() == before {
            let todo = if recursive { "" } else { "Its own folders are read with --recursive" };
            let expected = format!("pictures: {}", EXTENSIONS.join(", "));
            return Err(Error::input(path, "a folder without pictures", expected, todo));
        }
    }
    let stems = stems(&found, taken)?;
    let pages = |(Found { path, below }, stem): (Found, String)| {
        let name = slashed(&below);
        (0..decode::pages(&path)).map(move |page| {
            let number = if page == 0 { String::new() } else { format!("#{}", page + 1) };
            Input { path: path.clone(), page, name: format!("{name}{number}"), stem: format!("{stem}{number}") }
        })
    };
    Ok(found.into_iter().zip(stems).flat_map(pages).collect())
}

/// Stems of the results, in the order of the pictures.
fn stems(found: &[Found], taken: &BTreeSet<String>) -> Result<Vec<String>> {
    // Some file systems are case-insensitive.
    let short = |name: &str| pictures::stem(name).to_lowercase();
    let names: Vec<String> = found.iter().map(|found| slashed(&found.below)).collect();
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let earlier = taken.iter().map(|name| name.split('#').next().unwrap_or_default());
    for name in earlier.chain(names.iter().map(String::as_str)) {
        known.entry(short(name)).or_default().insert(name.to_lowercase());
    }
    let mut by_stem: BTreeMap<String, &Path> = BTreeMap::new();
    let mut stems = Vec::with_capacity(found.len());
    for (name, Found { path, .. }) in names.iter().zip(found) {
        let collides = known.get(&short(name)).is_some_and(|names| names.len() > 1);
        let stem = if collides { name.clone() } else { pictures::stem(name).to_owned() };
        if let Some(other) = by_stem.insert(stem.to_lowercase(), path) {
            let found = format!("the same name as {}", other.display());
            let expected = "one picture a name, since results are named after it";
            return Err(Error::input(path, found, expected, "Rename one, or use two calls with an --out each"));
        }
        stems.push(stem);
    }
    Ok(stems)
}

/// A path below a folder, with the same separator on every system.
fn slashed(below: &Path) -> String {
    let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

/// Refuses results that would overwrite an input.
///
/// # Errors
/// [`ErrorKind::Input`](crate::error::ErrorKind::Input) naming the picture that would be lost.
pub(super) fn check_apart(inputs: &[Input], out: &Path) -> Result<()> {
    let read: BTreeSet<PathBuf> = inputs.iter().filter_map(|input| input.path.canonicalize().ok()).collect();
    let written = inputs.iter().flat_map(|input| pictures::paths(out, &input.stem));
    match written.filter_map(|path| path.canonicalize().ok()).find(|path| read.contains(path)) {
        None => Ok(()),
        Some(path) => Err(Error::input(
            &path,
            "an input that a result would overwrite",
            "results in another folder than the inputs",
            "Choose another folder with --out",
        )),
    }
}
