//! The bits of entropy-coded data, up to the next marker.

use super::{Fault, Result};

/// Bytes that some encoders leave between the last block and the marker.
const MOST_PADDING_BYTES: usize = 2;

/// Reads from a place in a file; a marker or the end of the file ends the data.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    /// From byte `at` of the file on.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, held: 0, count: 0 }
    }

    /// Holds at least 32 bits, unless the data ends.
    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(byte) = self.bytes.get(self.at).copied() else { break };
            if byte == 0xff {
                if self.bytes.get(self.at + 1) != Some(&0) {
                    break;
                }
                self.at += 1;
            }
            self.at += 1;
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// The next 16 bits without taking them; zeros stand for what is beyond the end.
    pub(super) fn peek16(&mut self) -> u32 {
        if self.count < 32 {
            self.fill();
        }
        let bits = if self.count >= 16 { self.held >> (self.count - 16) } else { self.held << (16 - self.count) };
        (bits & 0xffff) as u32
    }

    /// Takes `count` bits, at most 16, and gives them.
    ///
    /// # Errors
    /// Data that ends before.
    pub(super) fn take(&mut self, count: u32) -> Result<u32> {
        if self.count < count {
            self.fill();
            if self.count < count {
                return Err(self.ended());
            }
        }
        self.count -= count;
        Ok((self.held >> self.count & ((1 << count) - 1)) as u32)
    }

    /// What it means that no more data is here.
    fn ended(&self) -> Fault {
        if self.at + 1 >= self.bytes.len() { Fault::CutOff } else { Fault::Damaged("its data ends early") }
    }

    /// Leaves the data behind its last block and gives the place of the marker that follows, or of the end of the file.
    ///
    /// # Errors
    /// More data than padding.
    pub(super) fn end(&mut self) -> Result<usize> {
        let mut left = self.count as usize / 8;
        (self.held, self.count) = (0, 0);
        while let Some(&byte) = self.bytes.get(self.at) {
            match (byte, self.bytes.get(self.at + 1)) {
                // A marker, or a byte of filling before one.
                (0xff, Some(1..)) => break,
                (0xff, _) => self.at += 2,
                _ => self.at += 1,
            }
            left += 1;
            if left > MOST_PADDING_BYTES {
                return Err(Fault::Damaged("data is left over after its last block"));
            }
        }
        self.at = self.at.min(self.bytes.len());
        Ok(self.at)
    }

    /// Steps over the restart marker of this number, from 0 to 7, after what was left of the interval.
    ///
    /// # Errors
    /// Another marker, or none.
    pub(super) fn restart(&mut self, number: u8) -> Result<()> {
        let mut at = self.end()?;
        while self.bytes.get(at) == Some(&0xff) && self.bytes.get(at + 1) == Some(&0xff) {
            at += 1;
        }
        match self.bytes.get(at + 1) {
            Some(&marker) if marker == 0xd0 + number => {
                self.at = at + 2;
                Ok(())
            }
            Some(_) => Err(Fault::Damaged("a part of it is missing between two restart markers")),
            None => Err(Fault::CutOff),
        }
    }
}
