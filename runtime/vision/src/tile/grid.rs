//! Positions of the tiles of a picture.

use image::RgbImage;

use crate::{
    frame::refit::refit,
    geometry::TILE_PX,
    tile::limits::{TILE_ALIGN_PX, TILE_OVERLAP_PX},
};

/// Tiles of 64x64 that cover a picture. Neighbours overlap by 24 pixels; the last tile of a row or column is moved back
/// to end with the picture, so it overlaps more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grid {
    /// Left edges of the columns, ascending, multiples of 4.
    pub xs: Vec<u32>,
    /// Upper edges of the rows, ascending, multiples of 4.
    pub ys: Vec<u32>,
    /// Width of the padded picture: a multiple of 4, at least 64.
    pub width: u32,
    /// Height of the padded picture: a multiple of 4, at least 64.
    pub height: u32,
}

impl Grid {
    /// The grid over a picture of `width` x `height`, which is first padded on its right and lower edge.
    pub fn over(width: u32, height: u32) -> Self {
        let mut grid = Self::default();
        grid.lay_over(width, height);
        grid
    }

    /// Changes to the grid over another picture, reusing memory.
    pub fn lay_over(&mut self, width: u32, height: u32) {
        let padded = |side: u32| side.next_multiple_of(TILE_ALIGN_PX).max(TILE_PX);
        (self.width, self.height) = (padded(width), padded(height));
        lay_offsets(&mut self.xs, self.width);
        lay_offsets(&mut self.ys, self.height);
    }

    /// Number of tiles.
    pub fn tiles(&self) -> usize {
        self.xs.len() * self.ys.len()
    }

    /// `picture` with its last column and row repeated up to the size of the grid: itself if it has that size, else in
    /// `padded`.
    pub fn pad<'a>(&self, picture: &'a RgbImage, padded: &'a mut RgbImage) -> &'a RgbImage {
        let (width, height) = picture.dimensions();
        if (width, height) == (self.width, self.height) || width == 0 || height == 0 {
            return picture;
        }
        refit(padded, self.width, self.height);
        for (x, y, pixel) in padded.enumerate_pixels_mut() {
            *pixel = *picture.get_pixel(x.min(width - 1), y.min(height - 1));
        }
        padded
    }
}

fn lay_offsets(offsets: &mut Vec<u32>, side: u32) {
    let last = side - TILE_PX;
    offsets.clear();
    offsets.extend((0..last).step_by((TILE_PX - TILE_OVERLAP_PX) as usize));
    offsets.push(last);
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_picture_is_one_edge_padded_tile() {
        let grid = Grid::over(1, 3);
        assert_eq!((grid.tiles(), grid.width, grid.height), (1, 64, 64));
        let picture = RgbImage::from_fn(1, 3, |_, y| Rgb([y as u8; 3]));
        let mut memory = RgbImage::new(0, 0);
        let padded = grid.pad(&picture, &mut memory);
        assert_eq!(padded.dimensions(), (64, 64));
        assert_eq!((padded.get_pixel(63, 1).0[0], padded.get_pixel(0, 63).0[0]), (1, 2));
    }

    #[test]
    fn tile_sized_picture_is_not_copied() {
        let picture = RgbImage::new(64, 64);
        assert!(std::ptr::eq(Grid::over(64, 64).pad(&picture, &mut RgbImage::new(0, 0)), &picture));
    }

    #[test]
    fn last_tile_ends_with_picture() {
        assert_eq!(Grid::over(68, 104).xs, [0, 4]);
        assert_eq!(Grid::over(68, 104).ys, [0, 40]);
        assert_eq!(Grid::over(66, 108).ys, [0, 40, 44]);
    }

    proptest! {
        #[test]
        fn tiles_cover_overlap_and_are_aligned(width in 1_u32..700, height in 1_u32..700) {
            let grid = Grid::over(width, height);
            prop_assert!(grid.width >= width && grid.width - width < 64 && grid.width.is_multiple_of(4));
            for (offsets, side) in [(&grid.xs, grid.width), (&grid.ys, grid.height)] {
                prop_assert_eq!((offsets.first(), offsets.last()), (Some(&0), Some(&(side - TILE_PX))));
                for pair in offsets.windows(2) {
                    prop_assert!(pair[0] < pair[1] && pair[1] - pair[0] <= TILE_PX - TILE_OVERLAP_PX);
                    prop_assert_eq!(pair[1] % TILE_ALIGN_PX, 0);
                }
            }
        }
    }
}
