//! The cause of an error: a description, and the underlying error of the system or a library.

use std::{error::Error as StdError, io};

/// The underlying error.
pub type Source = Box<dyn StdError + Send + Sync + 'static>;

/// What was found: a description, and the underlying error, if any.
#[derive(Debug)]
pub struct Cause {
    pub(super) words: String,
    pub(super) source: Option<Source>,
}

impl Cause {
    /// An error described by its own message.
    pub fn of(error: impl Into<Source>) -> Self {
        let source = error.into();
        Self { words: source.to_string(), source: Some(source) }
    }

    /// An error with another description.
    pub fn with_source(words: impl Into<String>, error: impl Into<Source>) -> Self {
        Self { words: words.into(), source: Some(error.into()) }
    }

    /// The same with a place before the description.
    pub fn led_by(self, place: impl std::fmt::Display) -> Self {
        Self { words: format!("{place}: {}", self.words), ..self }
    }

    /// The description and the underlying error.
    pub fn into_parts(self) -> (String, Option<Source>) {
        (self.words, self.source)
    }

    /// Whether the disk is full, or a quota is exceeded.
    pub fn lacks_space(&self) -> bool {
        self.source.as_ref().is_some_and(|source| lacks_space(source.as_ref()))
    }
}

/// Whether an error, or one of its sources, says that the disk is full or a quota is exceeded.
pub fn lacks_space(error: &(dyn StdError + 'static)) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    let full = |error: &io::Error| matches!(error.kind(), StorageFull | QuotaExceeded);
    std::iter::successors(Some(error), |error| StdError::source(*error))
        .any(|error| error.downcast_ref::<io::Error>().is_some_and(full))
}

impl From<String> for Cause {
    fn from(words: String) -> Self {
        Self { words, source: None }
    }
}

impl From<&str> for Cause {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self::of(error)
    }
}

impl From<std::num::TryFromIntError> for Cause {
    fn from(error: std::num::TryFromIntError) -> Self {
        Self::of(error)
    }
}

impl From<toml::ser::Error> for Cause {
    fn from(error: toml::ser::Error) -> Self {
        Self::of(error)
    }
}

impl From<image::ImageError> for Cause {
    fn from(error: image::ImageError) -> Self {
        match error {
            // It hides the system error and has the same message.
            image::ImageError::IoError(error) => error.into(),
            other => Self::of(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_is_detected_beneath_other_errors() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert!(Cause::from(full()).lacks_space());
        assert!(Cause::from(image::ImageError::IoError(full())).lacks_space());
        assert!(Cause::with_source("nothing was written", full()).lacks_space());
        assert!(!Cause::from("No space left on device (os error 28)").lacks_space());
    }
}
