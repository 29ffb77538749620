//! Growing of markers inside the foreground: Meyer's flooding (Beucher and Meyer, "The morphological
//! approach to segmentation: the watershed transformation", 1993) from the highest level down, without
//! watershed lines, so that touching cells touch.
//!
//! The queue has one first-in-first-out list a level; a pixel enters it once, so that the lists can be threaded through one
//! array and the whole is linear in the pixels.

/// No pixel; also the end of a list.
pub(super) const NONE: u32 = u32::MAX;

/// Indices of the four neighbours of pixel `at`, those outside the picture left out.
pub(super) fn neighbours(at: usize, width: usize, len: usize) -> impl Iterator<Item = usize> {
    let x = at % width;
    [
        (at >= width).then(|| at - width),
        (x > 0).then(|| at - 1),
        (x + 1 < width).then(|| at + 1),
        (at + width < len).then_some(at + width),
    ]
    .into_iter()
    .flatten()
}

/// What is known of a pixel before the flooding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// Background.
    Outside,
    /// Foreground.
    Inside,
    /// Foreground that a cell grows from.
    Peak,
}

/// Queue of pixels by level, highest first, first in first out within a level.
struct Levels<'a> {
    head: [u32; 256],
    tail: [u32; 256],
    next: &'a mut [u32],
}

impl<'a> Levels<'a> {
    fn new(next: &'a mut [u32]) -> Self {
        next.fill(NONE);
        Self { head: [NONE; 256], tail: [NONE; 256], next }
    }

    fn push(&mut self, level: u8, pixel: u32) {
        let level = usize::from(level);
        match self.tail[level] {
            NONE => self.head[level] = pixel,
            last => self.next[last as usize] = pixel,
        }
        self.tail[level] = pixel;
    }

    fn pop(&mut self, level: u8) -> Option<u32> {
        let level = usize::from(level);
        let pixel = self.head[level];
        if pixel == NONE {
            return None;
        }
        self.head[level] = self.next[pixel as usize];
        if self.head[level] == NONE {
            self.tail[level] = NONE;
        }
        Some(pixel)
    }
}

/// Grows each peak inside the foreground, and gives the number of peaks; `grown` then has for each pixel the number of its
/// peak, from 1 in raster order, or 0 outside. Every foreground component that holds a peak is filled. `next` is memory to
/// work in. All are as long as `core`.
pub(super) fn grow(core: &[u8], ground: &[Ground], width: usize, grown: &mut [u32], next: &mut [u32]) -> usize {
    grown.fill(0);
    let mut queue = Levels::new(next);
    let peaks = ground.iter().enumerate().filter(|(_, ground)| **ground == Ground::Peak);
    let mut count = 0;
    for (number, (peak, _)) in (1..).zip(peaks) {
        grown[peak] = number;
        queue.push(core[peak], peak as u32);
        count = number as usize;
    }
    for level in (0..=u8::MAX).rev() {
        while let Some(pixel) = queue.pop(level) {
            let at = pixel as usize;
            let label = grown[at];
            for neighbour in neighbours(at, width, core.len()) {
                if ground[neighbour] != Ground::Outside && grown[neighbour] == 0 {
                    grown[neighbour] = label;
                    // A higher pixel behind a lower one is flooded at the level that leads to it.
                    queue.push(core[neighbour].min(level), neighbour as u32);
                }
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What grows from `peaks`, in memory that others have left.
    fn grown(core: &[u8], inside: &[bool], width: usize, peaks: &[usize]) -> Vec<u32> {
        let mut ground: Vec<Ground> =
            inside.iter().map(|inside| if *inside { Ground::Inside } else { Ground::Outside }).collect();
        peaks.iter().for_each(|&peak| ground[peak] = Ground::Peak);
        let (mut grown, mut next) = (vec![7; core.len()], vec![3; core.len()]);
        assert_eq!(grow(core, &ground, width, &mut grown, &mut next), peaks.len());
        grown
    }

    #[test]
    fn regions_meet_at_the_valley_and_it_goes_to_the_higher_slope() {
        let core = [9, 8, 7, 6, 2, 7, 9];
        assert_eq!(grown(&core, &[true; 7], 7, &[0, 6]), [1, 1, 1, 1, 2, 2, 2]);
    }

    #[test]
    fn a_flat_floor_is_shared_by_distance() {
        let core = [0; 9];
        let labels = grown(&core, &[true; 9], 9, &[0, 8]);
        assert_eq!(labels, [1, 1, 1, 1, 1, 2, 2, 2, 2]);
    }

    #[test]
    fn nothing_leaves_the_foreground() {
        let inside = [true, true, false, true, true, false];
        assert_eq!(grown(&[5; 6], &inside, 3, &[0]), [1, 1, 0, 1, 1, 0]);
        assert_eq!(grown(&[5; 6], &[true, false, true, true, false, true], 3, &[2]), [0, 0, 1, 0, 0, 1]);
    }

    #[test]
    fn a_neighbour_is_in_the_picture() {
        assert_eq!(neighbours(0, 3, 6).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(neighbours(4, 3, 6).collect::<Vec<_>>(), [1, 3, 5]);
        assert_eq!(neighbours(0, 1, 1).count(), 0);
    }
}
