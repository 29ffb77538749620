//! Errors with what was found, what was expected, and what to do. [`Cause`] keeps the underlying error.

mod cause;

use std::path::{Path, PathBuf};

pub use cause::{Cause, Source, lacks_space};

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Who can fix it.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The given picture, folder or option cannot be used.
    Input,
    /// A model or its manifest is missing, damaged, or incompatible.
    Model,
    /// A result cannot be written.
    Output,
    /// An internal error.
    Internal,
}

/// An error in its parts; parts that do not apply are empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The file, folder, option, model, config key or source that it is about; empty for [`Error::Picture`].
    pub place: String,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: &'a str,
    /// What to do. It may name flags of `bloodseg`, such as `--um-per-px`: the option of that name in a library.
    pub remedy: &'a str,
}

/// What went wrong, classified by who can fix it ([`Error::kind`]).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The given picture, folder or option cannot be used.
    #[error("{}: {found}; expected {expected}{}", path.display(), hint(todo))]
    Input {
        /// The file or folder, or the name of the option.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What was expected.
        expected: Box<str>,
        /// What to do; may be empty.
        todo: Box<str>,
        /// The underlying error.
        source: Option<Source>,
    },
    /// A picture, or an option for it, cannot be used, and no path is known; see [`Error::at`].
    #[error("picture: {found}; expected {expected}{}", hint(todo))]
    Picture {
        /// What was found.
        found: String,
        /// What was expected.
        expected: Box<str>,
        /// What to do; may be empty.
        todo: Box<str>,
    },
    /// A model or its manifest is missing, damaged, or incompatible.
    #[error("model {name}: {found}; expected {expected}{}", hint(todo))]
    Model {
        /// Name of the model, or path of its file.
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
    /// A result cannot be written.
    #[error("{}: cannot write: {found}; {todo}", path.display())]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What to do.
        todo: &'static str,
        /// The underlying error.
        source: Option<Source>,
    },
    /// A bug in bloodseg: please report it.
    #[error("internal error in {place}: {found}; this is a bug in bloodseg, please report it")]
    Internal {
        /// Where it occurred.
        place: &'static str,
        /// What was found.
        found: String,
        /// The underlying error.
        source: Option<Source>,
    },
}

/// The end of a message that says what to do; empty if `todo` is.
pub fn hint(todo: &str) -> String {
    if todo.is_empty() { String::new() } else { format!(". {todo}") }
}

impl Error {
    /// An [`Error::Input`].
    pub fn input(path: &Path, found: impl Into<Cause>, expected: impl ToString, todo: impl ToString) -> Self {
        let Cause { words: found, source } = found.into();
        Self::Input {
            path: path.to_owned(),
            found,
            expected: expected.to_string().into(),
            todo: todo.to_string().into(),
            source,
        }
    }

    /// An [`Error::Picture`].
    pub fn picture(found: impl ToString, expected: impl ToString, todo: impl ToString) -> Self {
        Self::Picture { found: found.to_string(), expected: expected.to_string().into(), todo: todo.to_string().into() }
    }

    /// Adds the path to an [`Error::Picture`]; other errors are unchanged.
    pub fn at(self, path: &Path) -> Self {
        match self {
            Self::Picture { found, expected, todo } => Self::input(path, found, expected, todo),
            other => other,
        }
    }

    /// An [`Error::Model`].
    pub fn model(name: impl ToString, found: impl Into<Cause>, expected: impl ToString, todo: impl ToString) -> Self {
        let Cause { words: found, source } = found.into();
        Self::Model {
            name: name.to_string(),
            found,
            expected: expected.to_string().into(),
            todo: todo.to_string().into(),
            source,
        }
    }

    /// An [`Error::Output`] whose remedy fits its cause: free space if the disk is full, another place otherwise.
    pub fn output(path: &Path, cause: impl Into<Cause>) -> Self {
        let cause = cause.into();
        let todo = output_remedy(cause.lacks_space());
        let Cause { words: found, source } = cause;
        Self::Output { path: path.to_owned(), found, todo, source }
    }

    /// An [`Error::Internal`].
    pub fn internal(place: &'static str, found: impl Into<Cause>) -> Self {
        let Cause { words: found, source } = found.into();
        Self::Internal { place, found, source }
    }

    /// Who can fix it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Input { .. } | Self::Picture { .. } => ErrorKind::Input,
            Self::Model { .. } => ErrorKind::Model,
            Self::Output { .. } => ErrorKind::Output,
            Self::Internal { .. } => ErrorKind::Internal,
        }
    }

    /// The error in its parts.
    pub fn parts(&self) -> Parts<'_> {
        let (place, found, expected, remedy) = match self {
            Self::Input { path, found, expected, todo, .. } => {
                (path.display().to_string(), found, &**expected, &**todo)
            }
            Self::Picture { found, expected, todo } => (String::new(), found, &**expected, &**todo),
            Self::Model { name, found, expected, todo, .. } => (name.clone(), found, &**expected, &**todo),
            Self::Output { path, found, todo, .. } => (path.display().to_string(), found, "", *todo),
            Self::Internal { place, found, .. } => ((*place).to_owned(), found, "", "Please report it"),
        };
        Parts { place, found: found.clone(), expected, remedy }
    }

    /// What to do; empty if the message says everything.
    pub fn remedy(&self) -> &str {
        self.parts().remedy
    }
}

/// What to do if a result cannot be written. Freeing space is the most common remedy, but wrong for other causes.
pub fn output_remedy(lacks_space: bool) -> &'static str {
    if lacks_space { "free space, or choose another folder with --out" } else { "choose another place with --out" }
}

impl From<bloodseg_durable::Error> for Error {
    fn from(error: bloodseg_durable::Error) -> Self {
        Self::output(&error.path, error.source)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{error::Error as _, io};

    use super::*;

    #[test]
    fn full_disk_error_asks_for_space() {
        let text = |cause: Cause| Error::output(Path::new("x"), cause).to_string();
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            assert!(text(io::Error::from(kind).into()).ends_with("; free space, or choose another folder with --out"));
        }
        assert!(!text(io::Error::from(io::ErrorKind::PermissionDenied).into()).contains("free space"));
        assert!(!text("a folder that is full of files".into()).contains("free space"), "words alone say nothing");
    }

    #[test]
    fn error_has_kind_place_remedy_and_source() {
        let path = Path::new("a.png");
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let all = [
            (Error::input(path, gone(), "a picture", "Look"), ErrorKind::Input, "a.png", "Look"),
            (Error::model("unet", gone(), "a model", "Copy it"), ErrorKind::Model, "unet", "Copy it"),
            (Error::output(path, gone()), ErrorKind::Output, "a.png", "choose another place with --out"),
            (Error::internal("here", gone()), ErrorKind::Internal, "here", "Please report it"),
        ];
        for (error, kind, place, remedy) in all {
            assert_eq!((error.kind(), error.parts().place.as_str(), error.remedy()), (kind, place, remedy));
            let source = error.source().unwrap().downcast_ref::<io::Error>();
            assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::NotFound), "{error}");
        }
        let words = Error::picture("nothing", "pixels", "").at(path);
        assert!(words.source().is_none() && words.kind() == ErrorKind::Input);
        assert_eq!(words.to_string(), "a.png: nothing; expected pixels");
    }
}
