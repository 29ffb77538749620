//! Errors of bundles, keys and slots.

use std::{
    io,
    path::{Path, PathBuf},
};

use bloodseg_vision::error::{self, Cause, Parts, Source, hint};

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Who can fix it.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A bundle, its signature or the installed models are missing, damaged, untrusted, or incompatible.
    Bundle,
    /// The given public key is not valid.
    Key,
    /// Another process holds the slots; this can pass by itself.
    Held,
    /// An error of `bloodseg-vision`: a file that cannot be read, a model that does not run, a file that cannot be
    /// written, an internal error.
    Vision(error::ErrorKind),
}

/// What went wrong, classified by who can fix it ([`Error::kind`]).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A bundle, its signature or the installed models cannot be used.
    #[error("model {name}: {found}; expected {expected}{}", hint(todo))]
    Bundle {
        /// Name of the bundle, the model or the slots.
        name: String,
        /// What was found.
        found: String,
        /// What was expected.
        expected: Box<str>,
        /// What to do; may be empty.
        todo: Box<str>,
        /// The underlying error.
        source: Option<Source>,
    },
    /// The given public key is not valid.
    #[error("config {origin}: {found}{}", hint(todo))]
    Key {
        /// Where it comes from.
        origin: String,
        /// What was found.
        found: String,
        /// What to do.
        todo: Box<str>,
    },
    /// Another process holds the slots.
    #[error("model {}: {source}; expected {SLOTS_FREE}. {SLOTS_HELD}", folder.display())]
    Held {
        /// Their folder.
        folder: PathBuf,
        /// The error of the lock.
        source: io::Error,
    },
    /// A picture, a model, a file that cannot be written, or an internal error.
    #[error(transparent)]
    Vision(#[from] error::Error),
}

const SLOTS_FREE: &str = "slots that no other process uses";

const SLOTS_HELD: &str =
    "`bloodseg models install` or a starting run may be using them; try again when it has finished";

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

    /// An internal error.
    pub fn internal(place: &'static str, found: impl Into<Cause>) -> Self {
        error::Error::internal(place, found).into()
    }

    /// Who can fix it.
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

    /// What to do; empty if the message says everything.
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
    fn errors_keep_kind_place_remedy_and_source() {
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
