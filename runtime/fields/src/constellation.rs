//! What is stored of a field: the positions and sizes of its cells, and which of them the border cuts.

use crate::{
    Cell, Frame,
    census::Census,
    error::{Error, Result},
    limits::{MAX_ANCHORS, MAX_CELLS, MAX_RIM},
};

/// A cell used to compare fields.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Anchor {
    /// Its centre; for a cell cut by the border, the likely centre of the whole cell.
    pub(crate) at: [f32; 2],
    /// Natural logarithm of its area.
    pub(crate) ln_area: f32,
    /// Whether the border cuts it, so that its area is meaningless.
    pub(crate) cut: bool,
    /// Whether it keeps its place in the picture while the specimen moves.
    pub(crate) stuck: bool,
    /// Its index among the cells of the frame.
    pub(crate) index: u16,
}

/// A field, in memory of fixed size.
#[derive(Debug)]
pub(crate) struct Constellation {
    pub(crate) number: u64,
    pub(crate) size_px: [f32; 2],
    /// Median diameter of the cells that the border does not cut: the unit of every tolerance.
    pub(crate) diameter_px: f32,
    /// Standard deviation of the logarithm of their areas, from the interquartile range.
    pub(crate) ln_area_sd: f32,
    /// At most [`MAX_ANCHORS`]: whole ones, cut ones, stuck ones, each sorted by area.
    pub(crate) anchors: Vec<Anchor>,
    /// How many of the anchors are whole, and how many are not stuck.
    ends: [usize; 2],
    /// Centres of cells that the border cuts, within the picture or beyond its border, at most [`MAX_RIM`].
    pub(crate) rim: Vec<[f32; 2]>,
}

impl Constellation {
    pub(crate) fn new() -> Self {
        Self {
            number: 0,
            size_px: [0.0; 2],
            diameter_px: 0.0,
            ln_area_sd: 0.0,
            ends: [0; 2],
            anchors: Vec::with_capacity(MAX_ANCHORS),
            rim: Vec::with_capacity(MAX_RIM),
        }
    }

    /// Copies another field into the existing memory.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        (self.number, self.size_px, self.diameter_px) = (other.number, other.size_px, other.diameter_px);
        (self.ln_area_sd, self.ends) = (other.ln_area_sd, other.ends);
        self.anchors.clone_from(&other.anchors);
        self.rim.clone_from(&other.rim);
    }

    /// Replaces the field with a frame.
    pub(crate) fn read(
        &mut self,
        frame: &Frame,
        cells: impl Iterator<Item = Cell> + Clone,
        census: &mut Census,
    ) -> Result<()> {
        let Frame { number, width_px, height_px } = *frame;
        if ![width_px, height_px].iter().all(|side| side.is_finite() && *side > 0.0) {
            return Err(Error::Size { width_px, height_px });
        }
        census.clear();
        for (index, cell) in cells.clone().enumerate() {
            if index >= MAX_CELLS {
                return Err(Error::TooManyCells { most: MAX_CELLS });
            }
            if ![cell.x_px, cell.y_px, cell.area_px].iter().all(|value| value.is_finite()) {
                return Err(Error::Cell { index });
            }
            census.add(ln_area(&cell), cell.touches_border);
        }
        (self.number, self.size_px) = (number, [width_px as f32, height_px as f32]);
        self.diameter_px = (census.quartile(2).exp() * 4.0 / std::f32::consts::PI).sqrt();
        // The interquartile range of a normal distribution is 1.349 standard deviations.
        self.ln_area_sd = (census.quartile(3) - census.quartile(1)) / 1.349;
        self.rim.clear();
        self.anchors.clear();
        // If there are too many, the largest: a cell that is large in one frame is large in the next.
        let mut room = census.largest(MAX_ANCHORS);
        for (index, cell) in cells.enumerate() {
            let at = self.centre(&cell);
            let (ln_area, cut) = (ln_area(&cell), cell.touches_border);
            if cut && self.rim.len() < MAX_RIM {
                self.rim.push(at);
            }
            if room.takes(ln_area) && self.holds(at) {
                self.anchors.push(Anchor { at, ln_area, cut, stuck: false, index: index as u16 });
            }
        }
        self.sort();
        Ok(())
    }

    /// Sorts the anchors; again after some were found to be stuck.
    pub(crate) fn sort(&mut self) {
        self.anchors.sort_unstable_by(|a, b| {
            let order = (a.stuck, a.cut).cmp(&(b.stuck, b.cut));
            order.then(a.ln_area.total_cmp(&b.ln_area)).then(a.index.cmp(&b.index))
        });
        self.ends[0] = self.anchors.partition_point(|anchor| !anchor.stuck && !anchor.cut);
        self.ends[1] = self.anchors.partition_point(|anchor| !anchor.stuck);
    }

    /// Anchors that are neither cut nor stuck, smallest first.
    pub(crate) fn whole(&self) -> &[Anchor] {
        &self.anchors[..self.ends[0]]
    }

    /// Anchors that are not stuck: whole ones, then cut ones.
    pub(crate) fn compared(&self) -> &[Anchor] {
        &self.anchors[..self.ends[1]]
    }

    /// The centre of a cell. If the border cuts the cell it is estimated: the visible part has its centroid nearer to
    /// the middle of the picture. Between half a disk, with the centroid 0.424 radii off the border, and a whole one,
    /// at one radius, the relation is taken as linear, which is accurate within 3 % of a radius.
    pub(crate) fn centre(&self, cell: &Cell) -> [f32; 2] {
        const OF_HALF: f32 = 0.424;
        let at = [cell.x_px as f32, cell.y_px as f32];
        if !cell.touches_border {
            return at;
        }
        let radius_px = self.diameter_px / 2.0;
        let outwards = |distance: f32| (radius_px - distance).max(0.0) * (1.0 / (1.0 - OF_HALF) - 1.0);
        std::array::from_fn(|axis| at[axis] - outwards(at[axis]) + outwards(self.size_px[axis] - at[axis]))
    }

    /// Whether a position lies in the picture.
    pub(crate) fn holds(&self, at: [f32; 2]) -> bool {
        (0..2).all(|axis| (0.0..=self.size_px[axis]).contains(&at[axis]))
    }
}

fn ln_area(cell: &Cell) -> f32 {
    (cell.area_px.max(1.0) as f32).ln()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cell(x_px: f64, y_px: f64, area_px: f64, touches_border: bool) -> Cell {
        Cell { x_px, y_px, area_px, touches_border }
    }

    fn read(cells: &[Cell]) -> Result<Constellation> {
        let mut field = Constellation::new();
        let frame = Frame { number: 7, width_px: 200.0, height_px: 100.0 };
        field.read(&frame, cells.iter().copied(), &mut Census::new())?;
        Ok(field)
    }

    #[test]
    fn largest_cells_are_kept_and_median_diameter_is_unit() {
        let cells: Vec<Cell> = (0..300).map(|i| cell(f64::from(i) * 0.6, 50.0, 100.0 + f64::from(i), false)).collect();
        let field = read(&cells).unwrap();
        assert_eq!((field.anchors.len(), field.number), (MAX_ANCHORS, 7));
        assert!(field.anchors.is_sorted_by_key(|anchor| anchor.ln_area));
        assert!((40..48).contains(&field.anchors[0].index), "{:?}", field.anchors[0]);
        assert!((field.diameter_px - (249.0_f32 * 4.0 / std::f32::consts::PI).sqrt()).abs() < 0.2);
    }

    #[test]
    fn centre_of_halved_cell_is_on_border() {
        // A disk of radius 10 has 314 pixels.
        let whole = [cell(50.0, 50.0, 314.0, false), cell(80.0, 50.0, 314.0, false)];
        let half = cell(4.24, 50.0, 157.0, true);
        let corner = cell(195.76, 95.76, 80.0, true);
        let field = read(&[whole[0], whole[1], half, corner]).unwrap();
        assert!(field.rim[0][0].abs() < 0.1 && field.rim[0][1] == 50.0, "{:?}", field.rim);
        assert!((field.rim[1][0] - 200.0).abs() < 0.1 && (field.rim[1][1] - 100.0).abs() < 0.1, "{:?}", field.rim);
        assert_eq!(field.rim.len(), 2);
    }

    #[test]
    fn invalid_pictures_and_cells_are_rejected() {
        let nowhere = cell(f64::NAN, 0.0, 1.0, false);
        assert_eq!(read(&[cell(1.0, 1.0, 1.0, false), nowhere]).unwrap_err(), Error::Cell { index: 1 });
        let most = vec![cell(1.0, 1.0, 1.0, false); MAX_CELLS];
        assert_eq!(read(&most).unwrap().anchors.len(), MAX_ANCHORS);
        let too_many = vec![cell(1.0, 1.0, 1.0, false); MAX_CELLS + 1];
        assert_eq!(read(&too_many).unwrap_err(), Error::TooManyCells { most: MAX_CELLS });
        let flat = Frame { number: 0, width_px: 0.0, height_px: 1.0 };
        let found = Constellation::new().read(&flat, std::iter::empty(), &mut Census::new()).unwrap_err();
        assert!(found.to_string().starts_with("picture: 0 x 1 pixels; expected"), "{found}");
    }
}
