//! What can be wrong with a bundle, a key, or the slots.

use std::{
    io,
    path::{Path, PathBuf},
};

use bloodseg_vision::error::{self, Cause, Parts, Source, hint};

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Who can mend it.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A bundle, its signature or what is installed is missing, damaged, not trusted, or does not fit.
    Bundle,
    /// What was given as a public key is none.
    Key,
    /// Somebody else holds the slots: it may pass by itself.
    Held,
    /// What the crate `bloodseg-vision` says: a file that cannot be read, a model that does not run, a file that cannot be
    /// written, a fault of the software.
    Vision(error::ErrorKind),
}

/// What went wrong, by who can mend it ([`Error::kind`]).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A bundle, its signature or what is installed cannot be used.
    #[error("model {name}: {found}; expected {expected}{}", hint(todo))]
    Bundle {
        /// Name of the bundle, the model or the slots.
        name: String,
        /// What was found.
        found: String,
        /// What would have been accepted.
        expected: Box<str>,
        /// What to do, or empty.
        todo: Box<str>,
        /// What the system or a parser said.
        source: Option<Source>,
    },
    /// What was given as a public key is none.
    #[error("config {origin}: {found}{}", hint(todo))]
    Key {
        /// Where it is from.
        origin: String,
        /// What was found.
        found: String,
        /// What to do.
        todo: Box<str>,
    },
    /// Somebody else holds the slots.
    #[error("model {}: {source}; expected {SLOTS_FREE}. {SLOTS_HELD}", folder.display())]
    Held {
        /// Their folder.
        folder: PathBuf,
        /// What the lock said.
        source: io::Error,
    },
    /// A picture, a model, a file that cannot be written, or a fault of the software.
    #[error(transparent)]
    Vision(#[from] error::Error),
}

const SLOTS_FREE: &str = "slots that nobody else holds";

const SLOTS_HELD: &str = "It may be `bloodseg models install`, or a run that starts: try again when that has ended";

impl Error {
    /// An [`Error::Bundle`].
    pub fn bundle(name: impl ToString, found: impl Into<Cause>, expected: impl ToString, todo: impl ToString) -> Self {
        let (found, source) = found.into().into_parts();
        Self::Bundle {
            name: name.to_string(),
            found,
            expected: expected.to_string().into(),
            todo: todo.to_string().into(),
            source,
        }
    }

    /// A file that cannot be used.
    pub fn input(path: &Path, found: impl Into<Cause>, expected: impl ToString, todo: impl ToString) -> Self {
        error::Error::input(path, found, expected, todo).into()
    }

    /// A file that cannot be written.
    pub fn output(path: &Path, cause: impl Into<Cause>) -> Self {
        error::Error::output(path, cause).into()
    }

    /// A fault of the software.
    pub fn internal(place: &'static str, found: impl Into<Cause>) -> Self {
        error::Error::internal(place, found).into()
    }

    /// Who can mend it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Bundle { .. } => ErrorKind::Bundle,
            Self::Key { .. } => ErrorKind::Key,
            Self::Held { .. } => ErrorKind::Held,
            Self::Vision(error) => ErrorKind::Vision(error.kind()),
        }
    }

    /// The error in its parts.
    pub fn parts(&self) -> Parts<'_> {
        match self {
            Self::Bundle { name, found, expected, todo, .. } => {
                Parts { place: name.clone(), found: found.clone(), expected, remedy: todo }
            }
            Self::Key { origin, found, todo } => {
                Parts { place: origin.clone(), found: found.clone(), expected: "", remedy: todo }
            }
            Self::Held { folder, source } => Parts {
                place: folder.display().to_string(),
                found: source.to_string(),
                expected: SLOTS_FREE,
                remedy: SLOTS_HELD,
            },
            Self::Vision(error) => error.parts(),
        }
    }

    /// What to do about it; empty where the message says all there is.
    pub fn remedy(&self) -> &str {
        self.parts().remedy
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

    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_error_has_its_kind_its_place_its_remedy_and_its_source() {
        let busy = || io::Error::from(io::ErrorKind::WouldBlock);
        let held = Error::Held { folder: "slots".into(), source: busy() };
        assert_eq!((held.kind(), held.parts().place.as_str()), (ErrorKind::Held, "slots"));
        assert!(held.remedy().contains("try again") && held.source().unwrap().is::<io::Error>());
        let bundle = Error::bundle("a.bloodseg", busy(), "a bundle", "Copy it");
        assert_eq!((bundle.kind(), bundle.remedy()), (ErrorKind::Bundle, "Copy it"));
        assert!(bundle.source().unwrap().is::<io::Error>());
        let inner = Error::from(error::Error::internal("here", "words"));
        assert_eq!(inner.kind(), ErrorKind::Vision(error::ErrorKind::Internal));
        assert!(inner.source().is_none() && inner.to_string().starts_with("internal error in here"));
    }
}
