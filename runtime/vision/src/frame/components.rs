//! Connected components: pixels of one value that share edges.
//!
//! Rows are cut into runs of one value, and touching runs are joined in a disjoint-set forest, so that the work depends
//! on the number of runs, not pixels (Rosenfeld and Pfaltz, "Sequential operations in digital picture processing", 1966;
//! two passes).

use std::ops::Range;

use image::{ImageBuffer, Luma};

/// The component number of every pixel, 0 for the background.
pub type Components = ImageBuffer<Luma<u32>, Vec<u32>>;

/// Consecutive pixels of one value in a row.
struct Run<T> {
    value: T,
    /// Columns.
    columns: Range<usize>,
    /// An earlier run of the same component, or itself.
    parent: usize,
}

/// Labels the 4-connected components of a picture: pixels of equal value that share an edge. The value 0 (the default of
/// its type) is background and gets 0; components are numbered from 1 in raster order of their first pixel. The result
/// has the size of the picture.
pub fn components<T>(picture: &ImageBuffer<Luma<T>, Vec<T>>) -> Components
where
    T: image::Primitive + Default,
    Luma<T>: image::Pixel<Subpixel = T>,
{
    let width = picture.width() as usize;
    let mut labels = Components::new(picture.width(), picture.height());
    if labels.is_empty() {
        return labels;
    }
    let mut runs = Vec::new();
    // Start of each row's runs in the list.
    let mut starts = Vec::new();
    for row in picture.as_raw().chunks_exact(width) {
        let above = starts.last().copied().unwrap_or(0)..runs.len();
        starts.push(runs.len());
        cut(row, &mut runs);
        join(&mut runs, above);
    }
    let numbers = number(&mut runs);
    let ends = starts.iter().skip(1).copied().chain([runs.len()]);
    for ((row, &first), end) in labels.chunks_exact_mut(width).zip(&starts).zip(ends) {
        for (run, number) in runs.iter().zip(&numbers).take(end).skip(first) {
            row[run.columns.clone()].fill(*number);
        }
    }
    labels
}

/// Appends the runs of a row.
fn cut<T: Copy + PartialEq + Default>(row: &[T], runs: &mut Vec<Run<T>>) {
    let mut start = 0;
    for same in row.chunk_by(|a, b| a == b) {
        let columns = start..start + same.len();
        start = columns.end;
        if same[0] != T::default() {
            runs.push(Run { value: same[0], columns, parent: runs.len() });
        }
    }
}

/// Joins the runs after `above`, those of a row, with the touching runs of the row above.
fn join<T: Copy + PartialEq>(runs: &mut [Run<T>], above: Range<usize>) {
    let mut upper = above.start;
    let mut lower = above.end;
    while upper < above.end && lower < runs.len() {
        let (a, b) = (&runs[upper], &runs[lower]);
        let do_touch = a.columns.start < b.columns.end && b.columns.start < a.columns.end;
        // The run that ends first touches no further run of the other row.
        let upper_ends = a.columns.end <= b.columns.end;
        if do_touch && a.value == b.value {
            let (a, b) = (root(runs, upper), root(runs, lower));
            runs[a.max(b)].parent = a.min(b);
        }
        if upper_ends { upper += 1 } else { lower += 1 }
    }
}

/// The first run of a component, as joined so far, with path halving.
fn root<T>(runs: &mut [Run<T>], mut at: usize) -> usize {
    while runs[at].parent != at {
        runs[at].parent = runs[runs[at].parent].parent;
        at = runs[at].parent;
    }
    at
}

/// The component number of each run. The first run of a component is its root.
fn number<T>(runs: &mut [Run<T>]) -> Vec<u32> {
    let mut numbers = Vec::with_capacity(runs.len());
    let mut count = 0;
    for at in 0..runs.len() {
        let root = root(runs, at);
        let number = numbers.get(root).copied().unwrap_or_else(|| {
            count += 1;
            count
        });
        numbers.push(number);
    }
    numbers
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use image::GrayImage;
    use proptest::prelude::*;

    use super::*;

    /// The same by definition: a flood fill from every unnumbered pixel, in raster order.
    fn flooded(picture: &GrayImage) -> Components {
        let (width, height) = picture.dimensions();
        let mut labels = Components::new(width, height);
        let mut count = 0;
        for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            let value = picture.get_pixel(x, y);
            let mut waiting = vec![(x, y)];
            let is_new = value.0 != [0] && labels.get_pixel(x, y).0 == [0];
            count += u32::from(is_new);
            while let Some((x, y)) = waiting.pop().filter(|_| is_new) {
                let is_in = picture.get_pixel_checked(x, y) == Some(value);
                if is_in && labels.get_pixel(x, y).0 == [0] {
                    labels.put_pixel(x, y, Luma([count]));
                    waiting.extend([(x + 1, y), (x, y + 1), (x.wrapping_sub(1), y), (x, y.wrapping_sub(1))]);
                }
            }
        }
        labels
    }

    fn picture(width: u32, levels: &[u8]) -> GrayImage {
        let height = levels.len() as u32 / width;
        GrayImage::from_raw(width, height, levels[..(width * height) as usize].to_vec()).unwrap()
    }

    #[test]
    fn components_are_4_connected_and_of_one_value() {
        let found = components(&picture(4, &[1, 0, 1, 1, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1]));
        assert_eq!(found.into_raw(), [1, 0, 2, 2, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
    }

    #[test]
    fn arms_that_meet_in_a_later_row_are_one_component() {
        let found = components(&picture(5, &[1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 0, 1]));
        assert_eq!(found.into_raw(), [1, 0, 1, 0, 2, 1, 0, 1, 0, 2, 1, 1, 1, 0, 2]);
    }

    #[test]
    fn empty_or_background_pictures_have_no_components() {
        assert!(components(&GrayImage::new(0, 3)).is_empty());
        assert!(components(&GrayImage::new(3, 2)).iter().all(|label| *label == 0));
    }

    proptest! {
        #[test]
        fn runs_match_flood_fill(
            width in 1_u32..24, levels in proptest::collection::vec(0_u8..3, 24..500), sparse in any::<bool>()
        ) {
            let levels: Vec<u8> = levels.into_iter().map(|level| if sparse { level.saturating_sub(1) } else { level }).collect();
            let picture = picture(width, &levels);
            prop_assert_eq!(components(&picture), flooded(&picture));
        }
    }
}
