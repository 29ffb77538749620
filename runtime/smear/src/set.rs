//! Writes a set of rendered fields in the layout of the trainer and `eval`.

use std::{
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
};

use image::{DynamicImage, RgbImage, codecs::jpeg::JpegEncoder};

use super::{Smear, SmearSpec, render};
use crate::{
    error::{Error, Result},
    limits::MAX_SMEAR_SIDE_PX,
};
use bloodseg_vision::error::Error as Vision;

/// Quality of the JPEG fields, typical of cameras.
const JPEG_QUALITY: u8 = 92;

/// Files of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFiles {
    /// The picture, PNG or JPEG.
    pub picture: PathBuf,
    /// Mask, three channels, 0 or 255.
    pub mask: PathBuf,
    /// Labels, 16 bit.
    pub labels: PathBuf,
}

/// Field `index` of the set with `seed`: square ones of `size_px`, every second one 4:3 and `size_px` high. Its look and
/// cells depend only on `seed` and `index`, not on the number of fields.
pub fn field(index: u32, seed: u64, size_px: u32) -> Smear {
    let width_px = if is_jpeg(index) { size_px * 4 / 3 } else { size_px };
    let own = seed.wrapping_mul(1_000_003).wrapping_add(u64::from(index));
    render(&SmearSpec::varied(width_px, size_px, own), own)
}

/// Every second field is a JPEG, because real sets are mixed.
fn is_jpeg(index: u32) -> bool {
    index % 2 == 1
}

/// Renders `count` fields into `folder`: `img/NAME.png` or `.jpg`, `mask/NAME.png` (three channels, 0 or 255)
/// and `labels/NAME.png` (16 bit, 0 = background), with names `smear_0000` and so on.
/// `size_px`, at least 256, is the shorter side, which covers as much as a reference field of 1200 pixels.
///
/// # Errors
/// [`Error::Size`] for a size out of range, [`Error::Vision`] if a file cannot be written.
pub fn write_set(folder: &Path, count: u32, seed: u64, size_px: u32) -> Result<Vec<FieldFiles>> {
    if !(256..=MAX_SMEAR_SIDE_PX).contains(&size_px) {
        return Err(Error::Size(size_px));
    }
    for part in ["img", "mask", "labels"] {
        let part = folder.join(part);
        fs::create_dir_all(&part).map_err(|e| Vision::output(&part, e))?;
    }
    (0..count).map(|index| write_field(folder, index, field(index, seed, size_px))).collect()
}

fn write_field(folder: &Path, index: u32, smear: Smear) -> Result<FieldFiles> {
    let name = format!("smear_{index:04}");
    let extension = if is_jpeg(index) { "jpg" } else { "png" };
    let files = FieldFiles {
        picture: folder.join("img").join(format!("{name}.{extension}")),
        mask: folder.join("mask").join(format!("{name}.png")),
        labels: folder.join("labels").join(format!("{name}.png")),
    };
    if is_jpeg(index) {
        let file = File::create(&files.picture).map_err(|e| Vision::output(&files.picture, e))?;
        JpegEncoder::new_with_quality(BufWriter::new(file), JPEG_QUALITY)
            .encode_image(&smear.picture)
            .map_err(|e| Vision::output(&files.picture, e))?;
    } else {
        save(&files.picture, DynamicImage::ImageRgb8(smear.picture))?;
    }
    let mask: RgbImage = DynamicImage::ImageLuma8(smear.mask).into_rgb8();
    save(&files.mask, DynamicImage::ImageRgb8(mask))?;
    save(&files.labels, DynamicImage::ImageLuma16(smear.labels))?;
    Ok(files)
}

fn save(path: &Path, picture: DynamicImage) -> Result<()> {
    Ok(picture.save(path).map_err(|e| Vision::output(path, e))?)
}
