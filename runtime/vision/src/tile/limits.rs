//! Overlap of tiles.

use crate::geometry::TILE_PX;

/// Pixels by which neighbouring tiles overlap, on the low-resolution grid.
pub const TILE_OVERLAP_PX: u32 = 24;

/// Outermost pixels of a tile that are not used where a neighbour covers them, because the models saw padding there.
pub const TILE_RIM_PX: u32 = 4;

/// Tile offsets are multiples of this, so that the strides of both models align in every tile.
pub const TILE_ALIGN_PX: u32 = 4;

const _: () = {
    assert!(TILE_PX.is_multiple_of(TILE_ALIGN_PX));
    assert!((TILE_PX - TILE_OVERLAP_PX).is_multiple_of(TILE_ALIGN_PX));
    assert!(TILE_RIM_PX * 2 < TILE_OVERLAP_PX);
    assert!(TILE_OVERLAP_PX * 2 <= TILE_PX);
};
