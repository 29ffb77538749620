//! Errors that say what was found, what was expected, and what to do.

use std::path::{Path, PathBuf};

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, by who can mend it. The exit code of the command follows from the kind.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A picture or a folder that the user named cannot be used.
    #[error("{}: {found}; expected {expected}{}", path.display(), hint(todo))]
    Input {
        /// The file or folder.
        path: PathBuf,
        /// What was found there.
        found: String,
        /// What would have been accepted.
        expected: String,
        /// What to do, or empty.
        todo: String,
    },
    /// A picture cannot be worked on, before its path is known; see [`Error::at`].
    #[error("picture: {found}; expected {expected}{}", hint(todo))]
    Picture {
        /// What was found.
        found: String,
        /// What would have been accepted.
        expected: String,
        /// What to do, or empty.
        todo: String,
    },
    /// A model or its manifest is missing, damaged, or does not fit.
    #[error("model {name}: {found}; expected {expected}{}", hint(todo))]
    Model {
        /// Name of the model, or path of its file.
        name: String,
        /// What was found.
        found: String,
        /// What would have been accepted.
        expected: String,
        /// What to do, or empty.
        todo: String,
    },
    /// A result cannot be written.
    #[error("{}: cannot write: {cause}; {todo}", path.display())]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: String,
        /// What to do about it.
        todo: &'static str,
    },
    /// The configuration cannot be used.
    #[error("config {origin}: {found}{}", hint(todo))]
    Config {
        /// File that it came from.
        origin: String,
        /// What was found, with its place.
        found: String,
        /// What to do, or empty.
        todo: String,
    },
    /// A source of frames is missing or broke.
    #[error("source {name}: {found}{}", hint(todo))]
    Source {
        /// Name of the source.
        name: String,
        /// What was found.
        found: String,
        /// What to do, or empty.
        todo: String,
    },
    /// A fault of the software itself: please report it.
    #[error("internal error in {place}: {found}; this is a fault of bloodseg, please report it")]
    Internal {
        /// Where.
        place: &'static str,
        /// What.
        found: String,
    },
}

fn hint(todo: &str) -> String {
    if todo.is_empty() { String::new() } else { format!(". {todo}") }
}

impl Error {
    /// An [`Error::Input`].
    pub fn input(path: &Path, found: impl ToString, expected: impl ToString, todo: impl ToString) -> Self {
        Self::Input {
            path: path.to_owned(),
            found: found.to_string(),
            expected: expected.to_string(),
            todo: todo.to_string(),
        }
    }

    /// An [`Error::Picture`].
    pub fn picture(found: impl ToString, expected: impl ToString, todo: impl ToString) -> Self {
        Self::Picture { found: found.to_string(), expected: expected.to_string(), todo: todo.to_string() }
    }

    /// Names the file of an [`Error::Picture`]; every other error stays as it is.
    pub fn at(self, path: &Path) -> Self {
        match self {
            Self::Picture { found, expected, todo } => Self::Input { path: path.to_owned(), found, expected, todo },
            other => other,
        }
    }

    /// An [`Error::Model`].
    pub fn model(name: impl ToString, found: impl ToString, expected: impl ToString, todo: impl ToString) -> Self {
        Self::Model {
            name: name.to_string(),
            found: found.to_string(),
            expected: expected.to_string(),
            todo: todo.to_string(),
        }
    }

    /// An [`Error::Output`].
    pub fn output(path: &Path, cause: impl ToString) -> Self {
        let cause = cause.to_string();
        // Space is what most often lacks, and the wrong word where something else does.
        let is_space = ["os error 28", "os error 122", "is full", "not kept"].iter().any(|word| cause.contains(word));
        let todo = if is_space {
            "free space, or choose another folder with --out"
        } else {
            "choose another place with --out"
        };
        Self::Output { path: path.to_owned(), cause, todo }
    }

    /// An [`Error::Output`] for a folder that another run holds.
    pub fn output_taken(path: &Path) -> Self {
        let cause = "another run writes into it".to_owned();
        Self::Output { path: path.to_owned(), cause, todo: "end that one, or choose another folder with --out" }
    }

    /// An [`Error::Internal`].
    pub fn internal(place: &'static str, found: impl ToString) -> Self {
        Self::Internal { place, found: found.to_string() }
    }

    /// Exit code of the process: stable, documented in `bloodseg --help`.
    /// 2 is left to the command line parser.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Input { .. } | Self::Picture { .. } => 3,
            Self::Model { .. } => 4,
            Self::Output { .. } => 5,
            Self::Config { .. } => 6,
            Self::Source { .. } => 7,
            Self::Internal { .. } => 70,
        }
    }
}

impl From<bloodseg_durable::Error> for Error {
    fn from(error: bloodseg_durable::Error) -> Self {
        Self::output(&error.path, error.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_asked_for_where_it_lacks() {
        let told = |cause: &str| Error::output(Path::new("x"), cause).to_string();
        assert!(told("No space left on device (os error 28)").contains("free space"));
        assert!(told("database or disk is full").contains("free space"));
        assert!(!told("Permission denied (os error 13)").contains("free space"));
        assert!(Error::output_taken(Path::new("x")).to_string().contains("end that one"));
    }
}
