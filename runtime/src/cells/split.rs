//! The maps of a picture become labels: peaks, flooding, specks out, numbers in raster order.

use image::{GrayImage, Luma};

use super::{Labels, flood, peaks};
use crate::{
    error::{Error, Result},
    limits::MAX_CELLS,
    model::manifest::CellRule,
    segmentation::CellMaps,
};

/// Finds the cells of a picture.
///
/// A pixel is foreground above `rule.foreground_level`. Every peak of the smoothed core map that `rule` accepts is grown
/// inside the foreground; a foreground component without one is a single cell. Cells are 4-connected,
/// those under `rule.least_area_px` are left out.
///
/// # Errors
/// [`Error::Picture`] with more than [`MAX_CELLS`] cells, [`Error::Internal`] when the maps differ in size.
pub fn split(maps: &CellMaps, rule: &CellRule) -> Result<Labels> {
    let (width, height) = maps.foreground.dimensions();
    if maps.core.dimensions() != (width, height) {
        return Err(Error::internal("cells::split", "the two maps differ in size"));
    }
    if width == 0 || height == 0 {
        return Ok(Labels::new(width, height));
    }
    let inside: Vec<bool> = maps.foreground.as_raw().iter().map(|&level| level > rule.foreground_level).collect();
    let core = peaks::smooth(&maps.core);
    let markers = peaks::find(&core, &inside, width as usize, rule);
    let grown = flood::grow(&core, &inside, width as usize, &markers);
    let numbers = number(&grown, markers.len(), rule.least_area_px)?;
    let labels = grown.iter().map(|&marker| numbers[marker as usize]).collect();
    Labels::from_raw(width, height, labels).ok_or_else(|| Error::internal("cells::split", "buffer size"))
}

/// The mask of the cells: 255 where a label is, 0 elsewhere.
pub fn mask(labels: &Labels) -> GrayImage {
    GrayImage::from_fn(labels.width(), labels.height(), |x, y| {
        Luma([if labels.get_pixel(x, y).0[0] > 0 { 255 } else { 0 }])
    })
}

/// The final number of each grown region, 0 for specks, in order of first pixels.
fn number(grown: &[u32], markers: usize, least_area_px: u32) -> Result<Vec<u16>> {
    let mut areas = vec![0_u32; markers + 1];
    for &marker in grown {
        areas[marker as usize] += 1;
    }
    let mut numbers = vec![0; markers + 1];
    let mut cells = 0_usize;
    for &marker in grown {
        let marker = marker as usize;
        if marker == 0 || numbers[marker] != 0 || areas[marker] < least_area_px {
            continue;
        }
        cells += 1;
        numbers[marker] = u16::try_from(cells).map_err(|_| {
            Error::picture(
                format!("more than {MAX_CELLS} cells"),
                format!("at most {MAX_CELLS} cells in one picture"),
                "Cut the picture into smaller ones",
            )
        })?;
    }
    Ok(numbers)
}
