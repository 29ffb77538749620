//! From maps to labels: peaks, flooding, removal of specks, numbering in raster order.

use image::GrayImage;

use super::{
    Labels,
    flood::{self, Framed, Ground, Levels, NONE},
    peaks::{self, Standard},
    runs::runs,
    seed::seed,
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
/// A pixel is foreground above `rule.foreground_level`. Every peak of the smoothed core map that `rule` accepts, with another
/// depth where the map of white cells says so, is grown within the foreground; a foreground component without one is a
/// single cell. Cells are 4-connected, those under `rule.least_area_px` are discarded.
///
/// # Errors
/// [`Error::Picture`] with more than [`MAX_CELLS`] cells, [`Error::Internal`] if the maps differ in size.
pub fn split(maps: &CellMaps, rule: &CellRule) -> Result<Labels> {
    let mut labels = Labels::default();
    Splitter::default().split(maps, rule, &mut labels)?;
    Ok(labels)
}

/// Finds the cells of one picture after another, reusing memory: 10 bytes per pixel and one for a frame around it,
/// whatever the picture contains.
#[derive(Debug, Default)]
pub struct Splitter {
    ground: Vec<Ground>,
    core: Vec<u8>,
    /// The order of the pixels, then the queue of the flooding, then the counts per region.
    first: Vec<u32>,
    /// The regions of the peaks, then the grown regions.
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
        if maps.kinds.as_ref().is_some_and(|kinds| kinds.white.dimensions() != (width, height)) {
            return Err(Error::internal("cells::split", "the kind maps have another size"));
        }
        refit(labels, width, height);
        let pixels = labels.len();
        if pixels == 0 {
            return Ok(());
        }
        let framed = Framed::new(width as usize, height as usize);
        // Cleared first: the frame is background, wherever it lies.
        self.ground.clear();
        refit_line(&mut self.ground, framed.len(), Ground::Outside);
        for (y, levels) in maps.foreground.as_raw().chunks_exact(width as usize).enumerate() {
            for (ground, &level) in self.ground[framed.row(y)].iter_mut().zip(levels) {
                *ground = if level > rule.foreground_level { Ground::Inside } else { Ground::Outside };
            }
        }
        refit_line(&mut self.core, framed.len(), 0);
        refit_line(&mut self.second, framed.len(), 0);
        // At most every second pixel is a peak, so there is room for two numbers per peak and two for the background.
        refit_line(&mut self.first, framed.len() + 4, 0);
        let (core, ground, grown) = (&mut self.core, &mut self.ground, &mut self.second);
        let queue = &mut self.first[..framed.len()];
        peaks::smooth(&maps.core, framed, core);
        peaks::mark(core, ground, &Standard::new(rule, framed, maps.kinds.as_ref()), queue, grown);
        let mut queue = Levels::new(queue);
        let peaks = seed(core, ground, grown, &mut queue);
        flood::flood(core, framed, grown, &mut queue);
        let (areas, numbers) = self.first.split_at_mut(peaks + 1);
        let numbers = numbers.get_mut(..=peaks).ok_or_else(|| Error::internal("cells::split", "too many peaks"))?;
        number(grown, framed, areas, numbers, rule.least_area_px, labels)
    }
}

/// The mask of the cells: 255 inside, 0 elsewhere.
pub fn mask(labels: &Labels) -> GrayImage {
    let mut mask = GrayImage::new(labels.width(), labels.height());
    for (level, &label) in mask.iter_mut().zip(labels.as_raw()) {
        *level = if label > 0 { 255 } else { 0 };
    }
    mask
}

/// Writes the labels of the grown regions: numbers in order of first pixels, 0 for specks. `areas` and `numbers`, with
/// one entry per peak and one before them, are scratch memory.
fn number(
    grown: &[u32],
    framed: Framed,
    areas: &mut [u32],
    numbers: &mut [u32],
    least_area_px: u32,
    labels: &mut Labels,
) -> Result<()> {
    areas.fill(0);
    for run in runs(grown, NONE) {
        areas[run.value as usize] += (run.end - run.begin) as u32;
    }
    numbers.fill(0);
    let mut cells = 0_u16;
    let width = labels.width() as usize;
    for (y, row) in labels.chunks_exact_mut(width).enumerate() {
        row.fill(0);
        for run in runs(&grown[framed.row(y)], NONE) {
            let peak = run.value as usize;
            if peak != 0 && numbers[peak] == 0 && areas[peak] >= least_area_px {
                cells = cells.checked_add(1).ok_or_else(|| {
                    Error::picture(
                        format!("more than {MAX_CELLS} cells"),
                        format!("at most {MAX_CELLS} cells in one picture"),
                        "Split the picture into smaller ones",
                    )
                })?;
                numbers[peak] = u32::from(cells);
            }
            // Numbers have 16 bits.
            row[run.begin..run.end].fill(numbers[peak] as u16);
        }
    }
    Ok(())
}
