//! Tracks which cells of a montage were counted, by their position: the ground truth for judging frames.

use std::collections::HashMap;

use bloodseg_fields::Cell;
use bloodseg_vision::cells::Labels;

/// A labelled cell: its measures and its pixels.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) cell: Option<Cell>,
    pixels: Vec<[u32; 2]>,
}

/// The cells of a picture, in order of their labels; labels without pixels are skipped.
pub(super) fn cells(labels: &Labels) -> Vec<Found> {
    let most = labels.pixels().map(|label| label.0[0]).max().unwrap_or(0);
    let mut found = vec![Found::default(); usize::from(most)];
    for (x, y, label) in labels.enumerate_pixels() {
        if let Some(at) = usize::from(label.0[0]).checked_sub(1) {
            found[at].pixels.push([x, y]);
        }
    }
    for found in &mut found {
        let count = found.pixels.len() as f64;
        let sum = |axis: usize| found.pixels.iter().map(|at| f64::from(at[axis]) + 0.5).sum::<f64>();
        let at_border = |at: &[u32; 2]| at.contains(&0) || at[0] + 1 == labels.width() || at[1] + 1 == labels.height();
        let touches_border = found.pixels.iter().any(at_border);
        found.cell =
            (count > 0.0).then(|| Cell { x_px: sum(0) / count, y_px: sum(1) / count, area_px: count, touches_border });
    }
    found.retain(|found| found.cell.is_some());
    found
}

/// The counted cells of one montage, pixel by pixel.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// The counted cell that each pixel belongs to.
    owners: HashMap<[u32; 2], usize>,
    /// Pixels of each counted cell.
    sizes: Vec<usize>,
}

impl Counted {
    /// Whether a cell was already counted: it shares more than half of its own pixels, or of the other's, with a
    /// counted cell. `corner` is the position of the picture's corner.
    pub(super) fn holds(&self, found: &Found, corner: [u32; 2]) -> bool {
        let mut shared: HashMap<usize, usize> = HashMap::new();
        for at in &found.pixels {
            if let Some(owner) = self.owners.get(&[at[0] + corner[0], at[1] + corner[1]]) {
                *shared.entry(*owner).or_default() += 1;
            }
        }
        shared.into_iter().any(|(owner, shared)| 2 * shared > self.sizes[owner].min(found.pixels.len()))
    }

    /// Counts a cell.
    pub(super) fn add(&mut self, found: &Found, corner: [u32; 2]) {
        let owner = self.sizes.len();
        self.sizes.push(found.pixels.len());
        for at in &found.pixels {
            self.owners.entry([at[0] + corner[0], at[1] + corner[1]]).or_insert(owner);
        }
    }
}
