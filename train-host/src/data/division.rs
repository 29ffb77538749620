//! Splits a data set into fields for training, for selecting the epoch, and for reporting, and ensures that no field or
//! near-duplicate is in two of them.

mod laboratories;

pub use laboratories::Request;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use indicatif::ParallelProgressIterator;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    field::Field,
    layout::{Pair, Split, hold_back, pairs, pictures},
    near_duplicates::{LIMIT, Thumbnail, find, refuse},
    stains,
};
use crate::{progress, recipe::checkpoint::last_epoch};
use bloodseg_vision::frame::{decode::read_picture, limits::MAX_WHOLE_FIELD_PX};

/// The fields of a data set by purpose.
#[derive(Debug)]
pub struct Division {
    /// For training.
    pub trained: Vec<Field>,
    /// Of `train_tmp`, not used for training: they select the epoch.
    pub held_back: Vec<Field>,
    /// Reported: `val_tmp`, a part of each laboratory, or what is left out.
    pub reported: Vec<Field>,
    left_out: LeftOut,
    /// Licences of the training data.
    licence: String,
}

/// What is reported instead of being used for training.
#[derive(Debug, Clone, PartialEq, Eq)]
enum LeftOut {
    Nothing,
    /// Number of the stain, and of all stains.
    Stain(usize, usize),
    /// Name of the laboratory.
    Laboratory(String),
}

/// Licence of the public reference set, assumed for data sets with masks.
const LICENCE_OF_MASKS: &str = "CC BY-NC-SA 3.0 (images of BBBC041): attribution, non-commercial, share-alike";

/// A field and its thumbnail for near-duplicate detection.
type Entry = (Field, Thumbnail);

impl Division {
    /// Reads `train_tmp` and `val_tmp`, and checks `test_tmp` if present.
    ///
    /// With `leave_out_stain`, the fields of that group of [`stains`] are used neither for training nor for validation,
    /// and are reported instead of `val_tmp`.
    ///
    /// # Errors
    /// Errors of [`pairs`] and [`Field::read`], near-duplicates in two splits, an unknown stain, fewer than ten fields
    /// for training and validation.
    pub fn read(data: &Path, leave_out_stain: Option<usize>) -> Result<Self> {
        let mut train = read(&pairs(data, Split::Train)?)?;
        let val = read(&pairs(data, Split::Val)?)?;
        let test = thumbnails_of_test(data)?;
        refuse(&thumbnails(&train), &thumbnails(&val))?;
        refuse(&thumbnails(&train), &test.iter().collect::<Vec<_>>())?;
        refuse(&thumbnails(&val), &test.iter().collect::<Vec<_>>())?;

        let (mut reported, mut left_out) = (val, LeftOut::Nothing);
        if let Some(number) = leave_out_stain {
            let groups = stains::groups(&train.iter().map(|(field, _)| stains::features(field)).collect::<Vec<_>>());
            let members = stains::pick(&groups, number)?.members.clone();
            let (of_group, rest): (Vec<_>, Vec<_>) =
                train.into_iter().enumerate().partition(|(index, _)| members.contains(index));
            reported = of_group.into_iter().map(|(_, entry)| entry).collect();
            train = rest.into_iter().map(|(_, entry)| entry).collect();
            refuse(&thumbnails(&train), &thumbnails(&reported))?;
            left_out = LeftOut::Stain(number, groups.len());
        }
        ensure!(
            train.len() >= 10,
            "{}: {} fields to train on; expected at least 10, as every tenth is held back",
            data.join(Split::Train.folder()).display(),
            train.len()
        );
        let (trained, held_back) = part(train)?;
        log::info!("fields: {} to train, {} held back, {} reported", trained.len(), held_back.len(), reported.len());
        Ok(Self {
            trained: fields(trained),
            held_back: fields(held_back),
            reported: fields(reported),
            left_out,
            licence: LICENCE_OF_MASKS.into(),
        })
    }

    /// The training, validation and reported fields, for the manifest.
    pub fn describe(&self) -> String {
        let (trained, held_back, reported) = (self.trained.len(), self.held_back.len(), self.reported.len());
        if !self.is_of_masks() {
            let mut sources: BTreeMap<&str, usize> = BTreeMap::new();
            self.trained.iter().for_each(|field| *sources.entry(&field.source).or_default() += 1);
            let sources: Vec<String> = sources.iter().map(|(name, fields)| format!("{name} ({fields})")).collect();
            return format!(
                "pictures trained on: {}; {held_back} more of these laboratories held back to choose the epoch, {reported} reported",
                sources.join(", ")
            );
        }
        let reported = match self.left_out {
            LeftOut::Stain(number, groups) => format!(
                "reported in the place of val_tmp: the {reported} fields of train_tmp of stain {number} of {groups}, left out of both"
            ),
            _ => format!("{reported} of val_tmp reported"),
        };
        format!(
            "BBBC041 malaria thin smears with the masks of Depto et al. (2021); {trained} fields trained on, {held_back} of train_tmp held back to choose the epoch, {reported}"
        )
    }

    /// Describes the `val_` figures, unless they are of `val_tmp` or a part of each laboratory.
    pub fn reported_is(&self) -> Option<String> {
        match &self.left_out {
            LeftOut::Nothing => None,
            LeftOut::Stain(number, _) => Some(format!("val_ is stain {number}, left out of the training, not val_tmp")),
            LeftOut::Laboratory(name) => Some(format!("val_ is {name}, left out of the training")),
        }
    }

    /// Licences of the training data.
    pub fn licence(&self) -> &str {
        &self.licence
    }

    /// Whether all cells have masks and no kinds.
    pub fn is_of_masks(&self) -> bool {
        self.held_back.iter().all(|field| field.marks.is_empty())
    }

    /// Writes the names of the fields beside the checkpoints of a new run; for a resumed run, checks that they are the
    /// same.
    ///
    /// # Errors
    /// Fields that differ from those of the run, a file that cannot be read or written.
    pub fn keep(&self, checkpoints: &Path, goes_on: bool) -> Result<()> {
        let file = checkpoints.join("fields.toml");
        let names = |fields: &[Field]| fields.iter().map(|field| field.name.clone()).collect();
        let own =
            Names { trained: names(&self.trained), held_back: names(&self.held_back), reported: names(&self.reported) };
        if goes_on && file.is_file() {
            let text = std::fs::read_to_string(&file).with_context(|| format!("{}: cannot read", file.display()))?;
            let begun: Names =
                toml::from_str(&text).with_context(|| format!("{}: not the fields of a run", file.display()))?;
            if begun != own {
                bail!(
                    "{}: the run was begun with other fields; give the same --data and --leave-out flags",
                    file.display()
                );
            }
        } else if last_epoch(checkpoints).is_none() {
            std::fs::create_dir_all(checkpoints)
                .with_context(|| format!("{}: cannot create the folder", checkpoints.display()))?;
            std::fs::write(&file, toml::to_string(&own)?)
                .with_context(|| format!("{}: cannot write", file.display()))?;
        }
        Ok(())
    }
}

/// The names of the fields of a run.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Names {
    trained: Vec<String>,
    held_back: Vec<String>,
    reported: Vec<String>,
}

/// Reads fields without searching for near-duplicates.
pub fn read_fields(data: &Path, split: Split) -> Result<Vec<Field>> {
    let pairs = pairs(data, split)?;
    let bar = progress::bar(pairs.len() as u64, "fields");
    pairs.par_iter().progress_with(bar).map(Field::read).collect()
}

fn read(pairs: &[Pair]) -> Result<Vec<Entry>> {
    let bar = progress::bar(pairs.len() as u64, "fields");
    let entry = |pair: &Pair| {
        let field = Field::read(pair)?;
        let thumbnail = Thumbnail::new(pair.picture.clone(), &field.picture);
        Ok((field, thumbnail))
    };
    pairs.par_iter().progress_with(bar).map(entry).collect()
}

/// `test_tmp` is only checked for near-duplicates; its masks are not opened.
fn thumbnails_of_test(data: &Path) -> Result<Vec<Thumbnail>> {
    if !data.join(Split::Test.folder()).join("img").is_dir() {
        return Ok(Vec::new());
    }
    let thumbnail = |file: PathBuf| Ok(Thumbnail::new(file.clone(), &read_picture(&file, MAX_WHOLE_FIELD_PX)?));
    pictures(data, Split::Test)?.into_par_iter().map(thumbnail).collect()
}

fn thumbnails(entries: &[Entry]) -> Vec<&Thumbnail> {
    entries.iter().map(|(_, thumbnail)| thumbnail).collect()
}

fn fields(entries: Vec<Entry>) -> Vec<Field> {
    entries.into_iter().map(|(field, _)| field).collect()
}

/// Selects validation fields. Near-duplicates of training fields are used for training too: this only costs a validation
/// field, while validating on memorised fields would favour overfitted epochs.
fn part(train: Vec<Entry>) -> Result<(Vec<Entry>, Vec<Entry>)> {
    let (mut trained, mut held_back) = hold_back(train);
    loop {
        let mut parted = BTreeMap::new();
        for pair in find(&thumbnails(&held_back), &thumbnails(&trained)) {
            parted.entry(pair.one).or_insert(pair);
        }
        if parted.is_empty() {
            break;
        }
        // From the last, so that earlier indices stay valid.
        for (index, pair) in parted.into_iter().rev() {
            let moved = held_back.remove(index);
            log::warn!(
                "{}: trained on instead of held back: similarity {:.2} (limit {LIMIT:.2}) to {}",
                moved.1.file.display(),
                pair.similarity,
                trained[pair.other].1.file.display()
            );
            trained.push(moved);
        }
    }
    trained.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    if held_back.is_empty() {
        bail!("every field that would be held back shows the same as one trained on; take the near-duplicates out");
    }
    Ok((trained, held_back))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use bloodseg_smear::write_set;
    use image::{DynamicImage, imageops};

    use super::*;

    /// A data set with `train` training fields and two reported ones.
    fn rendered(train: u32) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        write_set(&root.path().join("train_tmp"), train, 1, 256).unwrap();
        write_set(&root.path().join("val_tmp"), 2, 2, 256).unwrap();
        root
    }

    /// Writes a rotated copy of a field of `train_tmp` to the folder `to` under the name `name`.
    fn write_rotated(root: &Path, from: &str, to: &str, name: &str) {
        let train = root.join("train_tmp");
        for part in ["img", "mask"] {
            let folder = root.join(to).join(part);
            fs::create_dir_all(&folder).unwrap();
            let turned = imageops::rotate90(&image::open(train.join(part).join(from)).unwrap().into_rgb8());
            // Both kinds of files that may have the name.
            let _ = fs::remove_file(folder.join(name).with_extension("jpg"));
            DynamicImage::ImageRgb8(turned).save(folder.join(name)).unwrap();
        }
    }

    fn names(fields: &[Field]) -> Vec<&str> {
        fields.iter().map(|field| field.name.as_str()).collect()
    }

    #[test]
    fn fields_are_split_by_purpose() {
        let root = rendered(12);
        let division = Division::read(root.path(), None).unwrap();
        assert_eq!((division.trained.len(), names(&division.held_back)), (11, vec!["smear_0009"]));
        assert_eq!(names(&division.reported), ["smear_0000", "smear_0001"]);
        assert!(division.describe().contains("2 of val_tmp reported") && division.reported_is().is_none());
    }

    #[test]
    fn field_in_two_splits_is_rejected() {
        for to in ["val_tmp", "test_tmp"] {
            let root = rendered(10);
            write_rotated(root.path(), "smear_0004.png", to, "copy.png");
            let text = format!("{:#}", Division::read(root.path(), None).unwrap_err());
            let (one, other) =
                (root.path().join("train_tmp/img/smear_0004.png"), root.path().join(to).join("img/copy.png"));
            assert!(text.contains(&format!("{} and {}", one.display(), other.display())), "{text}");
        }
    }

    #[test]
    fn test_split_needs_no_masks() {
        let root = rendered(10);
        write_rotated(root.path(), "smear_0004.png", "test_tmp", "copy.png");
        fs::remove_dir_all(root.path().join("test_tmp/mask")).unwrap();
        assert!(Division::read(root.path(), None).unwrap_err().to_string().contains("copy.png"));
    }

    #[test]
    fn near_duplicates_are_not_split_by_hold_back() {
        let root = rendered(20);
        write_rotated(root.path(), "smear_0004.png", "train_tmp", "smear_0009.png");
        let division = Division::read(root.path(), None).unwrap();
        assert_eq!(names(&division.held_back), ["smear_0019"]);
        assert_eq!(division.trained.len(), 19);
        assert!(division.trained.is_sorted_by(|a, b| a.name < b.name));
        // A chain: the last one is a near-duplicate of the one that was moved.
        write_rotated(root.path(), "smear_0009.png", "train_tmp", "smear_0019.png");
        assert!(Division::read(root.path(), None).unwrap_err().to_string().contains("held back"));
    }

    #[test]
    fn left_out_stain_is_only_reported() {
        let root = rendered(24);
        let fields = read_fields(root.path(), Split::Train).unwrap();
        let groups = stains::groups(&fields.iter().map(stains::features).collect::<Vec<_>>());
        let number = groups.len();
        let left_out: Vec<&str> = groups[number - 1].members.iter().map(|index| fields[*index].name.as_str()).collect();
        let division = Division::read(root.path(), Some(number)).unwrap();
        assert_eq!(names(&division.reported), left_out);
        for kept in [&division.trained, &division.held_back] {
            assert!(!kept.is_empty() && kept.iter().all(|field| !left_out.contains(&field.name.as_str())));
        }
        assert_eq!(division.trained.len() + division.held_back.len() + left_out.len(), 24);
        assert!(division.describe().contains(&format!("stain {number} of {number}")));
        assert!(division.reported_is().unwrap().contains("not val_tmp"));
        let text = Division::read(root.path(), Some(number + 1)).unwrap_err().to_string();
        assert!(text.contains("no such group"), "{text}");
    }

    #[test]
    fn too_few_fields_to_hold_back_are_rejected() {
        let root = rendered(9);
        assert!(Division::read(root.path(), None).unwrap_err().to_string().contains("at least 10"));
    }

    #[test]
    fn run_resumes_only_with_its_own_fields() {
        let root = rendered(12);
        let run = root.path().join("run");
        let whole = Division::read(root.path(), None).unwrap();
        whole.keep(&run, false).unwrap();
        whole.keep(&run, true).unwrap();
        fs::remove_file(root.path().join("train_tmp/img/smear_0002.png")).unwrap();
        let less = Division::read(root.path(), None).unwrap();
        assert!(less.keep(&run, true).unwrap_err().to_string().contains("--leave-out"));
        // An existing run is not overwritten; the training refuses it.
        fs::write(run.join("epoch-0001.safetensors"), b"").unwrap();
        less.keep(&run, false).unwrap();
        whole.keep(&run, true).unwrap();
    }
}
