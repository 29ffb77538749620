//! Names of frames, for tables and files.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

/// The name of a file, or of a source and a frame number. It is only formatted when written, so naming a camera frame
/// allocates nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameName {
    /// A file name.
    Own(String),
    /// The name of a file whose folder has another that differs only in the extension: results keep the extension.
    Whole(String),
    /// The name of a file and a page number from 2: `a.tif#2`, whose results are `a#2`.
    Page(String, usize),
    /// `SOURCE_NUMBER`, with at least six digits.
    Numbered(Arc<str>, u64),
}

impl FrameName {
    /// Writes the stem of result names to `stem`, reusing its memory.
    pub fn stem_into(&self, stem: &mut String) {
        stem.clear();
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Page(name, page) => write!(stem, "{}#{page}", self::stem(name)),
            other => write!(stem, "{other}"),
        };
        if matches!(self, Self::Own(_) | Self::Numbered(..)) {
            stem.truncate(self::stem(stem).len());
        }
    }
}

impl fmt::Display for FrameName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(name) | Self::Whole(name) => f.write_str(name),
            Self::Page(name, page) => write!(f, "{name}#{page}"),
            Self::Numbered(source, number) => write!(f, "{source}_{number:06}"),
        }
    }
}

impl From<String> for FrameName {
    fn from(name: String) -> Self {
        Self::Own(name)
    }
}

/// The stem of the names of a frame's pictures: its name up to the last dot.
pub fn stem(name: &str) -> &str {
    match name.rfind('.') {
        Some(dot) if dot > 0 => &name[..dot],
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_of_files_pages_and_numbered_frames() {
        let stem = |name: FrameName| {
            let mut stem = "x".to_owned();
            name.stem_into(&mut stem);
            stem
        };
        assert_eq!(stem(FrameName::Own("a.b.tif".into())), "a.b");
        assert_eq!(stem(FrameName::Whole("a.tif".into())), "a.tif");
        assert_eq!(stem(FrameName::Page("a.tif".into(), 2)), "a#2");
        assert_eq!(stem(FrameName::Numbered("cam".into(), 7)), "cam_000007");
        assert_eq!(FrameName::Page("a.tif".into(), 2).to_string(), "a.tif#2");
    }
}
