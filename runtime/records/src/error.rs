//! What can be wrong with the records of a run.

use std::path::{Path, PathBuf};

use crate::store::Fault;
use bloodseg_vision::error::{self, Cause, Parts, output_remedy};

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Error categories, by who can fix them.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Records to be read are missing, damaged, or from another program or version.
    Unreadable,
    /// The database cannot be written.
    Unwritable,
    /// Another run writes to the folder.
    Taken,
    /// Error of the crate `bloodseg-vision`: a file that cannot be used, a file that cannot be written, an internal
    /// error.
    Vision(error::ErrorKind),
}

/// What went wrong, by who can fix it ([`Error::kind`]).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Records cannot be read.
    #[error("{}: {source}; expected {READABLE}", path.display())]
    Unreadable {
        /// The database.
        path: PathBuf,
        /// Why.
        source: Fault,
    },
    /// Records cannot be written.
    #[error("{}: cannot write: {source}; {}", path.display(), output_remedy(source.lacks_space()))]
    Unwritable {
        /// The database.
        path: PathBuf,
        /// Why.
        source: Fault,
    },
    /// Another run holds the folder.
    #[error("{}: cannot write: {TAKEN}; {END_THAT}", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
    },
    /// A file that cannot be used or written, or an internal error.
    #[error(transparent)]
    Vision(#[from] error::Error),
}

const READABLE: &str = "records that `bloodseg run --out DIR` wrote";

const TAKEN: &str = "another run is writing to it";

const END_THAT: &str = "end that one, or choose another folder with --out";

impl Error {
    /// A file or folder that cannot be used.
    pub fn input(path: &Path, found: impl Into<Cause>, expected: impl ToString, todo: impl ToString) -> Self {
        error::Error::input(path, found, expected, todo).into()
    }

    /// A file or folder that cannot be written.
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
            Self::Unreadable { .. } => ErrorKind::Unreadable,
            Self::Unwritable { .. } => ErrorKind::Unwritable,
            Self::Taken { .. } => ErrorKind::Taken,
            Self::Vision(error) => ErrorKind::Vision(error.kind()),
        }
    }

    /// Whether a result could not be written, for whatever reason.
    pub fn is_output(&self) -> bool {
        use ErrorKind::{Taken, Unwritable, Vision};
        matches!(self.kind(), Unwritable | Taken | Vision(error::ErrorKind::Output))
    }

    /// The error in its parts.
    pub fn parts(&self) -> Parts<'_> {
        let (place, found, expected, remedy) = match self {
            Self::Unreadable { path, source } => (path, source.to_string(), READABLE, ""),
            Self::Unwritable { path, source } => (path, source.to_string(), "", output_remedy(source.lacks_space())),
            Self::Taken { folder } => (folder, TAKEN.to_owned(), "", END_THAT),
            Self::Vision(error) => return error.parts(),
        };
        Parts { place: place.display().to_string(), found, expected, remedy }
    }

    /// What to do about it; empty if the message says it all.
    pub fn remedy(&self) -> &str {
        self.parts().remedy
    }
}

impl From<bloodseg_durable::Error> for Error {
    fn from(error: bloodseg_durable::Error) -> Self {
        Self::Vision(error.into())
    }
}
