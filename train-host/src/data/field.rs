//! A field in full resolution with everything that is learned from it.

use anyhow::{Result, bail};
use image::{GrayImage, Luma, RgbImage};
use imageproc::{
    distance_transform::euclidean_squared_distance_transform,
    region_labelling::{Connectivity, connected_components},
};

use super::layout::Pair;
use bloodseg_vision::frame::limits::MAX_WHOLE_FIELD_PX;

/// Smallest component that is a cell, in pixels of a field of 1200 px.
const LEAST_CELL_PX_AT_1200: f64 = 300.0;

/// Least edge of a field, in pixels.
pub const LEAST_FIELD_PX: u32 = 256;

/// A picture with its targets, all of one size.
#[derive(Debug, Clone)]
pub struct Field {
    /// Stem of its files.
    pub name: String,
    /// The picture.
    pub picture: RgbImage,
    /// 0 or 255.
    pub mask: GrayImage,
    /// Depth inside a cell: 255 times the distance to its edge over the cell's greatest distance; 0 outside.
    pub core: GrayImage,
}

impl Field {
    /// Reads a pair.
    ///
    /// # Errors
    /// Files that cannot be decoded, sizes that differ, fields under [`LEAST_FIELD_PX`].
    pub fn read(pair: &Pair) -> Result<Self> {
        let picture = bloodseg_vision::frame::decode::read_picture(&pair.picture, MAX_WHOLE_FIELD_PX)?;
        let mut mask = bloodseg_vision::frame::decode::read_mask(&pair.mask)?;
        if picture.dimensions() != mask.dimensions() {
            bail!(
                "{}: mask of {:?} for a picture of {:?}; expected the same size",
                pair.mask.display(),
                mask.dimensions(),
                picture.dimensions()
            );
        }
        if picture.width().min(picture.height()) < LEAST_FIELD_PX {
            bail!(
                "{}: {:?}; expected at least {LEAST_FIELD_PX} px each way",
                pair.picture.display(),
                picture.dimensions()
            );
        }
        for Luma([level]) in mask.pixels_mut() {
            *level = if *level > 127 { 255 } else { 0 };
        }
        let core = core_map(&mask);
        Ok(Self { name: pair.name.clone(), picture, mask, core })
    }
}

/// The depth of every pixel inside its cell; cells are the 4-connected components that are no specks.
pub fn core_map(mask: &GrayImage) -> GrayImage {
    let least_px = least_cell_px(mask);
    let labels = connected_components(mask, Connectivity::Four, Luma([0]));
    // Distance of each foreground pixel to the nearest background pixel.
    let inverse = GrayImage::from_fn(mask.width(), mask.height(), |x, y| Luma([255 - mask.get_pixel(x, y).0[0]]));
    let squared = euclidean_squared_distance_transform(&inverse);
    let count = labels.pixels().map(|l| l.0[0]).max().unwrap_or(0) as usize + 1;
    let (mut area_px, mut greatest) = (vec![0u32; count], vec![0f64; count]);
    for (label, distance) in labels.pixels().zip(squared.pixels()) {
        let label = label.0[0] as usize;
        area_px[label] += 1;
        greatest[label] = greatest[label].max(distance.0[0]);
    }
    GrayImage::from_fn(mask.width(), mask.height(), |x, y| {
        let label = labels.get_pixel(x, y).0[0] as usize;
        if label == 0 || f64::from(area_px[label]) < least_px || greatest[label] <= 0.0 {
            return Luma([0]);
        }
        let depth = (squared.get_pixel(x, y).0[0] / greatest[label]).sqrt();
        Luma([(depth * 255.0).round() as u8])
    })
}

/// Areas of the cells of a mask, in its pixels; specks are left out.
pub fn cell_areas_px(mask: &GrayImage) -> Vec<u32> {
    let labels = connected_components(mask, Connectivity::Four, Luma([0]));
    let count = labels.pixels().map(|l| l.0[0]).max().unwrap_or(0) as usize;
    let mut area_px = vec![0u32; count + 1];
    labels.pixels().for_each(|l| area_px[l.0[0] as usize] += 1);
    area_px.into_iter().skip(1).filter(|area| f64::from(*area) >= least_cell_px(mask)).collect()
}

fn least_cell_px(mask: &GrayImage) -> f64 {
    let side = f64::from(mask.width().min(mask.height()));
    LEAST_CELL_PX_AT_1200 * (side / 1200.0).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two disks of radius 20 px and a speck in a field of 300 px, where a cell has at least 18.75 px.
    fn mask() -> GrayImage {
        GrayImage::from_fn(300, 300, |x, y| {
            let inside = |cx: f64, cy: f64, r: f64| (f64::from(x) - cx).hypot(f64::from(y) - cy) <= r;
            Luma([if inside(80.0, 80.0, 20.0) || inside(200.0, 150.0, 20.0) || inside(30.0, 250.0, 1.5) {
                255
            } else {
                0
            }])
        })
    }

    #[test]
    fn depth_is_greatest_at_the_centre_and_zero_outside() {
        let core = core_map(&mask());
        assert_eq!(core.get_pixel(80, 80).0[0], 255);
        assert_eq!(core.get_pixel(0, 0).0[0], 0);
        let half = f64::from(core.get_pixel(90, 80).0[0]) / 255.0;
        assert!((half - 0.5).abs() < 0.06, "{half}");
    }

    #[test]
    fn specks_are_no_cells() {
        assert_eq!(core_map(&mask()).get_pixel(30, 250).0[0], 0);
        let areas = cell_areas_px(&mask());
        assert_eq!(areas.len(), 2);
        assert!(areas.iter().all(|area| (1200..1320).contains(area)), "{areas:?}");
    }
}
