//! Drift of a run's measured figures against their own history, which is kept across runs in a file beside the records.

use std::path::{Path, PathBuf};

use super::{
    measured::Values,
    small_file::{read_text, write_text},
};
use crate::run::{
    drift_history::{self, History},
    limits::DRIFT_SAVE_EVERY_FIELDS,
};
use bloodseg_statistics::drift::{Figure, Standing};

/// Name of the file in the folder of results. Without it, the baselines are learned again.
pub(super) const FILE: &str = "drift.json";

/// The figures of a run.
#[derive(Debug)]
pub(super) struct DriftWatch {
    path: PathBuf,
    figures: History,
    /// Which of them have drifted, as was last reported.
    drifted: [bool; Figure::ALL.len()],
    unsaved: u32,
}

impl DriftWatch {
    /// With the history in `folder`, if there is one.
    pub(super) fn of(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let figures = read(&path).unwrap_or_else(drift_history::empty);
        let drifted = figures.map(|figure| matches!(figure.standing(), Standing::Drifted { .. }));
        Self { path, figures, drifted, unsaved: 0 }
    }

    /// Adds the values of a distinct field; reports each figure that starts to drift or is back within its limits.
    pub(super) fn see(&mut self, values: Values, mut report: impl FnMut(String)) {
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

    /// Writes the history. If the disk fails, only the history is lost.
    pub(super) fn save(&mut self) {
        if std::mem::take(&mut self.unsaved) == 0 {
            return;
        }
        if let Err(error) = write_text(&self.path, &drift_history::text(&self.figures)) {
            log::warn!("the history of drift is not kept: {error}");
        }
    }
}

/// The history in the file; `None` if the file is missing or invalid.
fn read(path: &Path) -> Option<History> {
    let history = drift_history::parse(&read_text(path)?);
    if history.is_none() {
        log::warn!("{}: not a history of drift; the baselines are learned again", path.display());
    }
    history
}

#[cfg(test)]
mod virtual_days;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;
    use crate::run::answer::Answer;

    fn lit(light: f64) -> Values {
        let mut values = [f64::NAN; Figure::ALL.len()];
        values[0] = light;
        values
    }

    fn names(watch: &DriftWatch) -> Vec<&'static str> {
        Answer { drifted: watch.drifted(), ..Answer::default() }.drifted_names()
    }

    /// Light around 240 levels, the same in each test run.
    fn light(field: u32) -> f64 {
        240.0 + f64::from(field * 7919 % 11) / 5.0 - 1.0
    }

    #[test]
    fn fading_lamp_is_reported_once_across_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = DriftWatch::of(folder.path());
        let mut words = Vec::new();
        for field in 0..6000 {
            watch.see(lit(light(field)), |event| words.push(event));
        }
        assert!(words.is_empty(), "{words:?}");
        watch.save();
        let mut watch = DriftWatch::of(folder.path());
        for field in 0..300 {
            watch.see(lit(light(field) * (1.0 - 0.0005 * f64::from(field))), |event| words.push(event));
        }
        assert_eq!((words.len(), names(&watch)), (1, vec!["light"]));
        assert!(words[0].starts_with("light: ") && words[0].contains("where it was 240"), "{words:?}");
        watch.save();
        assert_eq!(names(&DriftWatch::of(folder.path())), ["light"], "it is not reported again");
    }

    #[test]
    fn invalid_history_is_learned_again() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "[]", "[[1.0]]", "{}", "[[null]]", &"[".repeat(1000)] {
            fs::write(folder.path().join(FILE), text).unwrap();
            let mut watch = DriftWatch::of(folder.path());
            watch.see(lit(240.0), |_| {});
            assert!(names(&watch).is_empty(), "{text}");
        }
    }
}
