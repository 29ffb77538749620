//! Grows markers within the foreground: Meyer's flooding (Beucher and Meyer, "The morphological approach to segmentation:
//! the watershed transformation", 1993) from the highest level down, without watershed lines, so that touching cells
//! touch.
//!
//! The queue has one FIFO list per level. A pixel enters it once, so the lists are threaded through one array, and the
//! run time is linear in the pixels.

/// No pixel; also marks the outside of the foreground.
pub(super) const NONE: u32 = u32::MAX;

/// The memory layout of a picture: a background pixel after each row, and a background row above and below. Every pixel
/// therefore has four neighbours in memory, and no bounds need checking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Framed {
    width: usize,
    height: usize,
}

impl Framed {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height }
    }

    /// Offset from a pixel to the one below it.
    fn stride(self) -> usize {
        self.width + 1
    }

    /// Number of pixels including the background frame.
    pub(super) fn len(self) -> usize {
        (self.height + 2) * self.stride() + 1
    }

    /// Positions of the pixels of row `y`.
    pub(super) fn row(self, y: usize) -> std::ops::Range<usize> {
        let begin = (y + 1) * self.stride() + 1;
        begin..begin + self.width
    }

    /// The position of a pixel in a picture without the frame.
    pub(super) fn in_picture(self, at: usize) -> usize {
        let from_first_row = at - self.stride();
        from_first_row / self.stride() * self.width + from_first_row % self.stride() - 1
    }

    /// The neighbours of a pixel of the picture: above, left, right, below.
    #[inline]
    pub(super) fn neighbours(self, at: usize) -> [usize; 4] {
        [at - self.stride(), at - 1, at + 1, at + self.stride()]
    }
}

/// The role of a pixel before flooding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Ground {
    /// Background.
    Outside,
    /// Foreground.
    Inside,
    /// Foreground from which a cell grows.
    Peak,
    /// A peak that is higher than another one of its component.
    Higher,
}

/// Priority queue of pixels: highest level first, FIFO within a level.
pub(super) struct Levels<'a> {
    head: [u32; 256],
    tail: [u32; 256],
    /// For each pixel of a list, the one behind it; free for other use by pixels that never enter the queue.
    pub(super) next: &'a mut [u32],
}

impl<'a> Levels<'a> {
    // The initial contents of `next` do not matter: the last pixel of a list is known by its position.
    pub(super) fn new(next: &'a mut [u32]) -> Self {
        Self { head: [NONE; 256], tail: [NONE; 256], next }
    }

    #[inline]
    pub(super) fn push(&mut self, level: u8, pixel: u32) {
        let level = usize::from(level);
        match self.tail[level] {
            NONE => self.head[level] = pixel,
            last => self.next[last as usize] = pixel,
        }
        self.tail[level] = pixel;
    }

    #[inline]
    fn pop(&mut self, level: u8) -> Option<u32> {
        let level = usize::from(level);
        let pixel = self.head[level];
        if pixel == NONE {
            return None;
        }
        if pixel == self.tail[level] {
            (self.head[level], self.tail[level]) = (NONE, NONE);
        } else {
            self.head[level] = self.next[pixel as usize];
        }
        Some(pixel)
    }
}

/// Grows the regions of the pixels in the queue, whose numbers `grown` has, into their components: wherever `grown` is 0.
/// Outside the foreground it is [`NONE`]. `core` and `grown` have the layout `framed`.
pub(super) fn flood(core: &[u8], framed: Framed, grown: &mut [u32], queue: &mut Levels<'_>) {
    for level in (0..=u8::MAX).rev() {
        while let Some(pixel) = queue.pop(level) {
            let at = pixel as usize;
            let label = grown[at];
            for neighbour in framed.neighbours(at) {
                if grown[neighbour] == 0 {
                    grown[neighbour] = label;
                    // A higher pixel behind a lower one is flooded at the level that leads to it.
                    queue.push(core[neighbour].min(level), neighbour as u32);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What grows from `peaks`, in reused memory; 0 outside.
    fn grown(core: &[u8], inside: &[bool], width: usize, peaks: &[usize]) -> Vec<u32> {
        let framed = Framed::new(width, core.len() / width);
        let (mut levels, mut grown, mut next) =
            (vec![7; framed.len()], vec![NONE; framed.len()], vec![3; framed.len()]);
        let place = |at: usize| framed.row(at / width).start + at % width;
        for at in 0..core.len() {
            levels[place(at)] = core[at];
            grown[place(at)] = if inside[at] { 0 } else { NONE };
        }
        let mut queue = Levels::new(&mut next);
        for (number, &peak) in (1..).zip(peaks) {
            grown[place(peak)] = number;
            queue.push(core[peak], place(peak) as u32);
        }
        flood(&levels, framed, &mut grown, &mut queue);
        (0..core.len()).map(|at| grown[place(at)]).map(|label| if label == NONE { 0 } else { label }).collect()
    }

    #[test]
    fn valley_pixel_joins_the_higher_slope() {
        let core = [9, 8, 7, 6, 2, 7, 9];
        assert_eq!(grown(&core, &[true; 7], 7, &[0, 6]), [1, 1, 1, 1, 2, 2, 2]);
    }

    #[test]
    fn plateau_is_divided_by_distance() {
        let core = [0; 9];
        let labels = grown(&core, &[true; 9], 9, &[0, 8]);
        assert_eq!(labels, [1, 1, 1, 1, 1, 2, 2, 2, 2]);
    }

    #[test]
    fn regions_stay_within_foreground() {
        let inside = [true, true, false, true, true, false];
        assert_eq!(grown(&[5; 6], &inside, 3, &[0]), [1, 1, 0, 1, 1, 0]);
        assert_eq!(grown(&[5; 6], &[true, false, true, true, false, true], 3, &[2]), [0, 0, 1, 0, 0, 1]);
    }

    #[test]
    fn framed_layout_positions_rows_and_neighbours() {
        let framed = Framed::new(3, 2);
        assert_eq!((framed.row(0), framed.row(1), framed.len()), (5..8, 9..12, 17));
        assert_eq!(framed.neighbours(9), [5, 8, 10, 13]);
        assert_eq!(framed.neighbours(11), [7, 10, 12, 15]);
    }
}
