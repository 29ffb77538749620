//! The position of a client in `/api/cells`.

use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The last cell returned. As text it is `N` after the complete frame N, and `N.L` after its cell with label L; in JSON a
/// number or a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Since {
    frame: u64,
    label: u16,
}

impl Since {
    /// After a complete frame.
    pub fn frame(frame: u64) -> Self {
        Self { frame, label: u16::MAX }
    }

    /// After one cell of a frame that continues.
    pub fn cell(frame: u64, label: u16) -> Self {
        Self { frame, label }
    }
}

impl FromStr for Since {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('.') {
            Some((frame, label)) => Ok(Self::cell(frame.parse()?, label.parse()?)),
            None => Ok(Self::frame(text.parse()?)),
        }
    }
}

impl Serialize for Since {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self { frame, label: u16::MAX } => to.serialize_u64(*frame),
            Self { frame, label } => to.collect_str(&format_args!("{frame}.{label}")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn since_round_trips_and_rejects_invalid_text() {
        for (since, text) in [(Since::frame(7), "7"), (Since::cell(7, 512), "\"7.512\"")] {
            assert_eq!(serde_json::to_string(&since).unwrap(), text);
            assert_eq!(text.trim_matches('"').parse::<Since>().unwrap(), since);
        }
        assert!(Since::frame(6) < Since::cell(7, 0) && Since::cell(7, 9) < Since::frame(7));
        for wrong in ["", "x", "-1", "7.", ".7", "7.8.9", "7.65536"] {
            assert!(wrong.parse::<Since>().is_err(), "{wrong}");
        }
    }
}
