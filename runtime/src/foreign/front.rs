//! Small numbers from the front of a fuzzer's bytes: how a test is set up, before the bytes that are its matter.

/// What is left of the bytes.
#[derive(Debug)]
pub(super) struct Front<'a>(pub(super) &'a [u8]);

impl<'a> Front<'a> {
    /// The next byte; 0 where none is left.
    pub(super) fn byte(&mut self) -> u8 {
        match self.0 {
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
            [] => 0,
        }
    }

    /// The next two bytes, the lower first.
    pub(super) fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// The next `count` bytes, or what is left.
    pub(super) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }
}
