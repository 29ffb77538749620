//! Checks whether this machine can run bloodseg. One check per file; each reports what was found, what was expected, and
//! what to do.
//!
//! All inputs of a check are arguments, so that tests can produce every fault.

pub mod budget;
pub mod camera;
pub mod clock;
pub mod config;
pub mod disk;
pub mod limits;
pub mod models;
pub mod mqtt;
pub mod page;
pub mod service;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, ErrorKind, Parts};

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Passed.
    Ok,
    /// A run works, but this should be checked.
    Look,
    /// A run does not work, or does not do what is configured.
    Fault,
    /// Not checked; `found` says why.
    Skipped,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    /// Its outcome.
    pub outcome: Outcome,
    /// What was found.
    pub found: String,
    /// What was expected; empty if passed.
    pub expected: String,
    /// What to do; may be empty.
    pub todo: String,
    /// Exit code of the kind of fault, as in [`Error::exit_code`]; 0 if there is none.
    pub exit_code: u8,
}

impl Finding {
    /// Passed.
    pub fn ok(check: &'static str, found: impl ToString) -> Self {
        Self::of(check, Outcome::Ok, found, "", "", 0)
    }

    /// Not checked.
    pub fn skipped(check: &'static str, why: impl ToString, todo: &str) -> Self {
        Self::of(check, Outcome::Skipped, why, "", todo, 0)
    }

    /// Should be checked by a person.
    pub fn look(check: &'static str, found: impl ToString, expected: impl ToString, todo: impl ToString) -> Self {
        Self::of(check, Outcome::Look, found, expected, todo, 0)
    }

    /// The fault described by an error, with its exit code.
    pub fn fault(check: &'static str, error: &Error) -> Self {
        let Parts { place, found, expected, remedy } = error.parts();
        let (found, expected, todo) = match error.kind() {
            ErrorKind::Output => (
                format!("{place}: cannot write: {found}"),
                "a writable folder",
                "Free space, make the folder writable for this user, or choose another with --out",
            ),
            ErrorKind::Internal => (error.to_string(), "", ""),
            _ if place.is_empty() => (found, expected, remedy),
            _ => (format!("{place}: {found}"), expected, remedy),
        };
        Self::of(check, Outcome::Fault, found, expected, todo, error.exit_code())
    }

    fn of(
        check: &'static str,
        outcome: Outcome,
        found: impl ToString,
        expected: impl ToString,
        todo: impl ToString,
        exit_code: u8,
    ) -> Self {
        let [found, expected, todo] = [found.to_string(), expected.to_string(), todo.to_string()];
        Self { check, outcome, found, expected, todo, exit_code }
    }
}

/// Where the kernel and the service manager report their state; tests use their own folders.
#[derive(Debug, Clone)]
pub struct Machine {
    /// `/dev`
    pub dev: PathBuf,
    /// `/proc`
    pub proc: PathBuf,
    /// `/sys/fs/cgroup`
    pub cgroup: PathBuf,
    /// `/run`
    pub run: PathBuf,
    /// Folders of the units of systemd.
    pub units: Vec<PathBuf>,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            dev: "/dev".into(),
            proc: "/proc".into(),
            cgroup: "/sys/fs/cgroup".into(),
            run: "/run".into(),
            units: ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"].map(PathBuf::from).into(),
        }
    }
}

/// The text of a small kernel file; empty if it cannot be read.
fn text_of(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The exit code of all findings: that of the first fault.
pub fn exit_code(findings: &[Finding]) -> u8 {
    findings.iter().find(|finding| finding.outcome == Outcome::Fault).map_or(0, |finding| finding.exit_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_code_is_that_of_the_first_fault() {
        let look = Finding::look("clock", "1970", "now", "set it");
        let output = Finding::fault("disk", &Error::output(Path::new("out"), "full"));
        let model = Finding::fault("models", &Error::model("ssr", "cut off", "whole", "copy it"));
        assert_eq!(exit_code(&[Finding::ok("config", "all"), look.clone()]), 0);
        assert_eq!(exit_code(&[look, output.clone(), model.clone()]), 5);
        assert_eq!(exit_code(&[model.clone(), output.clone()]), 4);
        assert_eq!(
            (model.found.as_str(), model.expected.as_str(), model.todo.as_str()),
            ("ssr: cut off", "whole", "copy it")
        );
        assert!(output.found.contains("full") && output.todo.contains("--out"));
    }
}
