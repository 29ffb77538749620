//! TIFF directories, parsed byte by byte within limits.

use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};

/// Most entries of a directory.
const MAX_ENTRIES: u64 = 4096;

/// Most bytes of a text that are read.
const MAX_TEXT_BYTES: u64 = 64 * 1024;

/// A TIFF with its byte order and the width of its offsets.
pub(super) struct Fields<'a, R> {
    file: &'a mut R,
    big_endian: bool,
    /// BigTIFF: 64-bit offsets.
    wide: bool,
}

/// One entry: tag, type, number of values, and the values or their offset.
struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    value: [u8; 8],
}

/// The entries of one page, and the offset of the next directory; 0 after the last.
pub(super) struct Directory {
    entries: Vec<Entry>,
    pub(super) next: u64,
}

impl<'a, R: Read + Seek> Fields<'a, R> {
    /// Reads the byte order and the version.
    pub(super) fn begin(file: &'a mut R) -> Result<Self> {
        file.rewind()?;
        let mut start = [0; 4];
        file.read_exact(&mut start)?;
        match &start {
            b"II*\0" => Ok(Self { file, big_endian: false, wide: false }),
            b"MM\0*" => Ok(Self { file, big_endian: true, wide: false }),
            b"II+\0" => Ok(Self { file, big_endian: false, wide: true }),
            b"MM\0+" => Ok(Self { file, big_endian: true, wide: true }),
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }

    /// The offset of the first directory.
    pub(super) fn first(&mut self) -> Result<u64> {
        let mut bytes = [0; 8];
        let bytes = &mut bytes[..self.word()];
        self.file.seek(SeekFrom::Start(self.word() as u64))?;
        self.file.read_exact(bytes)?;
        Ok(self.unsigned(bytes))
    }

    /// Bytes per offset.
    fn word(&self) -> usize {
        if self.wide { 8 } else { 4 }
    }

    /// Up to 8 bytes as a number.
    fn unsigned(&self, bytes: &[u8]) -> u64 {
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }

    /// The directory at byte `at`.
    pub(super) fn directory(&mut self, at: u64) -> Result<Directory> {
        let (word, wide) = (self.word(), self.wide);
        let (head, size) = if wide { (8, 20) } else { (2, 12) };
        self.file.seek(SeekFrom::Start(at))?;
        let mut count = [0; 8];
        self.file.read_exact(&mut count[..head])?;
        let count = self.unsigned(&count[..head]);
        if count > MAX_ENTRIES {
            return Err(Error::new(ErrorKind::InvalidData, "a directory with too many entries"));
        }
        let mut bytes = vec![0; count as usize * size + word];
        self.file.read_exact(&mut bytes)?;
        let (entries, next) = bytes.split_at(count as usize * size);
        let entry = |bytes: &[u8]| {
            let mut value = [0; 8];
            value[..word].copy_from_slice(&bytes[size - word..]);
            Entry {
                tag: self.unsigned(&bytes[..2]) as u16,
                kind: self.unsigned(&bytes[2..4]) as u16,
                count: self.unsigned(&bytes[4..size - word]),
                value,
            }
        };
        Ok(Directory { entries: entries.chunks_exact(size).map(entry).collect(), next: self.unsigned(next) })
    }

    /// The first bytes of the values of a tag, at most `most`.
    fn bytes(&mut self, directory: &Directory, tag: u16, kinds: &[(u16, u64)], most: u64) -> Option<Vec<u8>> {
        let entry = directory.entries.iter().find(|entry| entry.tag == tag)?;
        let (_, size) = kinds.iter().find(|(kind, _)| *kind == entry.kind)?;
        let length = entry.count.checked_mul(*size)?;
        if length <= self.word() as u64 {
            return Some(entry.value.get(..length.min(most) as usize)?.to_vec());
        }
        self.file.seek(SeekFrom::Start(self.unsigned(&entry.value[..self.word()]))).ok()?;
        let mut bytes = Vec::new();
        self.file.by_ref().take(length.min(most)).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Number of values of a tag; 0 if it is missing.
    pub(super) fn count(directory: &Directory, tag: u16) -> u64 {
        directory.entries.iter().find(|entry| entry.tag == tag).map_or(0, |entry| entry.count)
    }

    /// The first value of an integer tag.
    pub(super) fn number(&mut self, directory: &Directory, tag: u16) -> Option<u64> {
        self.numbers(directory, tag, 1)?.first().copied()
    }

    /// The values of an integer tag, at most `most`.
    pub(super) fn numbers(&mut self, directory: &Directory, tag: u16, most: u64) -> Option<Vec<u64>> {
        let kind = directory.entries.iter().find(|entry| entry.tag == tag)?.kind;
        let size = match kind {
            1 => 1,
            3 => 2,
            4 => 4,
            16 => 8,
            _ => return None,
        };
        let bytes = self.bytes(directory, tag, &[(kind, size)], size * most)?;
        Some(bytes.chunks_exact(size as usize).map(|bytes| self.unsigned(bytes)).collect())
    }

    /// Opaque bytes, such as the tables of a JPEG.
    pub(super) fn undefined(&mut self, directory: &Directory, tag: u16) -> Option<Vec<u8>> {
        self.bytes(directory, tag, &[(7, 1), (1, 1)], MAX_TEXT_BYTES)
    }

    /// Bytes of the file from `at` on; fewer if it ends before.
    pub(super) fn piece(&mut self, at: u64, length: u64) -> Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        self.file.by_ref().take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// A fraction.
    pub(super) fn rational(&mut self, directory: &Directory, tag: u16) -> Option<f64> {
        let bytes = self.bytes(directory, tag, &[(5, 8)], 8)?;
        let (over, under) = bytes.split_at_checked(4)?;
        let (over, under) = (self.unsigned(over), self.unsigned(under));
        (under > 0).then(|| over as f64 / under as f64)
    }

    /// A text; invalid UTF-8 is replaced.
    pub(super) fn text(&mut self, directory: &Directory, tag: u16) -> Option<String> {
        let bytes = self.bytes(directory, tag, &[(2, 1)], MAX_TEXT_BYTES)?;
        Some(String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned())
    }
}
