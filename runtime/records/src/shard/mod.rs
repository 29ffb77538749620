//! Divides a large archive: each call processes one part of the pictures ([`Shard`]) and leaves a mark of what it did
//! ([`mark`]); [`merge`] joins the tables of all parts into those that one call over everything would have written.
//!
//! Each part covers consecutive pictures, so that the concatenated tables are in the order of the pictures.

pub mod limits;
pub mod mark;
pub mod merge;
pub mod sealed;

use std::{fmt, ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::shard::limits::MAX_SHARDS;

/// Folder of the shards' tables in the results folder.
pub const FOLDER: &str = "shards";

/// One part of several, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Which one: less than `of`.
    pub index: u32,
    /// How many there are, 1 to [`MAX_SHARDS`].
    pub of: u32,
}

impl Shard {
    /// Its part of `count` items: consecutive ones, as many as any other shard's or one more.
    pub fn range(self, count: usize) -> Range<usize> {
        // In 128 bits: the products cannot overflow.
        let bound = |index: u64| (count as u128 * u128::from(index) / u128::from(self.of.max(1))) as usize;
        bound(self.index.into())..bound(u64::from(self.index) + 1)
    }

    /// Name of its folder in [`FOLDER`].
    pub fn folder(self) -> String {
        format!("{}-of-{}", self.index, self.of)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let shard = text.split_once('/').and_then(|(index, of)| Some(Self { index: whole(index)?, of: whole(of)? }));
        shard.filter(|shard| shard.index < shard.of && shard.of <= MAX_SHARDS).ok_or_else(|| {
            format!("expected I/N with I from 0 to N - 1, such as 0/4 to 3/4 for four shards; N at most {MAX_SHARDS}")
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn shards_are_counted_from_0() {
        assert_eq!("0/4".parse(), Ok(Shard { index: 0, of: 4 }));
        assert_eq!("3/4".parse(), Ok(Shard { index: 3, of: 4 }));
        for bad in ["4/4", "0/0", "1", "-1/4", "+1/4", "a/b", "1/2/3", "/", "", "0/4294967296", "0/1000001", " 0/4"] {
            assert!(bad.parse::<Shard>().unwrap_err().contains("0/4 to 3/4"), "{bad}");
        }
    }

    #[test]
    fn every_picture_is_in_one_shard_in_order() {
        for count in [0, 1, 2, 3, 7, 100, 101] {
            for of in [1, 2, 3, 7, 64, 1000] {
                let parts: Vec<_> = (0..of).map(|index| Shard { index, of }.range(count)).collect();
                assert!(parts.iter().cloned().flatten().eq(0..count), "{count} in {of}");
                let (least, most) = (count / of as usize, count.div_ceil(of as usize));
                assert!(parts.iter().all(|part| (least..=most).contains(&part.len())), "{count} in {of}");
            }
        }
        let last = Shard { index: MAX_SHARDS - 1, of: MAX_SHARDS };
        assert_eq!(last.range(usize::MAX).end, usize::MAX);
    }
}
