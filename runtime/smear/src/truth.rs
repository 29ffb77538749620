//! The truth of a rendered field: exact labels, and the mask as annotators would have drawn it.

use image::{GrayImage, Luma};

use super::canvas::Canvas;
use bloodseg_vision::{cells::Labels, frame::components::components};

/// Labels 1..=n in raster order of their first pixel, and the number of the object of each, label 1 first; a cell is its
/// largest 4-connected component.
pub(crate) fn labels(canvas: &Canvas) -> (Labels, Vec<u32>) {
    let (width, height) = (canvas.width, canvas.height);
    // Components of equal owner: neighbouring owners have different values and so never join.
    let owners: image::ImageBuffer<Luma<u32>, Vec<u32>> =
        image::ImageBuffer::from_fn(width, height, |x, y| Luma([canvas.owner[(y * width + x) as usize]]));
    let pieces = components(&owners);
    let count = pieces.pixels().map(|Luma([piece])| *piece).max().unwrap_or(0) as usize;
    let mut area = vec![0_u32; count + 1];
    let mut owner_of = vec![0_u32; count + 1];
    for (Luma([piece]), Luma([owner])) in pieces.pixels().zip(owners.pixels()) {
        area[*piece as usize] += 1;
        owner_of[*piece as usize] = *owner;
    }
    let owner_count = canvas.owner.iter().copied().max().unwrap_or(0) as usize;
    let mut largest = vec![0_usize; owner_count + 1];
    for piece in 1..=count {
        let kept = &mut largest[owner_of[piece] as usize];
        if *kept == 0 || area[piece] > area[*kept] {
            *kept = piece;
        }
    }
    let mut number = vec![0_u16; count + 1];
    let mut next = 0_u16;
    let mut owners_of_labels = Vec::new();
    let mut labels = Labels::new(width, height);
    for (Luma([label]), Luma([piece])) in labels.pixels_mut().zip(pieces.pixels()) {
        let piece = *piece as usize;
        if piece == 0 || largest[owner_of[piece] as usize] != piece {
            continue;
        }
        if number[piece] == 0 && next < u16::MAX {
            next += 1;
            number[piece] = next;
            owners_of_labels.push(owner_of[piece]);
        }
        *label = number[piece];
    }
    (labels, owners_of_labels)
}

/// 255 inside cells, 0 outside and on the cut between two touching cells. The cut is 2 reference pixels wide, and at
/// least one pixel of the picture.
pub(crate) fn mask(labels: &Labels, scale: f64) -> GrayImage {
    let (width, height) = labels.dimensions();
    // A pixel checks its neighbours on one side for a cut of one pixel, on both sides for a cut of two.
    let wide = scale >= 0.75;
    let at = |x: i64, y: i64| -> u16 {
        if x < 0 || y < 0 || x >= i64::from(width) || y >= i64::from(height) {
            0
        } else {
            labels.get_pixel(x as u32, y as u32).0[0]
        }
    };
    GrayImage::from_fn(width, height, |x, y| {
        let own = at(i64::from(x), i64::from(y));
        if own == 0 {
            return Luma([0]);
        }
        let (x, y) = (i64::from(x), i64::from(y));
        let thin = [(1, 0), (0, 1), (1, 1), (-1, 1)];
        let both = [(-1, 0), (0, -1), (-1, -1), (1, -1)];
        let cut = |steps: &[(i64, i64)]| {
            steps.iter().any(|(dx, dy)| {
                let other = at(x + dx, y + dy);
                other != 0 && other != own
            })
        };
        if cut(&thin) || (wide && cut(&both)) { Luma([0]) } else { Luma([255]) }
    })
}
