//! Warnings that all pictures of a call may have in common.

use std::{fmt::Display, path::Path};

/// How many pictures are named per kind of warning.
const MAX_NAMED: u64 = 3;

/// What a picture is warned about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The magnification is not that of the models.
    Magnification,
    /// The cells are counted despite its verdict.
    Verdict,
}

/// Prints the first warnings of each kind and counts the others: a wrong flag makes one for every picture.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    magnification: u64,
    verdict: u64,
}

impl Warnings {
    pub(super) fn warn(&mut self, kind: Kind, picture: &Path, found: impl Display) {
        let count = match kind {
            Kind::Magnification => &mut self.magnification,
            Kind::Verdict => &mut self.verdict,
        };
        *count += 1;
        if *count <= MAX_NAMED {
            log::warn!("{}: {found}", picture.display());
        }
    }

    /// Reports how many pictures were not named.
    pub(super) fn end(&self) {
        let of =
            [(self.magnification, "about the magnification"), (self.verdict, "for a picture that was counted anyway")];
        for (count, kind) in of {
            if let Some(more @ 1..) = count.checked_sub(MAX_NAMED) {
                log::warn!("{more} more warnings {kind}");
            }
        }
    }
}
