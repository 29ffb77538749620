//! Stitching: what the nets made of overlapping tiles becomes one picture without seams.
//!
//! Tiles come row by row. Each is blended into a strip, one tile high and as wide as the picture; a full
//! strip is blended into the picture below the strips before it. So only picture and strip are held.
//! Where two tiles overlap, the weight goes over from one to the other along a straight ramp; the outermost rim of a tile
//! has no weight there. All is integer: equal bytes blend to the same byte.

use std::ops::Range;

use super::grid::Grid;
use crate::{
    error::{Error, Result},
    limits::{SCALE, TILE_PX, TILE_RIM_PX, TILE_SR_PX},
};

/// A picture of `channels` bytes a pixel that grows tile by tile, on the super-resolved grid.
#[derive(Debug)]
pub struct Stitch {
    columns: Vec<Step>,
    rows: Vec<Step>,
    width: usize,
    channels: usize,
    strip: Vec<u8>,
    canvas: Vec<u8>,
    placed: usize,
}

/// Where a tile begins, and where along the axis it takes over from the tile before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    start: usize,
    ramp: Range<usize>,
}

impl Stitch {
    /// An empty picture over `grid`.
    pub fn new(grid: &Grid, channels: usize) -> Self {
        let (width, height) = ((grid.width * SCALE) as usize, (grid.height * SCALE) as usize);
        Self {
            columns: steps(&grid.xs),
            rows: steps(&grid.ys),
            width,
            channels,
            strip: vec![0; width * TILE_SR_PX as usize * channels],
            canvas: vec![0; width * height * channels],
            placed: 0,
        }
    }

    /// Adds the next tile, in rows from the left; 256x256 pixels.
    ///
    /// # Errors
    /// [`Error::Internal`] for a tile too many or of another size.
    pub fn place(&mut self, tile: &[u8]) -> Result<()> {
        let row_bytes = TILE_SR_PX as usize * self.channels;
        let (column, row) = (self.placed % self.columns.len(), self.placed / self.columns.len());
        if tile.len() != row_bytes * TILE_SR_PX as usize || row >= self.rows.len() {
            return Err(Error::internal("stitch", format!("tile {} of {} bytes", self.placed, tile.len())));
        }
        let step = &self.columns[column];
        for (to, from) in self.strip.chunks_exact_mut(self.width * self.channels).zip(tile.chunks_exact(row_bytes)) {
            let to = &mut to[step.start * self.channels..][..row_bytes];
            for (at, (to, from)) in to.chunks_exact_mut(self.channels).zip(from.chunks_exact(self.channels)).enumerate()
            {
                blend(to, from, step.start + at, &step.ramp);
            }
        }
        self.placed += 1;
        if column + 1 == self.columns.len() {
            self.lay_strip(row);
        }
        Ok(())
    }

    fn lay_strip(&mut self, row: usize) {
        let step = &self.rows[row];
        let row_bytes = self.width * self.channels;
        let canvas = &mut self.canvas[step.start * row_bytes..];
        for (at, (to, from)) in canvas.chunks_exact_mut(row_bytes).zip(self.strip.chunks_exact(row_bytes)).enumerate() {
            blend(to, from, step.start + at, &step.ramp);
        }
    }

    /// The bytes of the finished picture, those of a pixel together.
    ///
    /// # Errors
    /// [`Error::Internal`] when tiles are missing.
    pub fn finish(self) -> Result<Vec<u8>> {
        let tiles = self.columns.len() * self.rows.len();
        if self.placed == tiles {
            Ok(self.canvas)
        } else {
            Err(Error::internal("stitch", format!("{} of {tiles} tiles", self.placed)))
        }
    }
}

/// Along one axis, for tiles at `offsets` of the low-resolution grid.
fn steps(offsets: &[u32]) -> Vec<Step> {
    let sr = |px: u32| (px * SCALE) as usize;
    let first = offsets.iter().take(1).map(|&at| Step { start: sr(at), ramp: sr(at)..sr(at) });
    let others = offsets
        .windows(2)
        .map(|pair| Step { start: sr(pair[1]), ramp: sr(pair[1] + TILE_RIM_PX)..sr(pair[0] + TILE_PX - TILE_RIM_PX) });
    first.chain(others).collect()
}

/// Blends `from` into `to`, both at the place `at` of the axis: nothing of it before the ramp, all of it behind.
fn blend(to: &mut [u8], from: &[u8], at: usize, ramp: &Range<usize>) {
    if at < ramp.start {
        return;
    }
    if at >= ramp.end {
        to.copy_from_slice(from);
        return;
    }
    // Weights at the middles of the pixels: 1, 3, 5 ... of 2 n.
    let whole = 2 * ramp.len() as u32;
    let weight = 2 * (at - ramp.start) as u32 + 1;
    for (to, from) in to.iter_mut().zip(from) {
        let sum = u32::from(*to) * (whole - weight) + u32::from(*from) * weight;
        *to = ((sum + whole / 2) / whole) as u8;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    const EDGE: usize = TILE_SR_PX as usize;

    /// The tile at (x, y) of the super-resolved grid whose bytes `at` gives by place.
    fn tile(x: u32, y: u32, at: impl Fn(usize, usize) -> u8) -> Vec<u8> {
        let (x, y) = ((x * SCALE) as usize, (y * SCALE) as usize);
        (0..EDGE * EDGE).map(|i| at(x + i % EDGE, y + i / EDGE)).collect()
    }

    #[test]
    fn the_rim_of_a_tile_is_not_seen_where_a_neighbour_covers_it() {
        let grid = Grid::over(104, 64);
        let rim = (TILE_RIM_PX * SCALE) as usize;
        let mut stitch = Stitch::new(&grid, 1);
        for &x in &grid.xs {
            // 255 in the rims at the left and right of the tile, 100 elsewhere.
            let left = (x * SCALE) as usize;
            stitch
                .place(&tile(x, 0, |at, _| if at - left < rim || at - left >= EDGE - rim { 255 } else { 100 }))
                .unwrap();
        }
        let picture = stitch.finish().unwrap();
        for row in picture.chunks_exact(416) {
            assert!(row[rim..416 - rim].iter().all(|&level| level == 100));
            assert!(row[..rim].iter().chain(&row[416 - rim..]).all(|&level| level == 255));
        }
    }

    #[test]
    fn the_change_over_is_straight() {
        let grid = Grid::over(64, 104);
        let mut stitch = Stitch::new(&grid, 1);
        stitch.place(&vec![0; EDGE * EDGE]).unwrap();
        stitch.place(&vec![200; EDGE * EDGE]).unwrap();
        let picture = stitch.finish().unwrap();
        let column: Vec<u8> = picture.chunks_exact(256).map(|row| row[17]).collect();
        // Overlap 24 less two rims of 4 is 16: 64 of the fine rows from row 176 on.
        assert!(column[..176].iter().all(|&level| level == 0) && column[240..].iter().all(|&level| level == 200));
        let ramp = &column[175..=240];
        assert!(ramp.windows(2).all(|pair| (1..=4).contains(&(pair[1] - pair[0]))), "{ramp:?}");
    }

    #[test]
    fn a_missing_tile_and_one_too_many_are_errors() {
        let grid = Grid::over(104, 64);
        let mut stitch = Stitch::new(&grid, 1);
        stitch.place(&vec![0; EDGE * EDGE]).unwrap();
        assert!(stitch.place(&[0; 5]).is_err());
        assert!(Stitch::new(&grid, 1).finish().is_err());
        stitch.place(&vec![0; EDGE * EDGE]).unwrap();
        assert!(stitch.place(&vec![0; EDGE * EDGE]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn tiles_cut_from_a_picture_stitch_to_the_same_picture(width in 1_u32..200, height in 1_u32..200, salt in 0_usize..1000) {
            let grid = Grid::over(width, height);
            let at = |x: usize, y: usize| ((x * 31 + y * 57 + x * y + salt) % 251) as u8;
            let mut stitch = Stitch::new(&grid, 1);
            for &y in &grid.ys {
                for &x in &grid.xs {
                    stitch.place(&tile(x, y, at)).unwrap();
                }
            }
            let wide = (grid.width * SCALE) as usize;
            let wanted: Vec<u8> = (0..wide * (grid.height * SCALE) as usize).map(|i| at(i % wide, i / wide)).collect();
            prop_assert!(stitch.finish().unwrap() == wanted);
        }
    }
}
