//! Joins pieces that are too near each other to be two cells.
//!
//! Red cells that overlap are separated by a saddle as shallow as the one between the halves of a single cell with a bright
//! centre or a fold. Their distance tells them apart: the centres of two cells are half a diameter apart or more.

use std::cmp::Reverse;

use super::{
    flood::{Framed, Ground, NONE},
    runs::runs,
};

/// Joins the pieces beside each [`Ground::Saddle`], from the highest one down, if their centroids are less than `centres_px`
/// apart; joined pieces count as one for the next saddle. `grown` has the number of its piece for each pixel, from 1 to
/// `pieces`, or [`NONE`].
///
/// `scratch` needs one entry per saddle and [`ENTRIES`] per piece; without room for them nothing is joined. As long as the
/// picture, it has room for pieces of at least [`ENTRIES`] pixels on average, and specks are smaller than cells.
pub(super) fn join(
    core: &[u8],
    ground: &[Ground],
    framed: Framed,
    centres_px: u8,
    grown: &mut [u32],
    pieces: usize,
    scratch: &mut [u32],
) {
    let mut count = 0;
    for (at, _) in ground.iter().enumerate().filter(|(_, ground)| **ground == Ground::Saddle) {
        scratch[count] = at as u32;
        count += 1;
    }
    let (saddles, rest) = scratch.split_at_mut(count);
    let Some(table) = rest.as_chunks_mut::<ENTRIES>().0.get_mut(..=pieces).filter(|_| count > 0) else { return };
    saddles.sort_unstable_by_key(|&at| (Reverse(core[at as usize]), at));
    measure(grown, framed, table);
    let mut is_joined = false;
    for &saddle in saddles.iter() {
        let here = grown[saddle as usize];
        for neighbour in framed.neighbours(saddle as usize).map(|at| grown[at]).into_iter().filter(|at| *at != NONE) {
            let (to, from) = (root(table, here), root(table, neighbour));
            let (a, b) = (Piece::from(table[to]), Piece::from(table[from]));
            if to != from && a.is_near(b, centres_px) {
                table[to] = a.with(b).into();
                table[from][0] = to as u32;
                is_joined = true;
            }
        }
    }
    if !is_joined {
        return;
    }
    for piece in 0..table.len() {
        table[piece][0] = root(table, piece as u32) as u32;
    }
    for number in grown.iter_mut().filter(|number| **number != NONE) {
        *number = table[*number as usize][0];
    }
}

/// Entries of scratch memory per piece.
pub(super) const ENTRIES: usize = 6;

/// A piece, with the sums of the coordinates of its pixels.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// The piece that it was joined to, or itself.
    parent: u32,
    area_px: u32,
    x: u64,
    y: u64,
}

impl Piece {
    /// Whether the centroids, in steps of 1/256 px, are less than `centres_px` apart.
    fn is_near(self, other: Self, centres_px: u8) -> bool {
        let ([x, y], [other_x, other_y]) = (self.centre(), other.centre());
        let square = |side: u64| u128::from(side).pow(2);
        square(x.abs_diff(other_x)) + square(y.abs_diff(other_y)) < square(256 * u64::from(centres_px))
    }

    fn centre(self) -> [u64; 2] {
        [self.x, self.y].map(|sum| 256 * sum / u64::from(self.area_px.max(1)))
    }

    fn with(self, other: Self) -> Self {
        Self { area_px: self.area_px + other.area_px, x: self.x + other.x, y: self.y + other.y, ..self }
    }
}

impl From<[u32; ENTRIES]> for Piece {
    fn from([parent, area_px, x, x_high, y, y_high]: [u32; ENTRIES]) -> Self {
        let wide = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        Self { parent, area_px, x: wide(x, x_high), y: wide(y, y_high) }
    }
}

impl From<Piece> for [u32; ENTRIES] {
    fn from(Piece { parent, area_px, x, y }: Piece) -> Self {
        [parent, area_px, x as u32, (x >> 32) as u32, y as u32, (y >> 32) as u32]
    }
}

/// Fills the table of pieces.
fn measure(grown: &[u32], framed: Framed, table: &mut [[u32; ENTRIES]]) {
    for (number, piece) in (0..).zip(table.iter_mut()) {
        *piece = Piece { parent: number, area_px: 0, x: 0, y: 0 }.into();
    }
    for (y, row) in framed.rows().enumerate() {
        for run in runs(&grown[row], NONE) {
            let (piece, length) = (&mut table[run.value as usize], run.end - run.begin);
            let x = ((run.begin + run.end - 1) * length / 2) as u64;
            let part = Piece { parent: 0, area_px: length as u32, x, y: (y * length) as u64 };
            *piece = Piece::from(*piece).with(part).into();
        }
    }
}

/// The piece that `number` was joined to.
fn root(table: &[[u32; ENTRIES]], number: u32) -> usize {
    let mut at = number;
    while table[at as usize][0] != at {
        at = table[at as usize][0];
    }
    at as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers in a row of pieces that meet at the pixels `saddles`, with memory for `entries`.
    fn joined(row: &[u32], saddles: &[usize], centres_px: u8, entries: usize) -> Vec<u32> {
        let framed = Framed::new(row.len(), 1);
        let (mut grown, mut ground) = (vec![NONE; framed.len()], vec![Ground::Outside; framed.len()]);
        let pixels = framed.row(0);
        grown[pixels.clone()].copy_from_slice(row);
        ground[pixels.clone()].fill(Ground::Inside);
        saddles.iter().for_each(|at| ground[pixels.start + at] = Ground::Saddle);
        let pieces = row.iter().copied().max().unwrap_or(0) as usize;
        join(&vec![9; framed.len()], &ground, framed, centres_px, &mut grown, pieces, &mut vec![3; entries]);
        grown[pixels].to_vec()
    }

    #[test]
    fn pieces_are_joined_up_to_the_distance() {
        let row = [1, 1, 1, 1, 2, 2, 2, 2];
        assert_eq!(joined(&row, &[3], 5, 99), [1; 8]);
        assert_eq!(joined(&row, &[3], 4, 99), row);
        assert_eq!(joined(&row, &[], 5, 99), row);
    }

    #[test]
    fn joined_pieces_have_one_centre() {
        // The first two are 2 apart; the third is 2 from the second, and 3 from both together.
        let row = [1, 1, 2, 2, 3, 3];
        assert_eq!(joined(&row, &[1, 3], 3, 99), [1, 1, 1, 1, 3, 3]);
        assert_eq!(joined(&row, &[1, 3], 4, 99), [1; 6]);
    }

    #[test]
    fn nothing_is_joined_without_memory() {
        let row = [1, 1, 1, 2, 2, 2];
        assert_eq!(joined(&row, &[2], 9, 1 + 3 * ENTRIES), [1; 6]);
        assert_eq!(joined(&row, &[2], 9, 3 * ENTRIES), row);
    }

    #[test]
    fn sums_are_wide() {
        let piece = Piece { parent: 7, area_px: 1 << 25, x: 3 << 47, y: 5 << 33 };
        let Piece { parent, area_px, x, y } = Piece::from(<[u32; ENTRIES]>::from(piece));
        assert_eq!((parent, area_px, x, y), (7, 1 << 25, 3 << 47, 5 << 33));
        assert!(!piece.is_near(Piece { x: 0, ..piece }, u8::MAX));
        assert!(piece.is_near(piece, 1));
    }
}
