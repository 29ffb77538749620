//! Pictures of single cells, cut from the pictures that a run kept.

use std::collections::BTreeMap;

use image::{
    ExtendedColorType, ImageEncoder, RgbImage,
    codecs::png::PngEncoder,
    imageops::{FilterType, crop_imm, resize},
};

use super::chosen::Chosen;
use crate::{
    error::{Error, Result},
    report::limits::{MAX_KEPT_PICTURE_PX, MAX_REPORT_CROP_PX},
};
use bloodseg_vision::{
    cells::{Labels, outline::Polygon},
    frame::decode,
};

/// Side of the area shown around a cell, in median diameters.
const WINDOW_DIAMETERS: f64 = 2.5;

/// The same for a larger cell, in multiples of its longer side.
const WINDOW_SIDES: f64 = 1.25;

/// A cropped cell.
#[derive(Debug, Clone)]
pub(super) struct Crop {
    /// The picture as PNG.
    pub(super) png: Vec<u8>,
    /// The part of the super-resolved picture that it shows: left, top, width, height.
    pub(super) window: [u32; 4],
    /// The cell's outline in the super-resolved picture; empty if none is recorded.
    pub(super) corners: Vec<[u32; 2]>,
}

/// Crops each cell, in the given order; none for a cell that is no longer in the picture. Each picture is read once, one
/// at a time.
pub(super) fn cut(chosen: &[&Chosen], median_px: f64) -> Vec<Option<Crop>> {
    let mut of_frame: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (at, chosen) in chosen.iter().enumerate() {
        of_frame.entry(chosen.frame_id).or_default().push(at);
    }
    let mut crops = vec![None; chosen.len()];
    for places in of_frame.values() {
        let Some(first) = places.first().and_then(|at| chosen.get(*at)) else { continue };
        match read(first) {
            Ok((picture, labels)) => {
                for &at in places {
                    if let (Some(crop), Some(chosen)) = (crops.get_mut(at), chosen.get(at)) {
                        *crop = crop_of(&picture, &labels, chosen, median_px);
                    }
                }
            }
            Err(error) => log::warn!("cells without their picture: {error}"),
        }
    }
    crops
}

fn read(chosen: &Chosen) -> Result<(RgbImage, Labels)> {
    let [sr, labels] = &chosen.pictures;
    let picture = decode::read_picture(sr, MAX_KEPT_PICTURE_PX)?;
    let of_labels = decode::read_labels(labels, MAX_KEPT_PICTURE_PX)?;
    let (size, [width, height]) = (picture.dimensions(), chosen.size_px);
    let expected = if chosen.size_px == [0; 2] { size } else { (width, height) };
    if size != expected || of_labels.dimensions() != expected {
        let found = format!("{}x{} pixels", size.0, size.1);
        return Err(Error::input(sr, found, format!("{}x{}, as recorded", expected.0, expected.1), ""));
    }
    Ok((picture, of_labels))
}

fn crop_of(picture: &RgbImage, labels: &Labels, chosen: &Chosen, median_px: f64) -> Option<Crop> {
    let cell = &chosen.cell;
    // A later run may have replaced these pictures: then the labels differ from the records.
    let pixels = labels.as_raw().iter().filter(|label| i64::from(**label) == cell.label).count();
    if i64::try_from(pixels) != Ok(cell.area_px) {
        return None;
    }
    let mut polygon = Polygon::default();
    polygon.read(&cell.outline);
    let side = cell.equivalent_diameter_px();
    let [left, top, width, height] = polygon
        .bounds()
        .map_or_else(|| [cell.x_px - side / 2.0, cell.y_px - side / 2.0, side, side], |bounds| bounds.map(f64::from));
    let side = (WINDOW_DIAMETERS * median_px).max(WINDOW_SIDES * width.max(height)).ceil();
    let span = |middle: f64, most: u32| {
        let length = (side as u32).clamp(1, most);
        let from = (middle - f64::from(length) / 2.0).round().clamp(0.0, f64::from(most - length));
        (from as u32, length)
    };
    let (left, width) = span(left + width / 2.0, picture.width());
    let (top, height) = span(top + height / 2.0, picture.height());
    let mut part = crop_imm(picture, left, top, width, height).to_image();
    let longest = width.max(height);
    if longest > MAX_REPORT_CROP_PX {
        let shrunk = |px: u32| (u64::from(px) * u64::from(MAX_REPORT_CROP_PX) / u64::from(longest)).max(1) as u32;
        part = resize(&part, shrunk(width), shrunk(height), FilterType::Triangle);
    }
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(&part, part.width(), part.height(), ExtendedColorType::Rgb8).ok()?;
    Some(Crop { png, window: [left, top, width, height], corners: polygon.corners })
}
