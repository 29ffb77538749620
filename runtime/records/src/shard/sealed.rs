//! A writer that computes the SHA-256 of what passes through it, to detect a table that was truncated or changed on its
//! way from another machine.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

/// A writer, and the hash of what it has received so far.
#[derive(Debug)]
pub struct Sealed<W> {
    writer: W,
    hash: Sha256,
}

impl<W> Sealed<W> {
    /// Starts with nothing written.
    pub fn new(writer: W) -> Self {
        Self { writer, hash: Sha256::new() }
    }

    /// The writer, and the hash in lower-case hexadecimal.
    pub fn end(self) -> (W, String) {
        (self.writer, hexadecimal(self.hash))
    }
}

impl<W: Write> Write for Sealed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.writer.write(bytes)?;
        self.hash.update(bytes.get(..taken).unwrap_or(bytes));
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A finished hash as text.
pub(super) fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use bloodseg_vision::model::golden::sha256;

    /// Accepts three bytes per call.
    struct Slow(Vec<u8>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(3);
            self.0.extend(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn hash_covers_bytes_actually_written() {
        let mut sealed = Sealed::new(Slow(Vec::new()));
        sealed.write_all(b"a table of cells").unwrap();
        let (Slow(arrived), hash) = sealed.end();
        assert_eq!(arrived, b"a table of cells");
        assert_eq!(hash, sha256(&arrived));
    }
}
