//! Names of frames, for tables and files.

use std::{fmt, sync::Arc};

/// The name of a file, or of a source with the number of the frame, which is put together when it is written: naming a
/// camera's frame takes no memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameName {
    /// A name of its own.
    Own(String),
    /// The name of a file beside another that differs in its ending alone: results have the ending too.
    Whole(String),
    /// `SOURCE_NUMBER`, with at least six digits.
    Numbered(Arc<str>, u64),
}

impl fmt::Display for FrameName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(name) | Self::Whole(name) => f.write_str(name),
            Self::Numbered(source, number) => write!(f, "{source}_{number:06}"),
        }
    }
}

impl From<String> for FrameName {
    fn from(name: String) -> Self {
        Self::Own(name)
    }
}
