//! Seamless stitching of the outputs for overlapping tiles.
//!
//! Tiles arrive row by row. Each is blended into a strip, one tile high and as wide as the picture; a complete strip is
//! blended into the picture below the previous strips. So only the picture and a strip are held, and the memory of the
//! strip is reused. If a row has one tile, the tile is the strip. Where two tiles overlap, the weight moves from one to
//! the other along a linear ramp; the rim of a tile has no weight there. Everything is integer: equal bytes blend to the
//! same byte.

use std::ops::Range;

use image::{ImageBuffer, Pixel};

use super::grid::Grid;
use crate::{
    error::{Error, Result},
    frame::refit::refit_line,
    geometry::{SCALE, TILE_PX, TILE_SR_PX},
    tile::limits::TILE_RIM_PX,
};

/// Stitches the tiles of one picture after another, with `channels` bytes per pixel, on the super-resolved grid.
#[derive(Debug)]
pub struct Stitch {
    columns: Vec<Step>,
    rows: Vec<Step>,
    width: usize,
    height: usize,
    channels: usize,
    strip: Vec<u8>,
    placed: usize,
}

/// Where a tile begins, and where along the axis it takes over from the previous one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    start: usize,
    ramp: Range<usize>,
}

impl Stitch {
    /// For pixels of `channels` bytes; allocates nothing yet.
    pub fn new(channels: usize) -> Self {
        let (columns, rows, strip) = Default::default();
        Self { columns, rows, width: 0, height: 0, channels, strip, placed: 0 }
    }

    /// Starts a picture over `grid`, reusing memory.
    pub fn begin(&mut self, grid: &Grid) {
        (self.width, self.height) = ((grid.width * SCALE) as usize, (grid.height * SCALE) as usize);
        lay_steps(&mut self.columns, &grid.xs);
        lay_steps(&mut self.rows, &grid.ys);
        if self.columns.len() > 1 {
            refit_line(&mut self.strip, self.width * TILE_SR_PX as usize * self.channels, 0);
        }
        self.placed = 0;
    }

    /// Adds the next tile, in rows from the left; 256x256 pixels. A complete row of tiles is written to `canvas`, which
    /// is as large as the grid, or smaller: what lies beyond its right and lower edge is discarded.
    ///
    /// # Errors
    /// [`Error::Internal`] for an extra tile, a tile of another size, or a canvas of another pixel type or larger size.
    pub fn place<P>(&mut self, tile: &[u8], canvas: &mut ImageBuffer<P, Vec<u8>>) -> Result<()>
    where
        P: Pixel<Subpixel = u8>,
    {
        let row_bytes = TILE_SR_PX as usize * self.channels;
        let columns = self.columns.len().max(1);
        let (column, row) = (self.placed % columns, self.placed / columns);
        if tile.len() != row_bytes * TILE_SR_PX as usize || row >= self.rows.len() {
            return Err(Error::internal("stitch", format!("tile {} of {} bytes", self.placed, tile.len())));
        }
        let (wide, high) = (canvas.width() as usize, canvas.height() as usize);
        if usize::from(P::CHANNEL_COUNT) != self.channels || wide > self.width || high > self.height {
            return Err(Error::internal("stitch", format!("a canvas of {wide}x{high}")));
        }
        if columns > 1 {
            self.blend_into_strip(column, tile);
        }
        self.placed += 1;
        if column + 1 == columns && wide > 0 {
            let strip = if columns > 1 { &self.strip } else { tile };
            self.lay_strip(row, strip, canvas, wide * self.channels);
        }
        Ok(())
    }

    /// Before the ramp nothing of the tile is used, after it everything: one copy per row.
    fn blend_into_strip(&mut self, column: usize, tile: &[u8]) {
        let Self { columns, strip, width, channels, .. } = self;
        let (step, channels, tile_px) = (&columns[column], *channels, TILE_SR_PX as usize);
        let [begin, end] = [step.ramp.start, step.ramp.end].map(|at| (at - step.start) * channels);
        let rows = tile.chunks_exact(tile_px * channels);
        for (to, from) in strip.chunks_exact_mut(*width * channels).zip(rows) {
            let to = &mut to[step.start * channels..][..tile_px * channels];
            let ramp = to[begin..end].chunks_exact_mut(channels).zip(from[begin..end].chunks_exact(channels));
            for (at, (to, from)) in step.ramp.clone().zip(ramp) {
                blend(to, from, at, &step.ramp);
            }
            to[end..].copy_from_slice(&from[end..]);
        }
    }

    fn lay_strip(&self, row: usize, strip: &[u8], canvas: &mut [u8], canvas_row_bytes: usize) {
        let step = &self.rows[row];
        let rows = canvas.chunks_exact_mut(canvas_row_bytes).skip(step.start);
        for (at, (to, from)) in rows.zip(strip.chunks_exact(self.width * self.channels)).enumerate() {
            blend(to, &from[..canvas_row_bytes], step.start + at, &step.ramp);
        }
    }

    /// Checks that the picture is complete.
    ///
    /// # Errors
    /// [`Error::Internal`] if tiles are missing.
    pub fn finish(&self) -> Result<()> {
        let tiles = self.columns.len() * self.rows.len();
        if self.placed == tiles {
            Ok(())
        } else {
            Err(Error::internal("stitch", format!("{} of {tiles} tiles", self.placed)))
        }
    }
}

/// Along one axis, for tiles at `offsets` on the low-resolution grid.
fn lay_steps(steps: &mut Vec<Step>, offsets: &[u32]) {
    let sr = |px: u32| (px * SCALE) as usize;
    steps.clear();
    steps.extend(offsets.iter().take(1).map(|&at| Step { start: sr(at), ramp: sr(at)..sr(at) }));
    let takes_over = |pair: &[u32]| sr(pair[1] + TILE_RIM_PX)..sr(pair[0] + TILE_PX - TILE_RIM_PX);
    steps.extend(offsets.windows(2).map(|pair| Step { start: sr(pair[1]), ramp: takes_over(pair) }));
}

/// Blends `from` into `to`, both at position `at` of the axis: nothing of it before the ramp, everything after.
fn blend(to: &mut [u8], from: &[u8], at: usize, ramp: &Range<usize>) {
    if at < ramp.start {
        return;
    }
    if at >= ramp.end {
        to.copy_from_slice(from);
        return;
    }
    // Weights at the pixel centres: 1, 3, 5 ... of 2 n.
    let whole = 2 * ramp.len() as u32;
    let weight = 2 * (at - ramp.start) as u32 + 1;
    let of_whole = reciprocal(whole);
    for (to, from) in to.iter_mut().zip(from) {
        let sum = u32::from(*to) * (whole - weight) + u32::from(*from) * weight;
        *to = ((u64::from(sum + whole / 2) * of_whole) >> 32) as u8;
    }
}

/// Multiplying by this and shifting by 32 divides by `whole`, at most two tiles: exact for sums of levels whose weights
/// add up to it, because their product with it is below 2^32.
fn reciprocal(whole: u32) -> u64 {
    (1 << 32) / u64::from(whole) + 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use image::GrayImage;
    use proptest::prelude::*;

    use super::*;

    const EDGE: usize = TILE_SR_PX as usize;

    /// A started stitch, and a canvas that shows unwritten pixels.
    fn started(grid: &Grid) -> (Stitch, GrayImage) {
        let mut stitch = Stitch::new(1);
        stitch.begin(grid);
        (stitch, GrayImage::from_pixel(grid.width * SCALE, grid.height * SCALE, image::Luma([77])))
    }

    /// The tile at (x, y) of the super-resolved grid with bytes from `at`.
    fn tile(x: u32, y: u32, at: impl Fn(usize, usize) -> u8) -> Vec<u8> {
        let (x, y) = ((x * SCALE) as usize, (y * SCALE) as usize);
        (0..EDGE * EDGE).map(|i| at(x + i % EDGE, y + i / EDGE)).collect()
    }

    #[test]
    fn tile_rim_is_hidden_by_neighbours() {
        let grid = Grid::over(104, 64);
        let rim = (TILE_RIM_PX * SCALE) as usize;
        let (mut stitch, mut canvas) = started(&grid);
        for &x in &grid.xs {
            // 255 in the left and right rims of the tile, 100 elsewhere.
            let left = (x * SCALE) as usize;
            let tile = tile(x, 0, |at, _| if at - left < rim || at - left >= EDGE - rim { 255 } else { 100 });
            stitch.place(&tile, &mut canvas).unwrap();
        }
        stitch.finish().unwrap();
        let picture = canvas.into_raw();
        for row in picture.chunks_exact(416) {
            assert!(row[rim..416 - rim].iter().all(|&level| level == 100));
            assert!(row[..rim].iter().chain(&row[416 - rim..]).all(|&level| level == 255));
        }
    }

    #[test]
    fn overlap_blends_in_linear_ramp() {
        let grid = Grid::over(64, 104);
        let (mut stitch, mut canvas) = started(&grid);
        stitch.place(&vec![0; EDGE * EDGE], &mut canvas).unwrap();
        stitch.place(&vec![200; EDGE * EDGE], &mut canvas).unwrap();
        stitch.finish().unwrap();
        let picture = canvas.into_raw();
        let column: Vec<u8> = picture.chunks_exact(256).map(|row| row[17]).collect();
        // An overlap of 24 minus two rims of 4 is 16: 64 of the fine rows from row 176 on.
        assert!(column[..176].iter().all(|&level| level == 0) && column[240..].iter().all(|&level| level == 200));
        let ramp = &column[175..=240];
        assert!(ramp.windows(2).all(|pair| (1..=4).contains(&(pair[1] - pair[0]))), "{ramp:?}");
    }

    #[test]
    fn missing_and_extra_tiles_are_errors() {
        let grid = Grid::over(104, 64);
        let (mut stitch, mut canvas) = started(&grid);
        stitch.place(&vec![0; EDGE * EDGE], &mut canvas).unwrap();
        assert!(stitch.place(&[0; 5], &mut canvas).is_err() && stitch.finish().is_err());
        stitch.place(&vec![0; EDGE * EDGE], &mut canvas).unwrap();
        assert!(stitch.place(&vec![0; EDGE * EDGE], &mut canvas).is_err());
        assert!(Stitch::new(1).place(&vec![0; EDGE * EDGE], &mut canvas).is_err(), "not begun");
    }

    #[test]
    fn canvas_of_wrong_pixel_type_or_size_is_rejected() {
        let (mut stitch, canvas) = started(&Grid::over(64, 64));
        let tile = vec![0; EDGE * EDGE];
        assert!(stitch.place(&tile, &mut GrayImage::new(257, 256)).is_err());
        assert!(stitch.place(&tile, &mut image::RgbImage::new(256, 256)).is_err());
        assert_eq!(canvas.dimensions(), (256, 256));
    }

    #[test]
    fn reciprocal_divides_exactly() {
        for whole in 2..=2 * TILE_SR_PX {
            for number in (0..=255 * whole + whole / 2).step_by(7).chain([255 * whole + whole / 2]) {
                assert_eq!((u64::from(number) * reciprocal(whole)) >> 32, u64::from(number / whole));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn tiles_stitch_back_to_their_picture(width in 1_u32..200, height in 1_u32..200, salt in 0_usize..1000) {
            let grid = Grid::over(width, height);
            let at = |x: usize, y: usize| ((x * 31 + y * 57 + x * y + salt) % 251) as u8;
            let (mut stitch, mut canvas) = started(&grid);
            // Without padding, and with memory that another picture used.
            let (mut cut_stitch, _) = started(&Grid::over(height, width));
            cut_stitch.begin(&grid);
            let mut cut = GrayImage::new(width * SCALE, height * SCALE);
            for &y in &grid.ys {
                for &x in &grid.xs {
                    stitch.place(&tile(x, y, at), &mut canvas).unwrap();
                    cut_stitch.place(&tile(x, y, at), &mut cut).unwrap();
                }
            }
            stitch.finish().unwrap();
            let level = |x: u32, y: u32| image::Luma([at(x as usize, y as usize)]);
            prop_assert!(canvas == GrayImage::from_fn(grid.width * SCALE, grid.height * SCALE, level));
            prop_assert!(cut == GrayImage::from_fn(width * SCALE, height * SCALE, level));
        }
    }
}
