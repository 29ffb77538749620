//! Detected cells against cells that a person labelled with boxes or points.
//!
//! A detected cell matches a box at a box IoU of at least [`MATCH_IOU`], and a point that it contains; best pairs first,
//! each used once. What touches the border of the picture is ignored on both sides: neither a labelled cell there nor a
//! detected one counts, nor a detected one that matches a labelled cell there.

use crate::marks::{Kind, Mark, Rectangle, Shape};

/// Minimum IoU of two boxes of one cell: annotators draw boxes 5 to 10 % too wide, and half of an overlapping cell may be
/// hidden.
pub const MATCH_IOU: f64 = 0.4;

/// A detected cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// The box around it, in pixels of the picture.
    pub rectangle: Rectangle,
    /// Its kind, if the model reports kinds.
    pub kind: Option<Kind>,
}

/// Numbers of matched, invented and missed objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Agreement {
    /// Detected cells that match a labelled one.
    pub matched: u32,
    /// Detected cells without a match.
    pub invented: u32,
    /// Labelled cells without a match.
    pub missed: u32,
}

impl Agreement {
    /// Harmonic mean of precision and recall, 0 to 1; `None` if nothing was detected or labelled.
    pub fn f1(&self) -> Option<f64> {
        let all = 2 * self.matched + self.invented + self.missed;
        (all > 0).then(|| f64::from(2 * self.matched) / f64::from(all))
    }

    /// Adds those of another picture.
    pub fn add(&mut self, other: &Self) {
        self.matched += other.matched;
        self.invented += other.invented;
        self.missed += other.missed;
    }
}

/// The sums over one or more pictures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ObjectSums {
    /// Red and white cells together, regardless of which of the two kinds.
    pub cells: Agreement,
    /// Each kind of [`Kind::ALL`] separately; both sides of a match have the same kind.
    pub kinds: [Agreement; 3],
    /// Relative count errors, one per picture with cells.
    pub count_errors: Vec<f64>,
    /// Labelled white cells.
    pub whites: u32,
    /// Of these, the ones in which two or more cells were detected.
    pub whites_in_pieces: u32,
}

impl ObjectSums {
    /// Adds those of another picture.
    pub fn add(&mut self, other: &Self) {
        self.cells.add(&other.cells);
        self.kinds.iter_mut().zip(&other.kinds).for_each(|(kind, other)| kind.add(other));
        self.count_errors.extend(&other.count_errors);
        self.whites += other.whites;
        self.whites_in_pieces += other.whites_in_pieces;
    }

    /// Mean relative count error per picture.
    pub fn count_error(&self) -> Option<f64> {
        crate::measures::mean(self.count_errors.iter().copied())
    }
}

/// Compares the detections in a picture, or in the part of it given by `seen`, with the labels. `border` is the distance
/// in pixels within which a box touches the border of `seen`.
pub fn compare(marks: &[Mark], found: &[Found], seen: &Rectangle, border: f64) -> ObjectSums {
    let at_border = |r: &Rectangle| {
        r.x0 <= seen.x0 + border || r.y0 <= seen.y0 + border || r.x1 >= seen.x1 - border || r.y1 >= seen.y1 - border
    };
    let marked_out = |mark: &Mark| match mark.shape {
        Shape::Box(rectangle) => at_border(&rectangle),
        Shape::Point(x, y) => at_border(&Rectangle { x0: x, y0: y, x1: x, y1: y }),
    };
    let left_out: Vec<bool> = marks.iter().map(marked_out).collect();
    let found_out: Vec<bool> = found.iter().map(|found| at_border(&found.rectangle)).collect();
    let is_cell = |kind: Option<Kind>| kind != Some(Kind::Platelet);

    let agree = |of_marks: &dyn Fn(Kind) -> bool, of_found: &dyn Fn(Option<Kind>) -> bool| -> Agreement {
        let partner = pair(marks, found, of_found);
        let mut agreement = Agreement::default();
        let mut taken = vec![false; found.len()];
        for (at, mark) in marks.iter().enumerate() {
            // A detection that matches a label of another kind, or one at the border, is not invented.
            match partner[at] {
                Some(found_at) if of_marks(mark.kind) && !left_out[at] => {
                    taken[found_at] = true;
                    agreement.matched += u32::from(!found_out[found_at]);
                }
                Some(found_at) if left_out[at] => taken[found_at] = true,
                None if of_marks(mark.kind) && !left_out[at] => agreement.missed += 1,
                _ => {}
            }
        }
        let invented =
            found.iter().enumerate().filter(|(at, found)| of_found(found.kind) && !taken[*at] && !found_out[*at]);
        agreement.invented = invented.count() as u32;
        agreement
    };
    let cells = agree(&|kind| kind != Kind::Platelet, &is_cell);
    let kinds = Kind::ALL.map(|kind| agree(&|of: Kind| of == kind, &|of: Option<Kind>| of == Some(kind)));

    let true_cells = marks.iter().zip(&left_out).filter(|(mark, out)| mark.kind != Kind::Platelet && !**out).count();
    let found_cells = found.iter().zip(&found_out).filter(|(found, out)| is_cell(found.kind) && !**out).count();
    let error = |truth: usize| (found_cells as f64 - truth as f64).abs() / truth as f64;
    let count_errors = (true_cells > 0).then(|| error(true_cells)).into_iter().collect();

    let (mut whites, mut whites_in_pieces) = (0, 0);
    for (mark, out) in marks.iter().zip(&left_out) {
        let (Kind::White, Shape::Box(white), false) = (mark.kind, mark.shape, *out) else { continue };
        whites += 1;
        let inside = found.iter().filter(|found| is_cell(found.kind) && lies_in(&found.rectangle, &white)).count();
        whites_in_pieces += u32::from(inside > 1);
    }
    ObjectSums { cells, kinds, count_errors, whites, whites_in_pieces }
}

/// Whether the centre of a box and most of its area lie in another.
fn lies_in(inner: &Rectangle, outer: &Rectangle) -> bool {
    let (x, y) = ((inner.x0 + inner.x1) / 2.0, (inner.y0 + inner.y1) / 2.0);
    let shared = Rectangle {
        x0: inner.x0.max(outer.x0),
        y0: inner.y0.max(outer.y0),
        x1: inner.x1.min(outer.x1),
        y1: inner.y1.min(outer.y1),
    };
    x > outer.x0 && x < outer.x1 && y > outer.y0 && y < outer.y1 && shared.area() > 0.7 * inner.area()
}

/// The detection for each label, best pairs first, among those that `of_found` accepts.
fn pair(marks: &[Mark], found: &[Found], of_found: &dyn Fn(Option<Kind>) -> bool) -> Vec<Option<usize>> {
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (at, mark) in marks.iter().enumerate() {
        for (found_at, found) in found.iter().enumerate().filter(|(_, found)| of_found(found.kind)) {
            if let Some(fit) = fit(&mark.shape, &found.rectangle) {
                pairs.push((fit, at, found_at));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut of_marks, mut taken) = (vec![None; marks.len()], vec![false; found.len()]);
    for (_, at, found_at) in pairs {
        if of_marks[at].is_none() && !taken[found_at] {
            (of_marks[at], taken[found_at]) = (Some(found_at), true);
        }
    }
    of_marks
}

/// How well a detected box fits a label, 0 to 1; `None` if it does not match.
fn fit(shape: &Shape, found: &Rectangle) -> Option<f64> {
    match *shape {
        Shape::Box(marked) => Some(marked.iou(found)).filter(|iou| *iou >= MATCH_IOU),
        Shape::Point(x, y) => {
            let (wide, high) = found.size();
            let off = |at: f64, from: f64, side: f64| ((at - from) / side.max(1e-9) - 0.5).abs() * 2.0;
            let off = off(x, found.x0, wide).max(off(y, found.y0, high));
            (off <= 1.0).then_some(1.0 - off)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Rectangle = Rectangle { x0: 0.0, y0: 0.0, x1: 200.0, y1: 200.0 };

    fn square(x: f64, y: f64, edge: f64) -> Rectangle {
        Rectangle { x0: x, y0: y, x1: x + edge, y1: y + edge }
    }

    fn marked(kind: Kind, rectangle: Rectangle) -> Mark {
        Mark { kind, shape: Shape::Box(rectangle) }
    }

    fn found(kind: Option<Kind>, rectangle: Rectangle) -> Found {
        Found { rectangle, kind }
    }

    fn agreement(matched: u32, invented: u32, missed: u32) -> Agreement {
        Agreement { matched, invented, missed }
    }

    #[test]
    fn cells_match_across_kinds_but_kinds_do_not() {
        let marks = [marked(Kind::Red, square(20.0, 20.0, 20.0)), marked(Kind::White, square(80.0, 80.0, 40.0))];
        let both = [
            found(Some(Kind::Red), square(21.0, 20.0, 20.0)),
            found(Some(Kind::Red), square(80.0, 82.0, 40.0)),
            found(Some(Kind::Platelet), square(150.0, 150.0, 6.0)),
        ];
        let sums = compare(&marks, &both, &SEEN, 1.0);
        assert_eq!(sums.cells, agreement(2, 0, 0));
        assert_eq!(sums.kinds, [agreement(1, 1, 0), agreement(0, 0, 1), agreement(0, 1, 0)]);
        assert_eq!((sums.count_error(), sums.cells.f1()), (Some(0.0), Some(1.0)));
    }

    #[test]
    fn cells_at_border_are_ignored_on_both_sides() {
        let marks = [marked(Kind::Red, square(0.0, 20.0, 20.0)), marked(Kind::Red, square(50.0, 50.0, 20.0))];
        let cells = [found(None, square(2.0, 21.0, 18.0)), found(None, square(180.0, 100.0, 20.0))];
        let sums = compare(&marks, &cells, &SEEN, 1.0);
        // The first matches a labelled cell at the border; the second touches it itself.
        assert_eq!(sums.cells, agreement(0, 0, 1));
    }

    #[test]
    fn fragmented_white_cell_is_reported() {
        let marks = [marked(Kind::White, square(40.0, 40.0, 40.0))];
        let lobes = [found(None, square(44.0, 44.0, 16.0)), found(None, square(60.0, 60.0, 16.0))];
        let sums = compare(&marks, &lobes, &SEEN, 1.0);
        assert_eq!((sums.whites, sums.whites_in_pieces), (1, 1));
        assert_eq!(sums.cells, agreement(0, 2, 1));
        assert_eq!(sums.count_error(), Some(1.0));
        assert_eq!(compare(&marks, &[found(None, square(41.0, 40.0, 40.0))], &SEEN, 1.0).whites_in_pieces, 0);
    }

    #[test]
    fn point_matches_containing_box_once() {
        let point = |x, y| Mark { kind: Kind::Red, shape: Shape::Point(x, y) };
        let marks = [point(50.0, 50.0), point(56.0, 50.0), point(120.0, 120.0)];
        let cells = [found(None, square(40.0, 40.0, 20.0)), found(None, square(100.0, 20.0, 20.0))];
        assert_eq!(compare(&marks, &cells, &SEEN, 1.0).cells, agreement(1, 1, 2));
    }
}
