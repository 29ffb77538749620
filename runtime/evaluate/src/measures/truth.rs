//! The true instances of a field, extracted from its mask.
//!
//! Annotators separate touching cells by a line 1 to 3 px wide at 1200 px. Downscaling the mask erases most of those
//! lines, so cells are separated at the mask's own size and their labels are then sampled on the small grid.

use image::{GrayImage, Luma};

use crate::measures::FOREGROUND_ABOVE;
use bloodseg_vision::{
    cells::Labels,
    error::{Error, Result},
    frame::{components::components, reference::centre_square},
};

/// Components with fewer pixels are not cells, in a mask of [`REFERENCE_PX`].
pub const LEAST_AREA_PX: f64 = 300.0;

/// Edge of the square that [`LEAST_AREA_PX`] belongs to.
pub const REFERENCE_PX: u32 = 1200;

/// Smallest area of a cell in a square mask of another size, in its own pixels, unrounded.
pub fn least_area_px(square_px: u32) -> f64 {
    LEAST_AREA_PX * (f64::from(square_px) / f64::from(REFERENCE_PX)).powi(2)
}

/// Cells of a mask at its own size: 4-connected components of at least [`least_area_px`], numbered 1.. in raster order
/// of their first pixel. `square` is cropped to its centre square if it is not square.
///
/// Fails only if there are more cells than labels, which that minimum area rules out.
pub fn instances(square: &GrayImage) -> Result<Labels> {
    let (left, top, edge) = centre_square(square.width(), square.height());
    let mask = GrayImage::from_fn(edge, edge, |x, y| {
        Luma([u8::from(square.get_pixel(left + x, top + y).0[0] > FOREGROUND_ABOVE)])
    });
    let components = components(&mask);
    let mut areas_px: Vec<u32> = Vec::new();
    for &Luma([label]) in components.pixels() {
        let at = label as usize;
        if areas_px.len() <= at {
            areas_px.resize(at + 1, 0);
        }
        areas_px[at] += 1;
    }
    let mut renumbered = vec![0_u16; areas_px.len()];
    let mut count = 0_u16;
    for (number, &area_px) in renumbered.iter_mut().zip(&areas_px).skip(1) {
        if f64::from(area_px) >= least_area_px(edge) {
            count = count.checked_add(1).ok_or_else(|| Error::internal("truth", "more than 65535 cells"))?;
            *number = count;
        }
    }
    let numbers = components.pixels().map(|&Luma([label])| renumbered[label as usize]).collect();
    Labels::from_raw(edge, edge, numbers).ok_or_else(|| Error::internal("truth", "buffer size"))
}

/// Number of cells of [`instances`]: its labels have no gaps.
pub fn count(instances: &Labels) -> u32 {
    instances.pixels().map(|&Luma([label])| u32::from(label)).max().unwrap_or(0)
}

/// The labels at the pixel centres of a grid of `grid_px` x `grid_px`. Cells keep their numbers; a cell without a pixel
/// centre disappears. Pixel positions are those of a resize: pixel `i` has its centre at `(i + 1/2) * edge / grid_px`.
pub fn sample(instances: &Labels, grid_px: u32) -> Labels {
    let at = |i: u32, edge: u32| ((u64::from(2 * i + 1) * u64::from(edge)) / u64::from(2 * grid_px)) as u32;
    let (width, height) = instances.dimensions();
    Labels::from_fn(grid_px, grid_px, |x, y| *instances.get_pixel(at(x, width), at(y, height)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rectangle(mask: &mut GrayImage, (left, top, width, height): (u32, u32, u32, u32)) {
        for y in top..top + height {
            for x in left..left + width {
                mask.put_pixel(x, y, Luma([255]));
            }
        }
    }

    #[test]
    fn minimum_area_is_300_px_at_1200() {
        let mut mask = GrayImage::new(1200, 1200);
        rectangle(&mut mask, (10, 10, 23, 13)); // 299
        rectangle(&mut mask, (100, 10, 20, 15)); // 300
        rectangle(&mut mask, (10, 100, 30, 30));
        let found = instances(&mask).unwrap();
        assert_eq!(count(&found), 2);
        assert_eq!(found.get_pixel(10, 10).0, [0]);
        assert_eq!(found.get_pixel(100, 10).0, [1]);
        assert_eq!(found.get_pixel(10, 100).0, [2]);
    }

    #[test]
    fn minimum_area_scales_with_size() {
        assert_eq!(least_area_px(600), 75.0);
        let mut mask = GrayImage::new(600, 600);
        rectangle(&mut mask, (0, 0, 2, 37)); // 74
        rectangle(&mut mask, (10, 0, 5, 15)); // 75
        assert_eq!(count(&instances(&mask).unwrap()), 1);
    }

    #[test]
    fn corners_do_not_connect_and_thin_line_separates() {
        let mut mask = GrayImage::new(1200, 1200);
        rectangle(&mut mask, (0, 0, 40, 40));
        rectangle(&mut mask, (40, 40, 40, 40));
        rectangle(&mut mask, (81, 40, 40, 40));
        assert_eq!(count(&instances(&mask).unwrap()), 3);
    }

    #[test]
    fn labels_are_sampled_at_centres() {
        let labels = Labels::from_fn(9, 9, |x, y| Luma([(y * 9 + x) as u16]));
        let sampled = sample(&labels, 3);
        assert_eq!(sampled.as_raw(), &[10, 13, 16, 37, 40, 43, 64, 67, 70]);
        // 8 -> 4: the centres fall between two pixels; the later one is used
        let labels = Labels::from_fn(8, 1, |x, _| Luma([x as u16]));
        assert_eq!(&sample(&labels, 4).as_raw()[..4], &[1, 3, 5, 7]);
    }

    #[test]
    fn wide_mask_is_cropped() {
        let mut mask = GrayImage::new(1600, 1200);
        rectangle(&mut mask, (0, 0, 199, 1200));
        rectangle(&mut mask, (200, 0, 30, 30));
        let found = instances(&mask).unwrap();
        assert_eq!((found.dimensions(), count(&found), found.get_pixel(0, 0).0), ((1200, 1200), 1, [1]));
    }
}
