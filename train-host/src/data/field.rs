//! A field at full resolution with all training targets.

use anyhow::{Result, bail};
use image::{GrayImage, ImageBuffer, Luma, RgbImage};
use imageproc::{
    distance_transform::euclidean_squared_distance_transform,
    region_labelling::{Connectivity, connected_components},
};

use super::layout::Pair;
use bloodseg_evaluate::marks::Mark;
use bloodseg_vision::frame::{
    limits::MAX_WHOLE_FIELD_PX,
    resize::{resize_gray, resize_rgb},
};

/// Smallest component that counts as a cell, in pixels of a field of 1200 px.
const LEAST_CELL_PX_AT_1200: f64 = 300.0;

/// Least edge of a field, in pixels.
pub const LEAST_FIELD_PX: u32 = 256;

/// What a pixel belongs to, as values of [`Field::classes`].
pub mod class {
    /// Glass.
    pub const BACKGROUND: u8 = 0;
    /// A red cell.
    pub const RED: u8 = 1;
    /// A white cell.
    pub const WHITE: u8 = 2;
    /// A platelet.
    pub const PLATELET: u8 = 3;
    /// A cell of unknown kind.
    pub const CELL: u8 = 4;
    /// Outside the picture: excluded from the loss.
    pub const OUTSIDE: u8 = 254;
    /// Unknown; only used for super-resolution.
    pub const IGNORED: u8 = 255;
}

/// What a window shows beyond a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// The mirror image of the field, also used for training.
    Mirror,
    /// The last pixels repeated, as the runtime pads a small picture; excluded from the loss.
    Repeat,
}

/// A picture with its targets, all of the same size.
#[derive(Debug, Clone)]
pub struct Field {
    /// Stem of its files.
    pub name: String,
    /// The laboratory or other source.
    pub source: String,
    /// The picture.
    pub picture: RgbImage,
    /// 0 or 255.
    pub mask: GrayImage,
    /// Depth inside a cell: 255 times the distance to its edge over the maximum in the cell; 0 outside.
    pub core: GrayImage,
    /// What each pixel belongs to; see [`class`].
    pub classes: GrayImage,
    /// Edge of the window that fills a frame of 64x64 at the models' pitch, in pixels of the picture.
    pub frame_edge_px: f64,
    /// What is shown beyond its border.
    pub beyond: Beyond,
    /// Sampling weight of its source.
    pub share: f64,
    /// Cells labelled with boxes or points.
    pub marks: Vec<Mark>,
}

impl Field {
    /// Reads a pair.
    ///
    /// # Errors
    /// Files that cannot be decoded, sizes that differ, fields smaller than [`LEAST_FIELD_PX`].
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
        Ok(Self::of_mask(pair.name.clone(), picture, mask))
    }

    /// A field whose mask has cells of unknown kind, one per connected component. Its shorter side fills a frame.
    pub fn of_mask(name: String, picture: RgbImage, mask: GrayImage) -> Self {
        let core = core_map(&mask);
        let classes = map(&mask, |level| if level > 0 { class::CELL } else { class::BACKGROUND });
        let frame_edge_px = f64::from(picture.width().min(picture.height()));
        let (source, beyond, marks) = ("masks".into(), Beyond::Mirror, Vec::new());
        Self { name, source, picture, mask, core, classes, frame_edge_px, beyond, share: 1.0, marks }
    }

    /// A field with one label per cell and one class per label; `classes` may ignore further pixels.
    pub fn of_labels(name: String, source: String, picture: RgbImage, labels: &Labelled, classes: GrayImage) -> Self {
        let mask = map(&classes, |class| if (class::RED..=class::CELL).contains(&class) { 255 } else { 0 });
        let frame_edge_px = f64::from(picture.width().min(picture.height()));
        let (core, beyond, marks) = (depth(labels), Beyond::Mirror, Vec::new());
        Self { name, source, picture, mask, core, classes, frame_edge_px, beyond, share: 1.0, marks }
    }
}

impl Field {
    /// The field scaled by `scale`, below 1.
    ///
    /// # Errors
    /// Those of the resize.
    pub fn shrunk(self, scale: f64) -> Result<Self> {
        let (width, height) = self.picture.dimensions();
        let side = |px: u32| ((f64::from(px) * scale).round() as u32).max(1);
        let (to_width, to_height) = (side(width), side(height));
        let classes = GrayImage::from_fn(to_width, to_height, |x, y| {
            let place =
                |at: u32, from: u32, to: u32| ((2 * u64::from(at) + 1) * u64::from(from) / (2 * u64::from(to))) as u32;
            *self.classes.get_pixel(place(x, width, to_width), place(y, height, to_height))
        });
        let across = f64::from(to_width) / f64::from(width);
        let down = f64::from(to_height) / f64::from(height);
        Ok(Self {
            picture: resize_rgb(&self.picture, to_width, to_height)?,
            mask: resize_gray(&self.mask, to_width, to_height)?,
            core: resize_gray(&self.core, to_width, to_height)?,
            classes,
            frame_edge_px: self.frame_edge_px * scale,
            marks: self
                .marks
                .into_iter()
                .map(|mark| Mark { shape: mark.shape.map(|(x, y)| (x * across, y * down)), ..mark })
                .collect(),
            ..self
        })
    }
}

/// One number per cell.
pub type Labelled = ImageBuffer<Luma<u32>, Vec<u32>>;

fn map(picture: &GrayImage, to: impl Fn(u8) -> u8) -> GrayImage {
    let mut mapped = picture.clone();
    mapped.iter_mut().for_each(|level| *level = to(*level));
    mapped
}

/// The depth of every pixel inside its cell; cells are the 4-connected components that are not specks.
pub fn core_map(mask: &GrayImage) -> GrayImage {
    let least_px = least_cell_px(mask);
    let mut labels = connected_components(mask, Connectivity::Four, Luma([0]));
    let areas_px = areas_px(&labels);
    for Luma([label]) in labels.pixels_mut() {
        if f64::from(areas_px[*label as usize]) < least_px {
            *label = 0;
        }
    }
    depth(&labels)
}

/// The depth of every pixel inside its cell, 255 at its maximum. Where two cells touch, the line between them is the edge
/// of both.
pub fn depth(labels: &Labelled) -> GrayImage {
    let (width, height) = labels.dimensions();
    // 255 outside and on the line between two cells, from which the distance is measured.
    let edge = GrayImage::from_fn(width, height, |x, y| {
        let own = labels.get_pixel(x, y).0[0];
        let other = |x: u32, y: u32| x < width && y < height && ![0, own].contains(&labels.get_pixel(x, y).0[0]);
        Luma([if own == 0 || other(x + 1, y) || other(x, y + 1) { 255 } else { 0 }])
    });
    let squared = euclidean_squared_distance_transform(&edge);
    let mut greatest = vec![0_f64; labels.iter().max().map_or(0, |most| *most as usize) + 1];
    for (label, distance) in labels.pixels().zip(squared.pixels()) {
        let greatest = &mut greatest[label.0[0] as usize];
        *greatest = greatest.max(distance.0[0]);
    }
    GrayImage::from_fn(width, height, |x, y| {
        let label = labels.get_pixel(x, y).0[0] as usize;
        if label == 0 || greatest[label] <= 0.0 {
            return Luma([0]);
        }
        let depth = (squared.get_pixel(x, y).0[0] / greatest[label]).sqrt();
        Luma([(depth * 255.0).round() as u8])
    })
}

fn areas_px(labels: &Labelled) -> Vec<u32> {
    let mut areas_px = vec![0_u32; labels.iter().max().map_or(0, |most| *most as usize) + 1];
    labels.pixels().for_each(|label| areas_px[label.0[0] as usize] += 1);
    areas_px
}

/// Areas of the cells of a mask, in its pixels, without specks.
pub fn cell_areas_px(mask: &GrayImage) -> Vec<u32> {
    let labels = connected_components(mask, Connectivity::Four, Luma([0]));
    areas_px(&labels).into_iter().skip(1).filter(|area| f64::from(*area) >= least_cell_px(mask)).collect()
}

fn least_cell_px(mask: &GrayImage) -> f64 {
    let side = f64::from(mask.width().min(mask.height()));
    LEAST_CELL_PX_AT_1200 * (side / 1200.0).powi(2)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]
    use bloodseg_evaluate::marks::Shape;

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
    fn depth_is_greatest_at_centre_and_zero_outside() {
        let core = core_map(&mask());
        assert_eq!(core.get_pixel(80, 80).0[0], 255);
        assert_eq!(core.get_pixel(0, 0).0[0], 0);
        let half = f64::from(core.get_pixel(90, 80).0[0]) / 255.0;
        assert!((half - 0.5).abs() < 0.06, "{half}");
    }

    #[test]
    fn shrunk_field_keeps_cells_and_marks_in_place() {
        let mut field = Field::of_mask("f".into(), RgbImage::new(300, 300), mask());
        field.marks = vec![Mark { kind: bloodseg_evaluate::marks::Kind::Red, shape: Shape::Point(80.0, 80.0) }];
        let small = field.shrunk(0.5).expect("a field");
        assert_eq!((small.picture.dimensions(), small.frame_edge_px), ((150, 150), 150.0));
        assert_eq!(small.marks[0].shape, Shape::Point(40.0, 40.0));
        assert_eq!(
            (small.classes.get_pixel(40, 40).0[0], small.classes.get_pixel(75, 20).0[0]),
            (class::CELL, class::BACKGROUND)
        );
        assert!(small.core.get_pixel(40, 40).0[0] > 240 && small.mask.get_pixel(40, 40).0[0] == 255);
    }

    #[test]
    fn specks_are_not_cells() {
        assert_eq!(core_map(&mask()).get_pixel(30, 250).0[0], 0);
        let areas = cell_areas_px(&mask());
        assert_eq!(areas.len(), 2);
        assert!(areas.iter().all(|area| (1200..1320).contains(area)), "{areas:?}");
    }
}
