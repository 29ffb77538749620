//! Errors of the program: its own, and those of the crates below with their own messages. The kind determines the exit
//! code.

use std::path::Path;

use bloodseg_vision::error::{Cause, Source, hint};

pub use bloodseg_vision::error::Parts;

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Who can fix it.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// An argument is missing that another one, or the config, would have made unnecessary.
    Usage,
    /// The given picture, folder or records cannot be used.
    Input,
    /// A model, a bundle or the slots cannot be used.
    Model,
    /// A result cannot be written.
    Output,
    /// The configuration cannot be used.
    Config,
    /// A source of frames is missing or failed.
    Source,
    /// An internal error.
    Internal,
}

impl ErrorKind {
    /// Exit code of the process: stable, documented in `bloodseg --help`. The command line parser also exits with 2.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Input => 3,
            Self::Model => 4,
            Self::Output => 5,
            Self::Config => 6,
            Self::Source => 7,
            Self::Internal => 70,
        }
    }
}

/// What went wrong, classified by who can fix it ([`Error::kind`]).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument is missing.
    #[error("{found}{}", hint(todo))]
    Usage {
        /// What is missing.
        found: String,
        /// What to pass.
        todo: Box<str>,
    },
    /// The configuration cannot be used.
    #[error("config {origin}: {found}{}", hint(todo))]
    Config {
        /// File or key that it came from.
        origin: String,
        /// What was found, with its location.
        found: String,
        /// What to do; may be empty.
        todo: Box<str>,
        /// The underlying error.
        source: Option<Source>,
    },
    /// A source of frames is missing or failed.
    #[error("source {name}: {found}{}", hint(todo))]
    Source {
        /// Name of the source.
        name: String,
        /// What was found.
        found: String,
        /// What to do; may be empty.
        todo: Box<str>,
        /// The underlying error.
        source: Option<Source>,
    },
    /// An error of a picture, a model, a file that cannot be written, or an internal error.
    #[error(transparent)]
    Vision(#[from] bloodseg_vision::error::Error),
    /// An error of bundles, keys and slots.
    #[error(transparent)]
    Bundles(#[from] bloodseg_bundles::error::Error),
    /// An error of the records.
    #[error(transparent)]
    Records(#[from] bloodseg_records::error::Error),
}

impl Error {
    /// A file or folder that cannot be used.
    pub fn input(path: &Path, found: impl Into<Cause>, expected: impl ToString, todo: impl ToString) -> Self {
        bloodseg_vision::error::Error::input(path, found, expected, todo).into()
    }

    /// A picture that cannot be used.
    pub fn picture(found: impl ToString, expected: impl ToString, todo: impl ToString) -> Self {
        bloodseg_vision::error::Error::picture(found, expected, todo).into()
    }

    /// A model that cannot be used.
    pub fn model(name: impl ToString, found: impl Into<Cause>, expected: impl ToString, todo: impl ToString) -> Self {
        bloodseg_vision::error::Error::model(name, found, expected, todo).into()
    }

    /// A file or folder that cannot be written.
    pub fn output(path: &Path, cause: impl Into<Cause>) -> Self {
        bloodseg_vision::error::Error::output(path, cause).into()
    }

    /// An internal error.
    pub fn internal(place: &'static str, found: impl Into<Cause>) -> Self {
        bloodseg_vision::error::Error::internal(place, found).into()
    }

    /// The error of a command on `total` pictures in or from `place`, of which `unusable` could not be used. `see` is where
    /// their errors were reported.
    pub fn unusable(place: &Path, unusable: u64, total: u64, see: &str) -> Self {
        let found = format!("{unusable} of {total} pictures could not be used, see {see}");
        let rest = if unusable < total { "The others were processed" } else { "" };
        Self::input(place, found, "only usable pictures", rest)
    }

    /// An [`Error::Usage`].
    pub fn usage(found: impl ToString, todo: impl ToString) -> Self {
        Self::Usage { found: found.to_string(), todo: todo.to_string().into() }
    }

    /// An [`Error::Config`].
    pub fn config(origin: impl ToString, found: impl Into<Cause>, todo: impl ToString) -> Self {
        let (found, source) = found.into().into_parts();
        Self::Config { origin: origin.to_string(), found, todo: todo.to_string().into(), source }
    }

    /// An [`Error::Source`].
    pub fn frames(name: impl ToString, found: impl Into<Cause>, todo: impl ToString) -> Self {
        let (found, source) = found.into().into_parts();
        Self::Source { name: name.to_string(), found, todo: todo.to_string().into(), source }
    }

    /// The same for a source whose field is unsuitable: `words`, and what was wrong with its pictures.
    pub fn unfit(error: bloodseg_vision::error::Error, name: &str, words: &str) -> Self {
        match error {
            bloodseg_vision::error::Error::Picture { found, expected, todo } => {
                Self::frames(name, format!("{words}: {found}; expected {expected}"), todo)
            }
            other => other.into(),
        }
    }

    /// Who can fix it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Usage { .. } => ErrorKind::Usage,
            Self::Config { .. } => ErrorKind::Config,
            Self::Source { .. } => ErrorKind::Source,
            Self::Vision(error) => of_vision(error.kind()),
            Self::Bundles(error) => of_bundles(error.kind()),
            Self::Records(error) => of_records(error.kind()),
        }
    }

    /// Exit code of the process, by kind.
    pub fn exit_code(&self) -> u8 {
        self.kind().exit_code()
    }

    /// The error in its parts.
    pub fn parts(&self) -> Parts<'_> {
        match self {
            Self::Usage { found, todo } => {
                Parts { place: String::new(), found: found.clone(), expected: "", remedy: todo }
            }
            Self::Config { origin: place, found, todo, .. } | Self::Source { name: place, found, todo, .. } => {
                Parts { place: place.clone(), found: found.clone(), expected: "", remedy: todo }
            }
            Self::Vision(error) => error.parts(),
            Self::Bundles(error) => error.parts(),
            Self::Records(error) => error.parts(),
        }
    }

    /// What to do; empty if the message says everything.
    pub fn remedy(&self) -> &str {
        self.parts().remedy
    }
}

fn of_vision(kind: bloodseg_vision::error::ErrorKind) -> ErrorKind {
    use bloodseg_vision::error::ErrorKind as Of;
    match kind {
        Of::Input => ErrorKind::Input,
        Of::Model => ErrorKind::Model,
        Of::Output => ErrorKind::Output,
        _ => ErrorKind::Internal,
    }
}

fn of_bundles(kind: bloodseg_bundles::error::ErrorKind) -> ErrorKind {
    use bloodseg_bundles::error::ErrorKind as Of;
    match kind {
        Of::Bundle | Of::Held => ErrorKind::Model,
        Of::Key => ErrorKind::Config,
        Of::Vision(kind) => of_vision(kind),
        _ => ErrorKind::Internal,
    }
}

fn of_records(kind: bloodseg_records::error::ErrorKind) -> ErrorKind {
    use bloodseg_records::error::ErrorKind as Of;
    match kind {
        Of::Unreadable => ErrorKind::Input,
        Of::Unwritable | Of::Taken => ErrorKind::Output,
        Of::Vision(kind) => of_vision(kind),
        _ => ErrorKind::Internal,
    }
}

impl From<bloodseg_durable::Error> for Error {
    fn from(error: bloodseg_durable::Error) -> Self {
        Self::Vision(error.into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{error::Error as _, io};

    use super::*;

    #[test]
    fn kinds_have_exit_codes_and_errors_their_source() {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let path = Path::new("a");
        let all = [
            (Error::input(path, gone(), "b", ""), 3),
            (Error::model("a", gone(), "b", ""), 4),
            (bloodseg_bundles::error::Error::bundle("a", gone(), "b", "").into(), 4),
            (Error::output(path, gone()), 5),
            (bloodseg_records::error::Error::output(path, gone()).into(), 5),
            (Error::config("a", gone(), "b"), 6),
            (Error::frames("a", gone(), "b"), 7),
            (Error::internal("a", gone()), 70),
        ];
        for (error, code) in all {
            assert_eq!((error.exit_code(), error.parts().place.as_str()), (code, "a"), "{error}");
            assert!(error.source().unwrap().is::<io::Error>(), "{error}");
        }
        let taken = bloodseg_records::error::Error::Taken { folder: path.into() };
        assert_eq!(Error::from(taken).exit_code(), 5);
        let usage = Error::usage("no a", "Pass --a");
        assert_eq!((usage.exit_code(), usage.to_string().as_str()), (2, "no a. Pass --a"));
    }

    #[test]
    fn others_are_mentioned_only_if_there_are_any() {
        let message = |unusable| Error::unusable(Path::new("a"), unusable, 2, "above").to_string();
        assert!(message(1).ends_with("The others were processed"), "{}", message(1));
        assert!(!message(2).contains("others"), "{}", message(2));
    }
}
