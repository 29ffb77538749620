//! Bits of entropy-coded data, up to the next marker.

use super::{Fault, Result};

/// Padding bytes that some encoders write between the last block and the marker.
const MOST_PADDING_BYTES: usize = 2;

/// Reads from a position in a file; ends at a marker or the end of the file.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    /// Starts at byte `at` of the file.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, held: 0, count: 0 }
    }

    /// Buffers at least 32 bits, unless the data ends.
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

    /// The next 16 bits without consuming them; zeros beyond the end.
    pub(super) fn peek16(&mut self) -> u32 {
        if self.count < 32 {
            self.fill();
        }
        let bits = if self.count >= 16 { self.held >> (self.count - 16) } else { self.held << (16 - self.count) };
        (bits & 0xffff) as u32
    }

    /// Consumes `count` bits, at most 16.
    ///
    /// # Errors
    /// If the data ends before.
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

    /// The fault if the data ends here.
    fn ended(&self) -> Fault {
        if self.at + 1 >= self.bytes.len() { Fault::CutOff } else { Fault::Damaged("its data ends early") }
    }

    /// Skips padding after the last block and returns the position of the following marker, or of the end of the file.
    ///
    /// # Errors
    /// If there is more data than padding.
    pub(super) fn end(&mut self) -> Result<usize> {
        let mut left = self.count as usize / 8;
        (self.held, self.count) = (0, 0);
        while let Some(&byte) = self.bytes.get(self.at) {
            match (byte, self.bytes.get(self.at + 1)) {
                // A marker, or a fill byte before one.
                (0xff, Some(1..)) => break,
                (0xff, _) => self.at += 2,
                _ => self.at += 1,
            }
            left += 1;
            if left > MOST_PADDING_BYTES {
                return Err(Fault::Damaged("extra data after its last block"));
            }
        }
        self.at = self.at.min(self.bytes.len());
        Ok(self.at)
    }

    /// Skips the rest of the interval and the restart marker with this number, 0 to 7.
    ///
    /// # Errors
    /// If there is another marker, or none.
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
            Some(_) => Err(Fault::Damaged("data is missing between two restart markers")),
            None => Err(Fault::CutOff),
        }
    }
}
