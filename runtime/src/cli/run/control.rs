//! Control slides: what a run measures on them, compared with their first session, which is kept across runs in a file
//! beside the records.

use std::path::{Path, PathBuf};

use super::{
    measured::Values,
    small_file::{read_text, write_text},
};
use crate::{
    config::limits::MAX_CONTROL_SLIDES,
    run::control_history::{self, References},
};
use bloodseg_statistics::{
    control::{MIN_FIELDS, Session},
    drift::Figure,
};

/// Name of the file in the folder of results. Without it, the next session of each slide is its first.
pub(super) const FILE: &str = "controls.json";

/// The control slides of a run.
#[derive(Debug)]
pub(super) struct ControlWatch {
    path: PathBuf,
    /// Names of samples that are control slides.
    slides: Vec<String>,
    references: References,
    /// The slide under the lens and its session.
    now: Option<(String, Session)>,
    /// Figures that differ from the first session.
    differing: [bool; Figure::ALL.len()],
}

impl ControlWatch {
    /// With the sessions in `folder`, if there are any.
    pub(super) fn of(folder: &Path, slides: Vec<String>) -> Self {
        let path = folder.join(FILE);
        let references = match read_text(&path) {
            None => References::new(),
            Some(text) => control_history::parse(&text).unwrap_or_else(|| {
                log::warn!(
                    "{}: not the sessions of control slides; the next session of each is its first",
                    path.display()
                );
                References::new()
            }),
        };
        Self { path, slides, references, now: None, differing: [false; Figure::ALL.len()] }
    }

    /// Whether the sample under the lens is a control slide.
    pub(super) fn is_control(&self, sample: Option<&str>) -> bool {
        sample.is_some_and(|name| self.slides.iter().any(|slide| slide == name))
    }

    /// Adds the values of a distinct field of a control slide; reports each figure that differs from the first session.
    pub(super) fn see(&mut self, slide: &str, values: &Values, mut report: impl FnMut(String)) {
        if self.now.as_ref().is_none_or(|(name, _)| name != slide) {
            self.end(&mut report);
            self.now = Some((slide.to_owned(), Session::default()));
        }
        let Some((_, session)) = &mut self.now else { return };
        session.see(values);
        let Some(reference) = self.references.get(slide).filter(|_| session.is_due()) else { return };
        for difference in session.differences(reference) {
            let at = Figure::ALL.iter().position(|figure| *figure == difference.figure);
            let Some(differing) = at.and_then(|at| self.differing.get_mut(at)) else { continue };
            if !std::mem::replace(differing, true) {
                let (name, from, to) = (difference.figure.name(), difference.from, difference.to);
                report(format!("{slide}: {name} {to:.3}, in the first session {from:.3}"));
            }
        }
    }

    /// Which of [`Figure::ALL`] differ on the slide under the lens.
    pub(super) fn differing(&self) -> [bool; Figure::ALL.len()] {
        self.differing
    }

    /// Ends the session of the slide under the lens, if there is one, and reports its outcome.
    pub(super) fn end(&mut self, mut report: impl FnMut(String)) {
        let differing: Vec<&str> = Figure::ALL
            .iter()
            .zip(std::mem::take(&mut self.differing))
            .filter(|(_, differs)| *differs)
            .map(|(figure, _)| figure.name())
            .collect();
        let Some((slide, session)) = self.now.take() else { return };
        let fields = session.fields();
        if !session.is_enough() {
            report(format!("{slide}: {fields} fields, at least {MIN_FIELDS} are needed to compare"));
        } else if self.references.contains_key(&slide) {
            let outcome = match differing.as_slice() {
                [] => "as in the first session".to_owned(),
                names => format!("not as in the first session: {}", names.join(", ")),
            };
            report(format!("{slide}: {outcome}, {fields} fields"));
        } else if self.references.len() >= MAX_CONTROL_SLIDES {
            report(format!("{slide}: not kept, there are {MAX_CONTROL_SLIDES} control slides already"));
        } else {
            report(format!("{slide}: first session, {fields} fields"));
            self.references.insert(slide, session);
            if let Err(error) = write_text(&self.path, &control_history::text(&self.references)) {
                log::warn!("the session of the control slide is not kept: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn watch(folder: &Path) -> ControlWatch {
        ControlWatch::of(folder, vec!["K1".into(), "K2".into()])
    }

    /// A session of a slide whose light is about `light`; returns what was reported.
    fn session(watch: &mut ControlWatch, slide: &str, fields: u32, light: f64) -> (Vec<String>, bool) {
        let mut words = Vec::new();
        for field in 0..fields {
            let mut values = [f64::NAN; Figure::ALL.len()];
            values[0] = light + f64::from(field % 5);
            watch.see(slide, &values, |event| words.push(event));
        }
        let differs = watch.differing().contains(&true);
        watch.end(|event| words.push(event));
        (words, differs)
    }

    #[test]
    fn slide_is_compared_with_first_session_across_runs() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = watch(folder.path());
        assert!(first.is_control(Some("K1")) && !first.is_control(Some("S-17")) && !first.is_control(None));
        assert_eq!(session(&mut first, "K1", 20, 240.0), (vec!["K1: first session, 20 fields".to_owned()], false));
        let mut later = watch(folder.path());
        let (words, differs) = session(&mut later, "K1", 20, 240.0);
        assert_eq!((words, differs), (vec!["K1: as in the first session, 20 fields".to_owned()], false));
        let (words, differs) = session(&mut later, "K1", 20, 220.0);
        let outcome = "K1: not as in the first session: light, 20 fields";
        assert_eq!(words, ["K1: light 222.000, in the first session 242.000", outcome]);
        assert!(differs);
        assert!(!later.differing().contains(&true), "the slide is not under the lens any more");
    }

    #[test]
    fn changing_the_slide_ends_its_session() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = watch(folder.path());
        let mut words = Vec::new();
        for slide in ["K1", "K2"] {
            (0..12).for_each(|_| watch.see(slide, &[1.0; Figure::ALL.len()], |event| words.push(event)));
        }
        assert_eq!(words, ["K1: first session, 12 fields"]);
        let (words, _) = session(&mut watch, "K1", 3, 240.0);
        assert_eq!(words, ["K2: first session, 12 fields", "K1: 3 fields, at least 10 are needed to compare"]);
    }

    #[test]
    fn invalid_file_is_replaced_by_a_first_session() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "[]", "{\"K1\": {}}", &"[".repeat(1000), "{\"K1\":{\"fields\":20,\"figures\":[]}}"] {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            let (words, _) = session(&mut watch(folder.path()), "K1", 20, 240.0);
            assert_eq!(words, ["K1: first session, 20 fields"], "{text}");
        }
    }
}
