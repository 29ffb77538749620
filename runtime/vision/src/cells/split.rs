//! The maps of a picture become labels: peaks, flooding, specks out, numbers in raster order.

use image::{GrayImage, Luma};

use super::{
    Labels,
    flood::{self, Ground},
    peaks,
};
use crate::{
    cells::limits::MAX_CELLS,
    error::{Error, Result},
    frame::refit::{refit, refit_line},
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
    let mut labels = Labels::default();
    Splitter::default().split(maps, rule, &mut labels)?;
    Ok(labels)
}

/// Finds the cells of one picture after another, in the memory that the largest so far took: 10 bytes a pixel, whatever
/// is in the picture.
#[derive(Debug, Default)]
pub struct Splitter {
    ground: Vec<Ground>,
    core: Vec<u8>,
    /// The order of the pixels, then the queue of the flooding, then what is counted of each region.
    first: Vec<u32>,
    /// The regions of the peaks, then what has grown.
    second: Vec<u32>,
}

impl Splitter {
    /// As [`split()`]; the labels get the size of the maps.
    ///
    /// # Errors
    /// As [`split()`].
    pub fn split(&mut self, maps: &CellMaps, rule: &CellRule, labels: &mut Labels) -> Result<()> {
        let (width, height) = maps.foreground.dimensions();
        if maps.core.dimensions() != (width, height) {
            return Err(Error::internal("cells::split", "the two maps differ in size"));
        }
        refit(labels, width, height);
        let pixels = labels.len();
        if pixels == 0 {
            return Ok(());
        }
        refit_line(&mut self.ground, pixels, Ground::Outside);
        for (ground, &level) in self.ground.iter_mut().zip(maps.foreground.as_raw()) {
            *ground = if level > rule.foreground_level { Ground::Inside } else { Ground::Outside };
        }
        refit_line(&mut self.core, pixels, 0);
        refit_line(&mut self.second, pixels, 0);
        // At most every second pixel is a peak: there is room for two numbers of each, and two of the background.
        refit_line(&mut self.first, pixels + 4, 0);
        let (core, ground, grown) = (&mut self.core, &mut self.ground, &mut self.second);
        let (queue, width) = (&mut self.first[..pixels], width as usize);
        peaks::smooth(&maps.core, core);
        peaks::mark(core, ground, width, rule, queue, grown);
        let peaks = flood::grow(core, ground, width, grown, queue);
        let (areas, numbers) = self.first.split_at_mut(peaks + 1);
        let numbers = numbers.get_mut(..=peaks).ok_or_else(|| Error::internal("cells::split", "too many peaks"))?;
        number(grown, areas, numbers, rule.least_area_px)?;
        for (label, &peak) in labels.iter_mut().zip(grown.iter()) {
            // Numbers were made of 16 bits.
            *label = numbers[peak as usize] as u16;
        }
        Ok(())
    }
}

/// The mask of the cells: 255 where a label is, 0 elsewhere.
pub fn mask(labels: &Labels) -> GrayImage {
    GrayImage::from_fn(labels.width(), labels.height(), |x, y| {
        Luma([if labels.get_pixel(x, y).0[0] > 0 { 255 } else { 0 }])
    })
}

/// The final number of each grown region, 0 for specks, in order of first pixels. `areas` is memory to work in.
fn number(grown: &[u32], areas: &mut [u32], numbers: &mut [u32], least_area_px: u32) -> Result<()> {
    areas.fill(0);
    for &peak in grown {
        areas[peak as usize] += 1;
    }
    numbers.fill(0);
    let mut cells = 0_u16;
    for &peak in grown {
        let peak = peak as usize;
        if peak == 0 || numbers[peak] != 0 || areas[peak] < least_area_px {
            continue;
        }
        cells = cells.checked_add(1).ok_or_else(|| {
            Error::picture(
                format!("more than {MAX_CELLS} cells"),
                format!("at most {MAX_CELLS} cells in one picture"),
                "Cut the picture into smaller ones",
            )
        })?;
        numbers[peak] = u32::from(cells);
    }
    Ok(())
}
