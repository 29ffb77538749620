//! Drift of a run's measured figures against their own history, which outlasts runs in a file beside the records.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use crate::{
    error::Result,
    run::{
        drift_history::{self, History},
        limits::DRIFT_SAVE_EVERY_FIELDS,
    },
};
use bloodseg_durable::{AtomicFile, open_plain};
use bloodseg_statistics::drift::{Figure, Standing};
use bloodseg_vision::{
    cells::Kind,
    pipeline::Analysis,
    placement::{PitchSource, Scaled},
};

/// Name of the file in the folder of results. Without it, the baselines are learned again.
pub(super) const FILE: &str = "drift.json";

/// Most bytes of the file that are read.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Diameters are distinguished by this much, in pixels of the super-resolved picture, a hundredth of a red cell.
const BIN_PX: f64 = 0.25;

/// Up to three red cells.
const DIAMETER_BINS: usize = 256;

/// The figures of a run.
#[derive(Debug)]
pub(super) struct DriftWatch {
    path: PathBuf,
    figures: History,
    /// Which of them have drifted, as was last reported.
    drifted: [bool; Figure::ALL.len()],
    unsaved: u32,
    /// Cells of a frame by their diameter; its memory is used again.
    diameters: [u32; DIAMETER_BINS],
}

impl DriftWatch {
    /// With the history in `folder`, where there is one.
    pub(super) fn of(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let figures = read(&path).unwrap_or_else(drift_history::empty);
        let drifted = figures.map(|figure| matches!(figure.standing(), Standing::Drifted { .. }));
        Self { path, figures, drifted, unsaved: 0, diameters: [0; DIAMETER_BINS] }
    }

    /// Adds a distinct field; reports each figure that has drifted since the field before, or is back.
    pub(super) fn see(&mut self, analysis: &Analysis, mut report: impl FnMut(String)) {
        let values = self.values(analysis);
        for (((figure, drift), drifted), value) in
            Figure::ALL.into_iter().zip(&mut self.figures).zip(&mut self.drifted).zip(values)
        {
            let standing = drift.see(value);
            let name = figure.name();
            match standing {
                Standing::Drifted { from, to, .. } if !*drifted => {
                    *drifted = true;
                    report(format!("{name}: {to:.3} where it was {from:.3}"));
                }
                Standing::Steady if *drifted => {
                    *drifted = false;
                    report(format!("{name}: back within its limits"));
                }
                _ => {}
            }
        }
        self.unsaved += 1;
        if self.unsaved >= DRIFT_SAVE_EVERY_FIELDS {
            self.save();
        }
    }

    /// Which of [`Figure::ALL`] have drifted.
    pub(super) fn drifted(&self) -> [bool; Figure::ALL.len()] {
        self.drifted
    }

    /// Writes the history. A disk that fails costs the history and nothing else.
    pub(super) fn save(&mut self) {
        if std::mem::take(&mut self.unsaved) == 0 {
            return;
        }
        if let Err(error) = self.write() {
            log::warn!("the history of drift is not kept: {error}");
        }
    }

    fn write(&self) -> Result<()> {
        let failed = |error: std::io::Error| crate::error::Error::output(&self.path, error);
        let mut file = AtomicFile::create_alone(&self.path)?;
        file.write_all(drift_history::text(&self.figures).as_bytes()).map_err(failed)?;
        Ok(file.commit()?)
    }

    /// The figures of a field, in the order of [`Figure::ALL`]; NaN where there is none.
    fn values(&mut self, analysis: &Analysis) -> [f64; Figure::ALL.len()] {
        let (quality, counts) = (&analysis.quality, analysis.counts());
        let diameter = self.median_diameter_um(analysis);
        Figure::ALL.map(|figure| match figure {
            Figure::Light => quality.brightness_levels,
            Figure::Sharpness => quality.sharpness.unwrap_or(f64::NAN),
            Figure::Contrast => quality.contrast_levels,
            Figure::RedCellDiameter => diameter.unwrap_or(f64::NAN),
            Figure::CellsAField => counts.cells.into(),
            // None of none is 0 / 0: no value.
            Figure::UnsupportedShare => f64::from(counts.unsupported) / f64::from(counts.cells),
            Figure::Scale => analysis.scaled.placement.scale,
        })
    }

    /// The median diameter of whole red cells. A pitch that was measured by red cells says nothing about their size.
    fn median_diameter_um(&mut self, analysis: &Analysis) -> Option<f64> {
        let Scaled { source, .. } = &analysis.scaled;
        let um_per_sr_px = analysis.scaled.um_per_sr_px()?;
        if *source == PitchSource::Measured {
            return None;
        }
        self.diameters.fill(0);
        let whole = analysis.cells.iter().filter(|cell| {
            matches!(cell.kind, Kind::Red | Kind::Unknown) && !cell.touches_border && cell.consistency.supported()
        });
        let mut cells = 0;
        for cell in whole {
            let bin = (cell.equivalent_diameter_px / BIN_PX) as usize;
            self.diameters[bin.min(DIAMETER_BINS - 1)] += 1;
            cells += 1;
        }
        let mut below = 0;
        let middle = self.diameters.iter().position(|count| {
            below += count;
            2 * below > cells
        });
        middle.map(|bin| (bin as f64 + 0.5) * BIN_PX * um_per_sr_px)
    }
}

/// The history in the file; none without the file, or if it holds no history.
fn read(path: &Path) -> Option<History> {
    if fs::symlink_metadata(path).is_err() {
        return None;
    }
    let mut text = String::new();
    let read = open_plain(path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text));
    let history = read.ok().and_then(|_| drift_history::parse(&text));
    if history.is_none() {
        log::warn!("{}: not a history of drift; the baselines are learned again", path.display());
    }
    history
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::run::answer::Answer;

    fn analysis(brightness_levels: f64) -> Analysis {
        let mut analysis = Analysis::default();
        analysis.quality.brightness_levels = brightness_levels;
        analysis.quality.sharpness = Some(0.5);
        analysis
    }

    fn names(watch: &DriftWatch) -> Vec<&'static str> {
        Answer { drifted: watch.drifted(), ..Answer::default() }.drifted_names()
    }

    /// Light around 240 levels, the same in each test run.
    fn light(field: u32) -> f64 {
        240.0 + f64::from(field * 7919 % 11) / 5.0 - 1.0
    }

    #[test]
    fn a_lamp_that_fades_is_an_event_once_also_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = DriftWatch::of(folder.path());
        let mut words = Vec::new();
        for field in 0..6000 {
            watch.see(&analysis(light(field)), |event| words.push(event));
        }
        assert!(words.is_empty(), "{words:?}");
        watch.save();
        let mut watch = DriftWatch::of(folder.path());
        for field in 0..300 {
            watch.see(&analysis(light(field) * (1.0 - 0.0005 * f64::from(field))), |event| words.push(event));
        }
        assert_eq!((words.len(), names(&watch)), (1, vec!["light"]));
        assert!(words[0].starts_with("light: ") && words[0].contains("where it was 240"), "{words:?}");
        watch.save();
        assert_eq!(names(&DriftWatch::of(folder.path())), ["light"], "it is not reported again");
    }

    #[test]
    fn what_is_no_history_is_learned_again() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "[]", "[[1.0]]", "{}", "[[null]]", &"[".repeat(1000)] {
            fs::write(folder.path().join(FILE), text).unwrap();
            let mut watch = DriftWatch::of(folder.path());
            watch.see(&analysis(240.0), |_| {});
            assert!(names(&watch).is_empty(), "{text}");
        }
    }
}
