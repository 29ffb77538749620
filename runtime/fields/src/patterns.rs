//! Simulated specimens for the tests: cells that scatter, repel each other or clump, and frames cut from them.

use rand::{Rng, RngExt};
use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng};

use crate::{Cell, Frame};

pub(crate) const DIAMETER_PX: f64 = 22.0;

/// How the cells of a specimen are arranged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Lie {
    /// Independent of each other; cells overlap by chance.
    Scattered,
    /// No two centres closer than nine tenths of a diameter.
    Repelling,
    /// In clusters of touching cells, with space between them.
    Clumped,
}

/// Disks on a glass.
#[derive(Debug, Clone)]
pub(crate) struct Specimen {
    /// Centre and radius.
    pub(crate) disks: Vec<[f64; 3]>,
}

/// How a frame differs from the specimen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    /// Centroids move by at most this much along each axis.
    pub(crate) moved_px: f64,
    /// Share of cells that are not found, and of cells that are found where there are none.
    pub(crate) lost: f64,
    /// Areas change by at most this fraction in either direction.
    pub(crate) area: f64,
}

impl Noise {
    pub(crate) const USUAL: Self = Self { moved_px: 1.5, lost: 0.07, area: 0.12 };
}

fn between(rng: &mut impl Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

impl Specimen {
    /// `share` is the part of the glass that the disks would cover without overlaps.
    pub(crate) fn new(side_px: f64, share: f64, lie: Lie, seed: u64) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let count = share * side_px * side_px / (std::f64::consts::PI * DIAMETER_PX * DIAMETER_PX / 4.0);
        let (least, heaping) = match lie {
            Lie::Scattered => (0.0, 0.0),
            Lie::Repelling => (0.9, 0.0),
            Lie::Clumped => (0.7, 0.8),
        };
        let mut disks: Vec<[f64; 3]> = Vec::new();
        // Buckets of one diameter.
        let across = (side_px / DIAMETER_PX) as usize + 1;
        let mut buckets: Vec<Vec<usize>> = vec![Vec::new(); across * across];
        let bucket = |x: f64, y: f64| [(x / DIAMETER_PX) as usize, (y / DIAMETER_PX) as usize];
        for _ in 0..40 * count as usize {
            if disks.len() >= count as usize {
                break;
            }
            let (x, y) = match rng.random::<f64>() < heaping && !disks.is_empty() {
                true => {
                    let [x, y, _] = disks[rng.random_range(0..disks.len())];
                    let (angle, distance) =
                        (between(&mut rng, 0.0, std::f64::consts::TAU), between(&mut rng, 0.75, 1.05) * DIAMETER_PX);
                    (x + distance * angle.cos(), y + distance * angle.sin())
                }
                false => (rng.random::<f64>() * side_px, rng.random::<f64>() * side_px),
            };
            if !(0.0..side_px).contains(&x) || !(0.0..side_px).contains(&y) {
                continue;
            }
            let [column, row] = bucket(x, y);
            let near = (row.saturating_sub(1)..(row + 2).min(across)).flat_map(|row| {
                (column.saturating_sub(1)..(column + 2).min(across)).map(move |column| row * across + column)
            });
            let close = near.flat_map(|at| &buckets[at]).any(|&other| {
                let [dx, dy] = [disks[other][0] - x, disks[other][1] - y];
                dx * dx + dy * dy < (least * DIAMETER_PX).powi(2)
            });
            if !close {
                buckets[row * across + column].push(disks.len());
                // Six uniform numbers approximate a normal one.
                let normal = ((0..6).map(|_| rng.random::<f64>()).sum::<f64>() - 3.0) * 2.0_f64.sqrt();
                disks.push([x, y, DIAMETER_PX / 2.0 * (1.0 + 0.07 * normal)]);
            }
        }
        Self { disks }
    }

    /// The cells of a window, each with its disk, or none for a false one.
    pub(crate) fn window(
        &self,
        corner: [f64; 2],
        side_px: f64,
        noise: Noise,
        rng: &mut impl Rng,
    ) -> Vec<(Cell, Option<usize>)> {
        let mut cells = Vec::new();
        for (disk, [x, y, radius]) in self.disks.iter().enumerate() {
            let at = [x - corner[0], y - corner[1]];
            if at.iter().any(|at| *at < -radius || *at > side_px + radius) || rng.random::<f64>() < noise.lost {
                continue;
            }
            if let Some(cell) = seen(at, *radius, side_px, noise, rng) {
                cells.push((cell, Some(disk)));
            }
        }
        for _ in 0..cells.len() {
            if rng.random::<f64>() < noise.lost {
                let at = [rng.random::<f64>() * side_px, rng.random::<f64>() * side_px];
                let radius = DIAMETER_PX / 2.0 * between(rng, 0.8, 1.1);
                cells.extend(seen(at, radius, side_px, noise, rng).map(|cell| (cell, None)));
            }
        }
        cells
    }
}

/// What is visible of a disk, sampled on a grid of points; none below 12 pixels.
fn seen(at: [f64; 2], radius: f64, side_px: f64, noise: Noise, rng: &mut impl Rng) -> Option<Cell> {
    let cut = at.iter().any(|at| *at < radius || *at > side_px - radius);
    let (mut area, mut sum) = (0.0, [0.0; 2]);
    if cut {
        for step in 0..24 * 24 {
            let offset = [step % 24, step / 24].map(|step| (f64::from(step) + 0.5) / 12.0 - 1.0);
            let point = [at[0] + offset[0] * radius, at[1] + offset[1] * radius];
            if offset[0] * offset[0] + offset[1] * offset[1] <= 1.0
                && point.iter().all(|at| (0.0..side_px).contains(at))
            {
                area += radius * radius / 144.0;
                sum = [sum[0] + point[0] * radius * radius / 144.0, sum[1] + point[1] * radius * radius / 144.0];
            }
        }
    } else {
        area = std::f64::consts::PI * radius * radius;
        sum = at.map(|at| at * area);
    }
    let mut moved = |at: f64| (at + between(rng, -noise.moved_px, noise.moved_px)).clamp(0.0, side_px);
    let (x_px, y_px) = (moved(sum[0] / area.max(1e-9)), moved(sum[1] / area.max(1e-9)));
    let area_px = area * between(rng, 1.0 - noise.area, 1.0 + noise.area);
    (area >= 12.0).then_some(Cell { x_px, y_px, area_px, touches_border: cut })
}

pub(crate) fn frame(number: u64, side_px: f64) -> Frame {
    Frame { number, width_px: side_px, height_px: side_px }
}

pub(crate) fn rng(seed: u64) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(seed)
}
