//! Positions of objects: scattered, with clusters of touching and overlapping cells.

use super::{draw::Draw, spec::SmearSpec};

/// The kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A red cell.
    Red,
    /// A white cell.
    White,
    /// A platelet, or a speck like one.
    Platelet,
}

/// The position of an object, in pixels of the picture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) x_px: f64,
    pub(crate) y_px: f64,
    pub(crate) radius_px: f64,
}

/// Minimum distance of two cell centres, in sums of their radii: cells that overlap more cannot be distinguished.
const LEAST_DISTANCE: f64 = 0.62;

/// Attempts to find a position before a cell is skipped.
const TRIES: u32 = 60;

/// Positions for all objects of a smear. Cells may lie across the border.
pub(crate) fn scatter(draw: &mut Draw, spec: &SmearSpec) -> Vec<Place> {
    let area_mpx = f64::from(spec.width_px) * f64::from(spec.height_px) / (spec.scale * spec.scale) / 1e6;
    let radius_px = spec.cell_diameter_px / 2.0 * spec.scale;
    let mut cells: Vec<Place> = Vec::new();
    for _ in 0..draw.count(spec.white_cells_per_mpx * area_mpx) {
        let radius_px =
            radius_px * if spec.any_white_cells { draw.between(1.05, 2.0) } else { draw.between(1.25, 1.75) };
        add(draw, spec, &mut cells, Kind::White, radius_px, false);
    }
    for _ in 0..draw.count(spec.red_cells_per_mpx * area_mpx) {
        let radius_px = radius_px * (1.0 + 0.07 * draw.normal());
        let heaped = draw.chance(spec.heaping);
        add(draw, spec, &mut cells, Kind::Red, radius_px, heaped);
    }
    let mut small = Vec::new();
    for _ in 0..draw.count(spec.platelets_per_mpx * area_mpx) {
        let radius_px = radius_px * draw.between(0.10, 0.30);
        add(draw, spec, &mut small, Kind::Platelet, radius_px, false);
    }
    cells.extend(small);
    cells
}

fn add(draw: &mut Draw, spec: &SmearSpec, places: &mut Vec<Place>, kind: Kind, radius_px: f64, heaped: bool) {
    let (width, height) = (f64::from(spec.width_px), f64::from(spec.height_px));
    for _ in 0..TRIES {
        let (x_px, y_px) = if heaped && !places.is_empty() {
            let near = places[draw.whole(0, places.len() as u32 - 1) as usize];
            let distance_px = (near.radius_px + radius_px) * draw.between(spec.heap_distance.0, spec.heap_distance.1);
            let (sin, cos) = draw.angle().sin_cos();
            (near.x_px + distance_px * cos, near.y_px + distance_px * sin)
        } else {
            (draw.between(-radius_px, width + radius_px), draw.between(-radius_px, height + radius_px))
        };
        let inside = x_px > -radius_px && y_px > -radius_px && x_px < width + radius_px && y_px < height + radius_px;
        // A cell outside clusters keeps its distance from the others.
        let least = if heaped { LEAST_DISTANCE.min(spec.heap_distance.0) } else { 1.06 };
        let free = places.iter().all(|other| {
            let room = if other.kind == Kind::White { 0.95 } else { least };
            let (dx, dy) = (other.x_px - x_px, other.y_px - y_px);
            (dx * dx + dy * dy).sqrt() >= room * (other.radius_px + radius_px)
        });
        if inside && free {
            places.push(Place { kind, x_px, y_px, radius_px });
            return;
        }
    }
}
