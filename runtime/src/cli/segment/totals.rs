//! What the pictures of a call come to: how many cells a picture, with an interval, and the shares of the kinds.

use std::{fmt::Write as _, io::Write, path::Path};

use serde::Serialize;

use crate::error::Result;
use bloodseg_durable::AtomicFile;
use bloodseg_records::frames::Area;
use bloodseg_statistics::{LEVEL, density::Density, fields::FieldCounts, share::Share};
use bloodseg_vision::{cells::Counts, pipeline::Analysis};

/// Name of the file in the folder for results.
pub(super) const FILE: &str = "summary.json";

/// Square micrometres of a square millimetre.
const UM2_PER_MM2: f64 = 1e6;

/// Parts of the mean that further pictures are asked for.
const WANTED_HALF_WIDTH: f64 = 0.05;

/// The pictures of a call, as they come.
#[derive(Debug, Default)]
pub(super) struct Totals {
    counted: Vec<Field>,
    not_counted: u64,
}

#[derive(Debug, Clone, Copy)]
struct Field {
    counts: Counts,
    area_mm2: Option<f64>,
}

/// What is written to [`FILE`].
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Pictures that were counted; each is taken for a field of its own.
    pictures: u64,
    /// Pictures that were analysed and not counted.
    not_counted: u64,
    /// Probability with which each interval holds the truth of the sample.
    level: f64,
    /// Red and white cells, or all where kinds are unknown, a picture.
    cells: Option<FieldCounts>,
    /// How many more pictures like these bring the interval to 5 % of the mean on both sides.
    more_pictures_for_5_percent: Option<u64>,
    /// Red cells a picture; null where kinds are unknown, as all below.
    red: Option<FieldCounts>,
    /// White cells a picture.
    white: Option<FieldCounts>,
    /// Platelets a picture.
    platelets: Option<FieldCounts>,
    /// White cells of all cells.
    white_of_cells: Option<Share>,
    /// Cells that the input does not support, of all cells.
    unsupported_of_cells: Option<Share>,
    /// Cells a square millimetre of the analysed area; null where the pitch of a picture is unknown.
    cells_per_mm2: Option<Density>,
}

impl Totals {
    /// Adds a picture.
    pub(super) fn add(&mut self, analysis: &Analysis, counted: bool) {
        if !counted {
            self.not_counted += 1;
            return;
        }
        let area_mm2 =
            Area::of(&analysis.scaled, analysis.outside.analysed_px() as f64).um2.map(|um2| um2 / UM2_PER_MM2);
        self.counted.push(Field { counts: analysis.counts(), area_mm2 });
    }

    /// All of it; none for a single picture that was not counted, or none at all.
    pub(super) fn summary(&self) -> Option<Summary> {
        if self.counted.is_empty() {
            return None;
        }
        let counts = || self.counted.iter().map(|field| field.counts);
        let of = |count: fn(&Counts) -> Option<u32>| -> Option<FieldCounts> {
            // All of one call come from one model: kinds are known of all or of none.
            counts()
                .all(|counts| count(&counts).is_some())
                .then(|| FieldCounts::of(counts().map(move |counts| count(&counts).unwrap_or(0).into())))?
        };
        let sum = |count: fn(&Counts) -> u32| counts().map(|counts| u64::from(count(&counts))).sum::<u64>();
        let (cells, all) = (of(|counts| Some(counts.cells)), sum(|counts| counts.cells));
        let white = of(|counts| counts.white);
        let areas: Option<Vec<(u64, f64)>> =
            self.counted.iter().map(|field| Some((field.counts.cells.into(), field.area_mm2?))).collect();
        Some(Summary {
            pictures: self.counted.len() as u64,
            not_counted: self.not_counted,
            level: LEVEL,
            cells,
            more_pictures_for_5_percent: cells.and_then(|cells| cells.more_fields_for(WANTED_HALF_WIDTH)),
            red: of(|counts| counts.red),
            white,
            platelets: of(|counts| counts.platelets),
            white_of_cells: white.and_then(|white| Share::of(white.cells, all)),
            unsupported_of_cells: Share::of(sum(|counts| counts.unsupported), all),
            cells_per_mm2: areas.and_then(|areas| Density::of(areas.into_iter())),
        })
    }
}

impl Summary {
    /// Writes it to [`FILE`] in a folder.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let failed = |e: std::io::Error| crate::error::Error::output(&path, e);
        let mut file = AtomicFile::create(&path)?;
        serde_json::to_writer_pretty(&mut file, self).map_err(|e| failed(e.into()))?;
        file.write_all(b"\n").map_err(failed)?;
        Ok(file.commit()?)
    }

    /// The last lines of a call, for people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let percent = (100.0 * self.level).round();
        if let Some(cells) = self.cells {
            let _ = write!(
                text,
                "{} picture{}, {} cells: {:.1} a picture ({percent} %: {:.1} to {:.1})",
                self.pictures,
                if self.pictures == 1 { "" } else { "s" },
                cells.cells,
                cells.mean,
                cells.interval.low,
                cells.interval.high
            );
        }
        if let Some(Density { density, interval }) = self.cells_per_mm2 {
            let _ = write!(text, ", {density:.0} per mm2 ({:.0} to {:.0})", interval.low, interval.high);
        }
        if let (Some(red), Some(white), Some(platelets)) = (self.red, self.white, self.platelets) {
            let share = self.white_of_cells.map_or_else(String::new, |share| format!(", {}", share.text()));
            let _ = write!(text, "\n{} red, {} white{share}; {} platelets", red.cells, white.cells, platelets.cells);
        }
        if self.not_counted > 0 {
            let _ = write!(text, "\n{} more not counted", self.not_counted);
        }
        match self.more_pictures_for_5_percent {
            Some(more) if more > 0 => {
                let _ = write!(text, "\n{more} more pictures like these would narrow the count to 5 %");
            }
            _ => {}
        }
        text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn totals(counts: &[(u32, Option<u32>)], area_mm2: Option<f64>) -> Totals {
        let field = |&(cells, white): &(u32, Option<u32>)| Field {
            counts: Counts {
                cells,
                red: white.map(|white| cells - white),
                white,
                platelets: white.map(|_| 3),
                unsupported: 1,
            },
            area_mm2,
        };
        Totals { counted: counts.iter().map(field).collect(), not_counted: 2 }
    }

    #[test]
    fn counts_have_intervals_and_kinds_shares() {
        let summary =
            totals(&[(20, Some(1)), (24, Some(0)), (19, Some(0)), (21, Some(1))], Some(0.002)).summary().unwrap();
        let text = summary.text();
        assert!(text.starts_with("4 pictures, 84 cells: 21.0 a picture (95 %: 17."), "{text}");
        assert!(
            text.contains(" per mm2 (") && text.contains("82 red, 2 white, 2.4 % (0.3 to 8.3 %); 12 platelets"),
            "{text}"
        );
        assert!(text.contains("2 more not counted"), "{text}");
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!((&json["cells"]["cells"], &json["cells"]["method"]), (&84.into(), &"student-of-roots".into()));
        assert_eq!((&json["unsupported_of_cells"]["part"], &json["level"]), (&4.into(), &0.95.into()));
    }

    #[test]
    fn without_kinds_and_pitch_there_are_none_of_their_figures() {
        let summary = totals(&[(100, None)], None).summary().unwrap();
        let json = serde_json::to_value(&summary).unwrap();
        assert!(json["red"].is_null() && json["cells_per_mm2"].is_null() && json["white_of_cells"].is_null());
        assert_eq!(json["cells"]["method"], "poisson");
        assert_eq!(summary.text(), "1 picture, 100 cells: 100.0 a picture (95 %: 81.4 to 121.6)\n2 more not counted");
        assert!(Totals::default().summary().is_none());
    }

    #[test]
    fn none_of_a_kind_is_below_a_bound() {
        let summary = totals(&[(500, Some(0)), (500, Some(0))], None).summary().unwrap();
        assert!(summary.text().contains("1000 red, 0 white, below 0.4 %"), "{}", summary.text());
    }
}
