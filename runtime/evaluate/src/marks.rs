//! Cells that a person labelled in a picture with boxes or points, and their file.

use std::path::Path;

use serde::Deserialize;

use bloodseg_vision::error::{Error, Result};

const FORMAT: &str = "a CSV with the header kind,shape,x0,y0,x1,y1";

/// The kind of a labelled cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A red cell.
    Red,
    /// A white cell.
    White,
    /// A platelet.
    Platelet,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Red, Self::White, Self::Platelet];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::White => "white",
            Self::Platelet => "platelet",
        }
    }
}

/// A labelled cell, in pixels of the picture; `x1` and `y1` are just past the box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// Its kind.
    pub kind: Kind,
    /// Its position.
    pub shape: Shape,
}

/// How a cell is labelled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// The bounding box.
    Box(Rectangle),
    /// A point inside it.
    Point(f64, f64),
}

impl Shape {
    /// The shape with its corners transformed.
    pub fn map(self, to: impl Fn((f64, f64)) -> (f64, f64)) -> Self {
        match self {
            Self::Box(r) => {
                let ((x0, y0), (x1, y1)) = (to((r.x0, r.y0)), to((r.x1, r.y1)));
                Self::Box(Rectangle { x0, y0, x1, y1 })
            }
            Self::Point(x, y) => {
                let (x, y) = to((x, y));
                Self::Point(x, y)
            }
        }
    }
}

/// An axis-aligned rectangle, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rectangle {
    /// Left edge.
    pub x0: f64,
    /// Upper edge.
    pub y0: f64,
    /// Right edge.
    pub x1: f64,
    /// Lower edge.
    pub y1: f64,
}

impl Rectangle {
    /// Area in square pixels; 0 if inverted.
    pub fn area(&self) -> f64 {
        (self.x1 - self.x0).max(0.0) * (self.y1 - self.y0).max(0.0)
    }

    /// Intersection over union with another, 0 to 1.
    pub fn iou(&self, other: &Self) -> f64 {
        let both = Self {
            x0: self.x0.max(other.x0),
            y0: self.y0.max(other.y0),
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
        }
        .area();
        let either = self.area() + other.area() - both;
        if either > 0.0 { both / either } else { 0.0 }
    }

    /// Width and height.
    pub fn size(&self) -> (f64, f64) {
        (self.x1 - self.x0, self.y1 - self.y0)
    }
}

#[derive(Deserialize)]
struct Row {
    kind: Kind,
    shape: String,
    x0: f64,
    y0: f64,
    x1: Option<f64>,
    y1: Option<f64>,
}

/// Reads the labels of a picture.
///
/// # Errors
/// [`Error::Input`] for a file that cannot be read, and for an invalid row, with its line.
pub fn read(file: &Path) -> Result<Vec<Mark>> {
    let failed = |found: &dyn std::fmt::Display| Error::input(file, found.to_string(), FORMAT, "");
    let mut reader = csv::Reader::from_path(file).map_err(|e| failed(&e))?;
    let mut marks = Vec::new();
    for row in reader.deserialize::<Row>() {
        let row = row.map_err(|e| failed(&e))?;
        let line = marks.len() + 2;
        let wrong = |what: &str| failed(&format!("line {line}: {what}"));
        let numbers = [Some(row.x0), Some(row.y0), row.x1, row.y1];
        if numbers.iter().flatten().any(|number| !number.is_finite()) {
            return Err(wrong("a coordinate that is not a number"));
        }
        let shape = match (row.shape.as_str(), row.x1, row.y1) {
            ("box", Some(x1), Some(y1)) if x1 > row.x0 && y1 > row.y0 => {
                Shape::Box(Rectangle { x0: row.x0, y0: row.y0, x1, y1 })
            }
            ("box", ..) => return Err(wrong("a box without an area")),
            ("point", None, None) => Shape::Point(row.x0, row.y0),
            ("point", ..) => return Err(wrong("a point with a second corner")),
            _ => return Err(wrong("a shape that is neither box nor point")),
        };
        marks.push(Mark { kind: row.kind, shape });
    }
    Ok(marks)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(rows: &str) -> Result<Vec<Mark>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.csv");
        std::fs::write(&file, format!("kind,shape,x0,y0,x1,y1\n{rows}")).unwrap();
        read(&file)
    }

    #[test]
    fn boxes_and_points_are_read() {
        let marks = parsed("white,box,1.5,2,11.5,22\nred,point,3,4,,\n").unwrap();
        assert_eq!(
            marks[0],
            Mark { kind: Kind::White, shape: Shape::Box(Rectangle { x0: 1.5, y0: 2.0, x1: 11.5, y1: 22.0 }) }
        );
        assert_eq!(marks[1], Mark { kind: Kind::Red, shape: Shape::Point(3.0, 4.0) });
    }

    #[test]
    fn invalid_rows_are_rejected_with_reason() {
        for (rows, say) in [
            ("red,box,1,2,1,5\n", "line 2: a box without an area"),
            ("red,point,1,2,3,4\n", "second corner"),
            ("red,box,1,2,,\n", "without an area"),
            ("red,disc,1,2,3,4\n", "neither box nor point"),
            ("blue,box,1,2,3,4\n", "blue"),
            ("red,box,nan,2,3,4\n", "not a number"),
            ("red,box,1,2\n", "CSV"),
        ] {
            let text = parsed(rows).unwrap_err().to_string();
            assert!(text.contains(say), "{rows}: {text}");
        }
    }

    #[test]
    fn iou_is_intersection_over_union() {
        let one = Rectangle { x0: 0.0, y0: 0.0, x1: 10.0, y1: 10.0 };
        let other = Rectangle { x0: 5.0, y0: 0.0, x1: 15.0, y1: 10.0 };
        assert!((one.iou(&other) - 1.0 / 3.0).abs() < 1e-12 && (one.iou(&one) - 1.0).abs() < 1e-12);
        assert_eq!(one.iou(&Rectangle { x0: 20.0, x1: 30.0, ..one }), 0.0);
    }
}
