//! `shard.json`: what a shard did, and everything that its tables depend on. It is written last, so that a folder with
//! one holds a finished shard.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Shard, sealed::hexadecimal};
use crate::error::{Error, Result};
use bloodseg_durable::AtomicFile;
use bloodseg_vision::{
    error::Cause,
    model::{golden, limits::MAX_TEXT_BYTES, store},
};

/// Name of the file in the folder of a shard's tables.
pub const FILE: &str = "shard.json";

/// What a shard did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Which shard.
    pub shard: Shard,
    /// What must be the same in all shards.
    pub common: Common,
    /// Pictures of this shard.
    pub pictures: u64,
    /// Those of them that could not be used.
    pub refused: u64,
    /// SHA-256 of its table of cells.
    pub cells_sha256: String,
    /// SHA-256 of its table of frames.
    pub frames_sha256: String,
}

/// Everything that decides what the tables contain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Common {
    /// Version of the software, and a hash of the sources it was built from: builds of one version may differ.
    pub version: String,
    /// The list of pictures that was divided.
    pub inputs: Inputs,
    /// The super-resolution network.
    pub ssr: ModelMark,
    /// The segmentation network.
    pub unet: ModelMark,
    /// `--um-per-px`, or from the config.
    pub um_per_px: Option<f64>,
    /// `--whole-field`
    pub whole_field: bool,
    /// `--as-is`
    #[serde(default)]
    pub as_is: bool,
    /// `--any-quality`
    pub any_quality: bool,
    /// `--bits`
    #[serde(default)]
    pub bits: Option<u32>,
}

/// Identifies a list of pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// How many.
    pub count: u64,
    /// SHA-256 over the names and sizes in order, without the folders, which two machines may call differently.
    pub sha256: String,
}

impl Inputs {
    /// The list of these pictures, in the order in which they are analysed.
    pub fn of<'a>(paths: impl Iterator<Item = &'a Path>) -> Self {
        let (mut hash, mut count) = (Sha256::new(), 0);
        for path in paths {
            hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
            // No name has a zero byte; a missing file has another mark than an empty file.
            let size = fs::metadata(path).map_or_else(|_| "none".to_owned(), |known| known.len().to_string());
            hash.update(format!("\0{size}\0"));
            count += 1;
        }
        Self { count, sha256: hexadecimal(hash) }
    }
}

/// Identifies a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelMark {
    /// Its version.
    pub version: String,
    /// SHA-256 of the ONNX file.
    pub onnx_sha256: String,
    /// SHA-256 of its manifest, which holds the rule for extracting cells.
    pub manifest_sha256: String,
}

impl ModelMark {
    /// The mark of a model.
    ///
    /// # Errors
    /// A manifest that cannot be written as text.
    pub fn of(model: &store::Model) -> Result<Self> {
        let manifest = &model.manifest;
        Ok(Self {
            version: manifest.version.clone(),
            onnx_sha256: manifest.sha256.clone(),
            manifest_sha256: golden::sha256(manifest.to_text()?.as_bytes()),
        })
    }
}

impl Common {
    /// The first difference between `self` and `other`: its name, and both values.
    pub fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        let pitch = |um: Option<f64>| um.map_or_else(|| "not given".to_owned(), |um| um.to_string());
        let depth = |bits: Option<u32>| bits.map_or_else(|| "not given".to_owned(), |bits| bits.to_string());
        let inputs = |inputs: &Inputs| format!("{} pictures, sha256 {}", inputs.count, inputs.sha256);
        let model = |model: &ModelMark| {
            let ModelMark { version, onnx_sha256, manifest_sha256 } = model;
            format!("{version}, sha256 {onnx_sha256}, manifest {manifest_sha256}")
        };
        [
            ("the version of bloodseg", self.version.clone(), other.version.clone()),
            ("the list of pictures, by names and sizes", inputs(&self.inputs), inputs(&other.inputs)),
            ("the super-resolution model", model(&self.ssr), model(&other.ssr)),
            ("the segmentation model", model(&self.unet), model(&other.unet)),
            ("--um-per-px", pitch(self.um_per_px), pitch(other.um_per_px)),
            ("--whole-field", self.whole_field.to_string(), other.whole_field.to_string()),
            ("--as-is", self.as_is.to_string(), other.as_is.to_string()),
            ("--any-quality", self.any_quality.to_string(), other.any_quality.to_string()),
            ("--bits", depth(self.bits), depth(other.bits)),
        ]
        .into_iter()
        .find(|(_, one, another)| one != another)
    }
}

impl Mark {
    /// Writes it to a shard's folder.
    ///
    /// # Errors
    /// [`ErrorKind::Unwritable`](crate::error::ErrorKind::Unwritable)
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::internal("shard", Cause::of(e)))?;
        let mut file = AtomicFile::create(&path)?;
        writeln!(file, "{text}").map_err(|e| Error::output(&path, e))?;
        Ok(file.commit()?)
    }

    /// Deletes the mark of an earlier call, if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Unwritable`](crate::error::ErrorKind::Unwritable)
    pub fn remove(folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::output(&path, e)),
            _ => Ok(()),
        }
    }

    /// Reads that of a shard's folder.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::error::ErrorKind::Unreadable) if there is none, that is for a shard that was not
    /// finished, or if it makes no sense.
    pub fn read(folder: &Path) -> Result<Self> {
        const EXPECTED: &str = "what `bloodseg segment --shard` writes at its end";
        let path = folder.join(FILE);
        let fault = |found: String, todo: &str| Error::input(&path, found, EXPECTED, todo);
        let unfinished =
            "The shard was not finished: run it again, or remove its folder if it belongs to an older division";
        let file = bloodseg_durable::open_plain(&path).map_err(|e| fault(e.to_string(), unfinished))?;
        let mut text = String::new();
        file.take(MAX_TEXT_BYTES).read_to_string(&mut text).map_err(|e| fault(e.to_string(), ""))?;
        let mark: Self = serde_json::from_str(&text).map_err(|e| fault(e.to_string(), "Run the shard again"))?;
        // Marks come from other machines: what was checked on the command line is checked again.
        let Mark { shard, pictures, refused, .. } = &mark;
        let share = usize::try_from(mark.common.inputs.count).ok().map(|count| shard.range(count).len() as u64);
        if shard.to_string().parse() != Ok(*shard) || share != Some(*pictures) || refused > pictures {
            let found = format!("shard {shard} with {refused} of {pictures} pictures refused");
            return Err(fault(found, "Run the shard again"));
        }
        Ok(mark)
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    pub(in crate::shard) fn common(count: u64) -> Common {
        let model = ModelMark { version: "1".into(), onnx_sha256: "a".into(), manifest_sha256: "b".into() };
        Common {
            version: "0.1.0".into(),
            inputs: Inputs { count, sha256: "c".into() },
            ssr: model.clone(),
            unet: model,
            um_per_px: None,
            whole_field: false,
            as_is: false,
            any_quality: false,
            bits: None,
        }
    }

    fn mark() -> Mark {
        let hash = String::new();
        let shard = Shard { index: 1, of: 2 };
        Mark { shard, common: common(3), pictures: 2, refused: 1, cells_sha256: hash.clone(), frames_sha256: hash }
    }

    #[test]
    fn mark_round_trips_and_can_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mark = Mark { common: Common { um_per_px: Some(2.5), ..common(3) }, ..mark() };
        mark.write(folder.path()).unwrap();
        let read = Mark::read(folder.path()).unwrap();
        assert_eq!(read, mark);
        Mark::remove(folder.path()).unwrap();
        Mark::remove(folder.path()).unwrap();
        let error = Mark::read(folder.path()).unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::Vision(bloodseg_vision::error::ErrorKind::Input));
        assert!(error.to_string().contains("not finished"), "{error}");
    }

    #[test]
    fn invalid_marks_are_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let odd = [
            Mark { shard: Shard { index: 2, of: 2 }, ..mark() },
            Mark { shard: Shard { index: 0, of: 0 }, ..mark() },
            Mark { shard: Shard { index: u32::MAX, of: u32::MAX }, ..mark() },
            Mark { refused: 3, ..mark() },
            Mark { pictures: 1, ..mark() },
            Mark { common: common(u64::MAX), ..mark() },
        ];
        for mark in odd {
            mark.write(folder.path()).unwrap();
            assert!(Mark::read(folder.path()).is_err(), "{mark:?}");
        }
        for text in ["", "{}", "[1]", "{\"shard\": 1}", "\u{0}"] {
            fs::write(folder.path().join(FILE), text).unwrap();
            assert!(Mark::read(folder.path()).is_err(), "{text}");
        }
    }

    #[test]
    fn difference_is_named() {
        let one = common(3);
        assert_eq!(one.difference(&one), None);
        let model = ModelMark { manifest_sha256: "other".into(), ..one.unet.clone() };
        for (other, name) in [
            (Common { version: "0.2.0".into(), ..one.clone() }, "version"),
            (common(4), "4 pictures"),
            (Common { ssr: model.clone(), ..one.clone() }, "super-resolution"),
            (Common { unet: model, ..one.clone() }, "segmentation"),
            (Common { um_per_px: Some(2.0), ..one.clone() }, "--um-per-px"),
            (Common { whole_field: true, ..one.clone() }, "--whole-field"),
            (Common { any_quality: true, ..one.clone() }, "--any-quality"),
            (Common { bits: Some(12), ..one.clone() }, "--bits"),
        ] {
            let (what, left, right) = one.difference(&other).unwrap();
            assert!(format!("{what} {left} {right}").contains(name), "{name}: {what} {left} {right}");
        }
    }

    #[test]
    fn lists_differ_by_name_order_and_size_not_by_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
            path
        };
        let of = |paths: &[&Path]| Inputs::of(paths.iter().copied());
        let (a, b, longer) = (file("x/a.png", b"1"), file("x/b.png", b"1"), file("z/a.png", b"12"));
        let list = of(&[&a, &b]);
        assert_eq!(list, of(&[&file("y/a.png", b"2"), &file("y/b.png", b"2")]));
        let missing = folder.path().join("none/a.png");
        for other in [of(&[&b, &a]), of(&[&a]), of(&[&longer, &b]), of(&[&missing, &b])] {
            assert_ne!(list, other);
        }
    }
}
