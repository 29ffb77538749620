//! Output of a run after every epoch: curves, TensorBoard events, and every few epochs the same fields.
//!
//! Everything is in the folder of the run and can be deleted at any time; nothing is read back.

pub mod canvas;
pub mod events;
pub mod fields;
pub mod outlines;
pub mod time_left;

use std::{path::Path, time::SystemTime};

use anyhow::{Context, Result};
use image::RgbImage;

use crate::recipe::curves;
use events::{Events, Item};

/// Folder of TensorBoard's files in the folder of a run.
pub const EVENTS: &str = "tensorboard";

/// Folder of the pictures of the fields in the folder of a run.
pub const FIELDS: &str = "fields";

/// The fields are drawn every so many epochs, and after the first and the last.
const FIELDS_EVERY: u32 = 4;

/// A row of the log: names and values of its columns.
type Row = Vec<(String, String)>;

/// The output of one run.
#[derive(Debug)]
pub struct Show<'a> {
    folder: &'a Path,
    epochs: u32,
    events: Events,
}

impl<'a> Show<'a> {
    /// Starts the output of a run of `epochs` epochs in its folder, of which `done` are completed.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn begin(folder: &'a Path, done: u32, epochs: u32, now: SystemTime) -> Result<Self> {
        let pictures = folder.join(FIELDS);
        std::fs::create_dir_all(&pictures)
            .with_context(|| format!("{}: cannot create the folder", pictures.display()))?;
        Ok(Self { folder, epochs, events: Events::begin(&folder.join(EVENTS), done + 1, now)? })
    }

    /// Whether the fields are drawn after an epoch, counted from 1.
    pub fn wants_fields(&self, epoch: u32) -> bool {
        epoch == 1 || epoch == self.epochs || epoch.is_multiple_of(FIELDS_EVERY)
    }

    /// Shows the last of `rows`, one per epoch, and a picture of the fields if there is one.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn epoch(&mut self, rows: &[Row], fields: Option<&RgbImage>, now: SystemTime) -> Result<()> {
        for name in ["curves.svg", "curves.png"] {
            curves::write(rows, &self.folder.join(name))?;
        }
        let (epoch, last) = (rows.len() as u32, rows.last().map(Vec::as_slice).unwrap_or_default());
        let mut items = scalars(last);
        if let Some(picture) = fields {
            let png = fields::png(picture)?;
            let file = self.folder.join(FIELDS).join(format!("epoch-{epoch:04}.png"));
            let partial = file.with_extension("partial");
            std::fs::write(&partial, &png).with_context(|| format!("{}: cannot write", partial.display()))?;
            std::fs::rename(&partial, &file).with_context(|| format!("{}: cannot rename", partial.display()))?;
            items.push(Item::picture("fields", picture.dimensions(), png));
        }
        self.events.add(epoch, items, now)
    }
}

/// The numbers of a row by TensorBoard tag, which groups figures on validation and reported fields into one panel.
/// Non-finite values are omitted.
fn scalars(row: &[(String, String)]) -> Vec<Item> {
    let figures = row.iter().filter(|(name, _)| !["epoch", "best"].contains(&name.as_str()));
    figures
        .filter_map(|(name, value)| {
            let value: f32 = value.parse().ok().filter(|value: &f32| value.is_finite())?;
            let whose = [("held_back_", "held_back"), ("val_", "val"), ("train_", "train")];
            let tag = whose.iter().find_map(|(prefix, whose)| Some(format!("{}/{whose}", name.strip_prefix(prefix)?)));
            Some(Item::scalar(&tag.unwrap_or_else(|| format!("run/{name}")), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn row(loss: &str) -> Row {
        [("epoch", "1"), ("train_loss", loss), ("val_dice", "0.9"), ("held_back_dice", "NaN"), ("best", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn epoch_writes_curves_events_and_fields() {
        let root = tempfile::tempdir().unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let mut show = Show::begin(root.path(), 0, 9, now).unwrap();
        assert_eq!((1..=9).filter(|epoch| show.wants_fields(*epoch)).collect::<Vec<_>>(), [1, 4, 8, 9]);
        let picture = RgbImage::from_pixel(8, 4, image::Rgb([1, 2, 3]));
        show.epoch(&[row("0.5")], Some(&picture), now).unwrap();
        show.epoch(&[row("0.5"), row("0.25")], None, now).unwrap();
        let png = image::open(root.path().join("fields/epoch-0001.png")).unwrap();
        assert_eq!(png.into_rgb8(), picture);
        assert!(!root.path().join("fields/epoch-0002.png").exists());
        assert!(image::open(root.path().join("curves.png")).unwrap().width() > 100);
        assert!(root.path().join("curves.svg").is_file());
        let read = events::tests::read_folder(&root.path().join(EVENTS));
        let points: Vec<_> = read.iter().map(|(step, tag, value)| (*step, tag.as_str(), *value)).collect();
        let wanted = [
            (1, "loss/train", 0.5),
            (1, "dice/val", 0.9),
            (1, "fields", 0.0),
            (2, "loss/train", 0.25),
            (2, "dice/val", 0.9),
        ];
        assert_eq!(points, wanted);
    }
}
