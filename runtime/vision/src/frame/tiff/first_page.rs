//! A reader that presents another page of a TIFF as its first: it replaces the header bytes with the offset of the first
//! directory.

use std::io::{Read, Result, Seek, SeekFrom};

/// See the module.
#[derive(Debug)]
pub struct FirstPage<R> {
    file: R,
    at: u64,
    /// Offset of the replaced bytes, and their replacement.
    replaced: (u64, Vec<u8>),
}

impl<R: Read + Seek> FirstPage<R> {
    /// Any file, unchanged.
    ///
    /// # Errors
    /// I/O errors.
    pub fn as_it_is(file: R) -> Result<Self> {
        Self::with(file, (0, Vec::new()))
    }

    /// The TIFF `file` with the page at `directory` as its first.
    ///
    /// # Errors
    /// I/O errors.
    pub fn of(mut file: R, directory: u64) -> Result<Self> {
        let mut start = [0; 4];
        file.rewind()?;
        file.read_exact(&mut start)?;
        let wide = start.contains(&b'+');
        let bytes = match (start[0], wide) {
            (b'M', true) => directory.to_be_bytes().to_vec(),
            (b'M', false) => (directory as u32).to_be_bytes().to_vec(),
            (_, true) => directory.to_le_bytes().to_vec(),
            (_, false) => (directory as u32).to_le_bytes().to_vec(),
        };
        Self::with(file, (if wide { 8 } else { 4 }, bytes))
    }

    fn with(mut file: R, replaced: (u64, Vec<u8>)) -> Result<Self> {
        file.rewind()?;
        Ok(Self { file, at: 0, replaced })
    }
}

impl<R> FirstPage<R> {
    /// Advances over bytes that were read, applying the replacement.
    fn step_over(&mut self, bytes: &mut [u8]) {
        let (first, replacement) = &self.replaced;
        for (at, byte) in (*first..).zip(replacement) {
            let here = at.checked_sub(self.at).and_then(|here| usize::try_from(here).ok());
            if let Some(to) = here.and_then(|here| bytes.get_mut(here)) {
                *to = *byte;
            }
        }
        self.at += bytes.len() as u64;
    }
}

impl<R: Read> Read for FirstPage<R> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let count = self.file.read(bytes)?;
        self.step_over(bytes.get_mut(..count).unwrap_or_default());
        Ok(count)
    }

    // Forwarded, because a file knows how much memory its contents take.
    fn read_to_end(&mut self, bytes: &mut Vec<u8>) -> Result<usize> {
        let before = bytes.len();
        let count = self.file.read_to_end(bytes)?;
        self.step_over(bytes.get_mut(before..).unwrap_or_default());
        Ok(count)
    }
}

impl<R: Seek> Seek for FirstPage<R> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}
