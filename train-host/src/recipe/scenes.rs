//! Frames with their truth, and the figures of a segmenter on them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use rayon::prelude::*;
use tch::Tensor;

use super::cells::{cell_maps, truth_of_mask};
use crate::data::{field::Field, window::Window};
use bloodseg_evaluate::{
    marks::{Kind, Mark, Rectangle},
    measures::{
        instances::{InstanceSums, match_instances},
        mean,
    },
    objects::{Found, ObjectSums, compare},
};
use bloodseg_vision::{
    cells::{Labels, leave_out_platelets, split},
    geometry::REFERENCE_HR_PX,
    model::manifest::CellRule,
    segmentation::CellMaps,
};

/// Boxes this close to the border touch it, in pixels of the 256x256 grid: half a pixel of the low-resolution input.
const BORDER_HR_PX: f64 = 2.0;

/// The truth of a frame.
#[derive(Debug)]
pub enum Scene {
    /// The cells of a mask, on the 256x256 grid.
    Mask(Labels),
    /// Labelled cells.
    Marks {
        /// Name of the laboratory.
        source: String,
        /// The labels, on the 256x256 grid.
        marks: Vec<Mark>,
        /// The part of the grid that shows the picture.
        seen: Rectangle,
    },
}

impl Scene {
    /// For the frame of a field.
    ///
    /// # Errors
    /// A mask that cannot be sampled.
    pub fn of(field: &Field) -> Result<Self> {
        if field.marks.is_empty() {
            return Ok(Self::Mask(truth_of_mask(field)?));
        }
        let Window { x, y, edge } = Window::frame(field);
        let scale = f64::from(REFERENCE_HR_PX) / f64::from(edge);
        let on_grid = |at: f64, from: i64| (at - from as f64) * scale;
        let side = |from: i64, side: u32| on_grid(f64::from(side), from).min(f64::from(REFERENCE_HR_PX));
        let marks = field
            .marks
            .iter()
            .map(|mark| Mark { kind: mark.kind, shape: mark.shape.map(|(px, py)| (on_grid(px, x), on_grid(py, y))) });
        let (width, height) = field.picture.dimensions();
        Ok(Self::Marks {
            source: field.source.clone(),
            marks: marks.collect(),
            seen: Rectangle { x0: 0.0, y0: 0.0, x1: side(x, width), y1: side(y, height) },
        })
    }
}

/// Figures over all frames; `None` without frames.
#[derive(Debug, Default)]
pub struct SceneFigures {
    masks: InstanceSums,
    mask_count_errors: Vec<f64>,
    laboratories: BTreeMap<String, ObjectSums>,
}

impl SceneFigures {
    /// For maps `[N, C, 256, 256]` (levels) of as many frames.
    ///
    /// # Errors
    /// Maps without valid cells.
    pub fn of(maps: &Tensor, scenes: &[Scene], rule: &CellRule) -> Result<Self> {
        enum One {
            Mask(InstanceSums, Option<f64>),
            Marks(ObjectSums),
        }
        let taken = (0..scenes.len()).map(|index| cell_maps(&maps.get(index as i64))).collect::<Result<Vec<_>>>()?;
        let one = |(maps, scene): (CellMaps, &Scene)| -> Result<One> {
            let mut labels = split(&maps, rule)?;
            Ok(match scene {
                Scene::Mask(truth) => {
                    leave_out_platelets(&mut labels, &maps, rule)?;
                    let matched = match_instances(truth, &labels)?;
                    One::Mask(matched.sums(), matched.count_error())
                }
                Scene::Marks { marks, seen, .. } => {
                    let found: Vec<Found> =
                        found(&labels, &maps, rule).into_iter().filter_map(|found| cut(found, seen)).collect();
                    One::Marks(compare(marks, &found, seen, BORDER_HR_PX))
                }
            })
        };
        let ones: Vec<One> = taken.into_par_iter().zip(scenes).map(one).collect::<Result<_>>()?;
        let mut figures = Self::default();
        for (one, scene) in ones.into_iter().zip(scenes) {
            match (one, scene) {
                (One::Marks(sums), Scene::Marks { source, .. }) => {
                    figures.laboratories.entry(source.clone()).or_default().add(&sums);
                }
                (One::Mask(sums, count_error), _) => {
                    figures.masks.add(&sums);
                    figures.mask_count_errors.extend(count_error);
                }
                (One::Marks(_), Scene::Mask(_)) => {}
            }
        }
        Ok(figures)
    }

    /// AP50 of the cells of masks.
    pub fn ap50(&self) -> Option<f64> {
        self.masks.ap50()
    }

    /// Mean over the laboratories of the F1 of cells.
    pub fn cells_f1(&self) -> Option<f64> {
        mean(self.laboratories.values().filter_map(|sums| sums.cells.f1()))
    }

    /// F1 of a kind over the laboratories that label it.
    pub fn kind_f1(&self, kind: Kind) -> Option<f64> {
        let mut all = bloodseg_evaluate::objects::Agreement::default();
        let at = Kind::ALL.iter().position(|of| *of == kind)?;
        for sums in self.laboratories.values().filter(|sums| sums.kinds[at].matched + sums.kinds[at].missed > 0) {
            all.add(&sums.kinds[at]);
        }
        all.f1()
    }

    /// Share of the labelled white cells that were split.
    pub fn whites_in_pieces(&self) -> Option<f64> {
        let sum = |of: fn(&ObjectSums) -> u32| f64::from(self.laboratories.values().map(of).sum::<u32>());
        let whites = sum(|sums| sums.whites);
        (whites > 0.0).then(|| sum(|sums| sums.whites_in_pieces) / whites)
    }

    /// Mean relative count error: per field with masks, per laboratory otherwise.
    pub fn count_error(&self) -> Option<f64> {
        let of_masks = mean(self.mask_count_errors.iter().copied());
        mean(self.laboratories.values().filter_map(ObjectSums::count_error).chain(of_masks))
    }

    /// The criterion for selecting an epoch and a rule; greater is better.
    pub fn score(&self, dice: f64) -> Result<f64> {
        let of_masks = self.ap50().map(|ap50| ap50 + dice);
        let of_laboratories = self.cells_f1().map(|f1| {
            let kinds =
                0.2 * self.kind_f1(Kind::White).unwrap_or(0.0) + 0.1 * self.kind_f1(Kind::Platelet).unwrap_or(0.0);
            f1 + kinds - 0.5 * self.count_error().unwrap_or(1.0)
        });
        mean(of_masks.into_iter().chain(of_laboratories)).context("no cells in the fields held back")
    }

    /// One row per laboratory.
    pub fn table(&self) -> String {
        let percent = |value: Option<f64>| value.map_or("-".into(), |value| format!("{:.1} %", 100.0 * value));
        let figure = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.3}"));
        let mut table = String::from(
            "| laboratory | F1, cells | count error | F1 red | F1 white | F1 platelet | white cells in pieces |\n|---|---|---|---|---|---|---|\n",
        );
        for (name, sums) in &self.laboratories {
            let [red, white, platelet] = sums.kinds.map(|kind| figure(kind.f1()));
            table += &format!(
                "| {name} | {} | {} | {red} | {white} | {platelet} | {} of {} |\n",
                figure(sums.cells.f1()),
                percent(sums.count_error()),
                sums.whites_in_pieces,
                sums.whites
            );
        }
        table
    }
}

/// The cells of labels, with the most likely kind over their pixels.
fn found(labels: &Labels, maps: &CellMaps, rule: &CellRule) -> Vec<Found> {
    struct Sum {
        rectangle: Rectangle,
        pixels: i64,
        logits: [i64; 2],
    }
    let mut sums: BTreeMap<u16, Sum> = BTreeMap::new();
    for (x, y, label) in labels.enumerate_pixels().filter(|(_, _, label)| label.0[0] > 0) {
        let (x0, y0) = (f64::from(x), f64::from(y));
        let empty = || Sum { rectangle: Rectangle { x0, y0, x1: x0, y1: y0 }, pixels: 0, logits: [0; 2] };
        let sum = sums.entry(label.0[0]).or_insert_with(empty);
        let r = &mut sum.rectangle;
        *r = Rectangle { x0: r.x0.min(x0), y0: r.y0.min(y0), x1: r.x1.max(x0 + 1.0), y1: r.y1.max(y0 + 1.0) };
        sum.pixels += 1;
        if let Some(kinds) = &maps.kinds {
            for (sum, map) in sum.logits.iter_mut().zip([&kinds.white, &kinds.platelet]) {
                *sum += i64::from(map.get_pixel(x, y).0[0]) - 128;
            }
        }
    }
    let kind = |sum: &Sum| {
        let [white, platelet] = sum.logits;
        let white = white - i64::from(rule.white_margin) * sum.pixels;
        match white.max(platelet) {
            best if best <= 0 => Kind::Red,
            best if best == white => Kind::White,
            _ => Kind::Platelet,
        }
    };
    let of = |sum: Sum| Found { kind: maps.kinds.as_ref().map(|_| kind(&sum)), rectangle: sum.rectangle };
    sums.into_values().map(of).collect()
}

/// A detected cell without the part outside the picture; `None` if nothing is left.
fn cut(found: Found, seen: &Rectangle) -> Option<Found> {
    let r = found.rectangle;
    let rectangle = Rectangle { x1: r.x1.min(seen.x1), y1: r.y1.min(seen.y1), ..r };
    (rectangle.area() > 0.0).then_some(Found { rectangle, ..found })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bloodseg_evaluate::marks::Shape;
    use image::{GrayImage, RgbImage};
    use tch::{Device, Kind as Type};

    use super::*;
    use crate::recipe::cells::RULE;

    #[test]
    fn marks_lie_on_grid_and_cells_get_their_kind() {
        let mut field = Field::of_mask("f".into(), RgbImage::new(400, 256), GrayImage::new(400, 256));
        field.frame_edge_px = 512.0;
        let at = |x0: f64, y0: f64, edge: f64| Shape::Box(Rectangle { x0, y0, x1: x0 + edge, y1: y0 + edge });
        field.marks = vec![
            Mark { kind: Kind::White, shape: at(40.0, 40.0, 80.0) },
            Mark { kind: Kind::Platelet, shape: at(200.0, 100.0, 20.0) },
        ];
        let scene = Scene::of(&field).unwrap();
        let Scene::Marks { marks, seen, .. } = &scene else { unreachable!() };
        assert_eq!((marks[0].shape, seen.x1, seen.y1), (at(20.0, 20.0, 40.0), 200.0, 128.0));
        // Both are detected; the first in a white map, the second in a platelet map.
        let maps = Tensor::full([1, 4, 256, 256], 60, (Type::Uint8, Device::Cpu));
        let fill = |channel: i64, from: (i64, i64), edge: i64, level: i64| {
            let _ = maps.get(0).get(channel).narrow(0, from.1, edge).narrow(1, from.0, edge).fill_(level);
        };
        for (channel, white, platelet) in [(0, 200, 200), (1, 200, 200), (2, 200, 60), (3, 60, 200)] {
            fill(channel, (20, 20), 40, white);
            fill(channel, (100, 50), 10, platelet);
        }
        let figures = SceneFigures::of(&maps, std::slice::from_ref(&scene), &RULE).unwrap();
        assert_eq!(
            (figures.cells_f1(), figures.count_error(), figures.whites_in_pieces()),
            (Some(1.0), Some(0.0), Some(0.0))
        );
        assert_eq!((figures.kind_f1(Kind::White), figures.kind_f1(Kind::Platelet)), (Some(1.0), Some(1.0)));
        assert!(figures.ap50().is_none() && figures.table().contains("0 of 1"));
        // A margin above 200 - 128 levels turns the white cell into a red one.
        let margin = |white_margin| CellRule { white_margin, ..RULE };
        let white_f1 =
            |rule| SceneFigures::of(&maps, std::slice::from_ref(&scene), &rule).unwrap().kind_f1(Kind::White);
        assert_eq!((white_f1(margin(71)), white_f1(margin(72))), (Some(1.0), Some(0.0)));
    }
}
