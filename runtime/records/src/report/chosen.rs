//! Which cells are shown: the most typical and the most unusual of those whose frame has pictures.

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    path::{Component, Path, PathBuf},
};

use super::figures::{Figures, Lengths, circularity, is_measured};
use crate::{
    export::Result,
    report::limits::{MAX_REPORT_CELLS, MAX_REPORT_PICTURED},
    store::read::{CellRow, Filter, FrameRow, Records},
};
use bloodseg_vision::pictures;

/// From the fifth percentile to the ninety-fifth of a normal distribution, in standard deviations.
const NORMAL_WIDTH: f64 = 3.29;

/// A measure this many deviations from the median is a reason to call a cell unusual.
const ODD_FROM: f64 = 2.0;

/// The median and the spread of a measure.
#[derive(Debug, Clone, Copy)]
struct Usual {
    median: f64,
    width: f64,
}

impl Usual {
    fn of(at: impl Fn(f64) -> Option<f64>) -> Option<Self> {
        let (low, median, high) = (at(0.05)?, at(0.5)?, at(0.95)?);
        // If all are alike, a tiny spread avoids a division by zero.
        Some(Self { median, width: ((high - low) / NORMAL_WIDTH).max(median.abs() * 1e-3).max(1e-9) })
    }

    fn distance(self, value: f64) -> f64 {
        ((value - self.median) / self.width).abs()
    }
}

/// A cell that is shown.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    /// Its frame in the database.
    pub(super) frame_id: i64,
    /// Its frame in the run.
    pub(super) frame: i64,
    /// Where the super-resolved picture and the labels of its frame are.
    pub(super) pictures: [PathBuf; 2],
    /// Size of the super-resolved picture.
    pub(super) size_px: [u32; 2],
    /// The cell.
    pub(super) cell: CellRow,
    /// How far it is from the medians.
    pub(super) distance: f64,
}

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// The closest to both medians, the closest first.
    pub(super) typical: Vec<Chosen>,
    /// The furthest, the furthest first.
    pub(super) odd: Vec<Chosen>,
    /// Frames of the run whose pictures still belong to them.
    pub(super) pictured: u64,
    /// Whether there are more of them than are examined.
    pub(super) more: bool,
}

/// Medians and spreads of diameter and circularity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Medians {
    lengths: Lengths,
    diameter: Usual,
    circularity: Usual,
}

impl Medians {
    /// Those of a run; none without a measured cell.
    pub(super) fn of(figures: &Figures, lengths: Lengths) -> Option<Self> {
        let diameter = Usual::of(|share| figures.areas.quantile(share, |area| lengths.diameter(area)))?;
        let circularity = Usual::of(|share| figures.circularities.quantile(share, circularity))?;
        Some(Self { lengths, diameter, circularity })
    }

    /// The median diameter in pixels.
    pub(super) fn diameter_px(&self) -> f64 {
        self.diameter.median / self.lengths.of_px(1.0)
    }

    fn distances(&self, cell: &CellRow) -> [f64; 2] {
        let diameter = self.lengths.of_px(cell.equivalent_diameter_px());
        [self.diameter.distance(diameter), self.circularity.distance(cell.circularity())]
    }

    /// The measures of a cell, as text.
    pub(super) fn words(&self, cell: &CellRow) -> String {
        let (diameter, unit) = (self.lengths.of_px(cell.equivalent_diameter_px()), self.lengths.unit());
        format!("diameter {diameter:.1} {unit}, circularity {:.2}", cell.circularity())
    }

    /// Why a cell is shown, as text: the measures far from their median, or else the furthest.
    pub(super) fn reason(&self, cell: &CellRow) -> String {
        let [by_diameter, by_circularity] = self.distances(cell);
        let diameter = (by_diameter >= ODD_FROM || by_diameter >= by_circularity).then(|| {
            let (found, unit) = (self.lengths.of_px(cell.equivalent_diameter_px()), self.lengths.unit());
            format!("diameter {found:.1} {unit}, median is {:.1}", self.diameter.median)
        });
        let circularity = (by_circularity >= ODD_FROM || by_circularity > by_diameter)
            .then(|| format!("circularity {:.2}, median is {:.2}", cell.circularity(), self.circularity.median));
        diameter.into_iter().chain(circularity).collect::<Vec<_>>().join("; ")
    }
}

/// Chooses cells of a run.
///
/// # Errors
/// [`crate::export::ExportError::Records`] when the records cannot be read.
pub(super) fn choose(records: &Records, scope: &Filter, medians: Option<&Medians>) -> Result<Choice> {
    let (latest, more) = latest_of_names(records, scope)?;
    let mut choice = Choice { more, ..Choice::default() };
    records.frames::<crate::error::Error>(scope, |frame| {
        let folder = records.folder_of(frame.run);
        if latest.get(&key(folder, frame)) != Some(&frame.id) {
            return Ok(());
        }
        let Some(pictures) = pictures_of(folder, frame) else { return Ok(()) };
        choice.pictured += 1;
        let Some(medians) = medians else { return Ok(()) };
        records.cells::<crate::error::Error>(frame.id, |cell| {
            let [a, b] = medians.distances(cell);
            let distance = a.hypot(b);
            if is_measured(cell) && distance.is_finite() {
                let chosen = || Chosen {
                    frame_id: frame.id,
                    frame: frame.number,
                    pictures: pictures.clone(),
                    size_px: frame.size_px,
                    cell: cell.clone(),
                    distance,
                };
                keep(&mut choice.typical, cell, |kept| kept <= distance, chosen);
                keep(&mut choice.odd, cell, |kept| kept > distance, chosen);
            }
            Ok(())
        })
    })?;
    let Choice { typical, odd, .. } = &mut choice;
    // With few cells, the same ones are closest and furthest.
    odd.retain(|odd| !typical.iter().any(|typical| is_same(&typical.cell, &odd.cell)));
    Ok(choice)
}

/// Inserts a cell into a short list, behind those whose distance stays `before`. Of equal ones the typical list takes the
/// earlier, the unusual list the later, so that both do not hold the same cells if all are alike. A cell already listed
/// under another frame name is not added again.
fn keep(list: &mut Vec<Chosen>, cell: &CellRow, before: impl Fn(f64) -> bool, chosen: impl Fn() -> Chosen) {
    let at = list.partition_point(|kept| before(kept.distance));
    if at < MAX_REPORT_CELLS && !list.iter().any(|kept| is_same(&kept.cell, cell)) {
        list.insert(at, chosen());
        list.truncate(MAX_REPORT_CELLS);
    }
}

/// Whether two rows are the same cell seen twice: at the same position in its frame, with the same measures, as in two
/// copies of a picture.
fn is_same(a: &CellRow, b: &CellRow) -> bool {
    let of = |cell: &CellRow| (cell.area_px, [cell.x_px, cell.y_px, cell.perimeter_px].map(f64::to_bits));
    of(a) == of(b)
}

/// The latest frame of each name that has pictures, by [`key`], and whether there are more than are examined. A frame's
/// pictures replace those of an earlier one with its name, as when a folder is replayed repeatedly: they belong to the
/// latest only, and its cells must not be chosen once per replay.
fn latest_of_names(records: &Records, scope: &Filter) -> Result<(HashMap<u64, i64>, bool)> {
    let (mut latest, mut more) = (HashMap::new(), false);
    records.frames::<crate::error::Error>(scope, |frame| {
        let folder = records.folder_of(frame.run);
        let key = key(folder, frame);
        if latest.contains_key(&key) || pictures_of(folder, frame).is_some() {
            if latest.len() < MAX_REPORT_PICTURED || latest.contains_key(&key) {
                latest.insert(key, frame.id);
            } else {
                more = true;
            }
        }
        Ok(())
    })?;
    Ok((latest, more))
}

/// A hash of the name of a frame's pictures: the same in each process, so that a page has the same bytes each time.
fn key(folder: &Path, frame: &FrameRow) -> u64 {
    BuildHasherDefault::<DefaultHasher>::new().hash_one((folder, frame.stem()))
}

/// The super-resolved picture and the labels of a frame, if they were kept.
pub(super) fn pictures_of(folder: &Path, frame: &FrameRow) -> Option<[PathBuf; 2]> {
    // In records before version 4, the whole name if another file differs from it only in its extension.
    [frame.stem(), frame.image.as_str()].into_iter().find_map(|stem| {
        // A name in a foreign database may point outside the folder.
        let plain = !stem.is_empty() && Path::new(stem).components().all(|part| matches!(part, Component::Normal(_)));
        let [sr, _, labels, _] = pictures::paths(folder, stem);
        (plain && sr.is_file() && labels.is_file()).then_some([sr, labels])
    })
}
