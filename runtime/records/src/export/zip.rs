//! A streamed ZIP archive, uncompressed.
//!
//! An archive ends with a directory of all its files. A library keeps that directory in memory until then, which would
//! grow with the number of cells; here the caller passes the files a second time, in the same order, and the directory is
//! written as they pass. The additional 64-bit directory is there for numbers too large for the first one.

use std::io::{self, Write};

/// Version 4.5 of the format: the one with 64-bit numbers.
const VERSION: u16 = 45;
/// 1 January 1980, the first day that the format knows.
const DATE: u16 = 0x0021;
/// Names are UTF-8.
const UTF8: u16 = 1 << 11;
const NO_ROOM_U32: u32 = u32::MAX;
const NO_ROOM_U16: u16 = u16::MAX;

/// An archive being written: every file once by [`Archive::file`], then every file again by [`Archive::list`].
pub(super) struct Archive<'a> {
    out: &'a mut dyn Write,
    /// Bytes of the files so far.
    files_end: u64,
    /// Where the next listed file starts.
    listed_end: u64,
    directory_bytes: u64,
    listed: u64,
}

impl<'a> Archive<'a> {
    pub(super) fn begin(out: &'a mut dyn Write) -> Self {
        Self { out, files_end: 0, listed_end: 0, directory_bytes: 0, listed: 0 }
    }

    /// Writes a file.
    pub(super) fn file(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.begin_file(name, Measured::of(content))?.write_all(content)
    }

    /// Begins a file whose content, as measured, is then written to the returned writer.
    pub(super) fn begin_file(&mut self, name: &str, content: Measured) -> io::Result<&mut dyn Write> {
        let mut head = Head::default();
        head.u32(0x0403_4b50).common(name, content).u16(0);
        self.out.write_all(&head.0)?;
        self.out.write_all(name.as_bytes())?;
        self.files_end += (head.0.len() + name.len()) as u64 + u64::from(content.bytes);
        Ok(&mut *self.out)
    }

    /// Lists a file that was written, in the same order.
    pub(super) fn list(&mut self, name: &str, content: Measured) -> io::Result<()> {
        const FILE_HEAD_BYTES: u64 = 30;
        let far = u32::try_from(self.listed_end).is_err();
        let mut head = Head::default();
        head.u32(0x0201_4b50).u16(VERSION).common(name, content);
        head.u16(if far { 12 } else { 0 }).u16(0).u16(0).u16(0).u32(0);
        head.u32(u32::try_from(self.listed_end).unwrap_or(NO_ROOM_U32));
        let mut extra = Head::default();
        if far {
            extra.u16(1).u16(8).u64(self.listed_end);
        }
        for part in [head.0.as_slice(), name.as_bytes(), &extra.0] {
            self.out.write_all(part)?;
            self.directory_bytes += part.len() as u64;
        }
        self.listed_end += FILE_HEAD_BYTES + name.len() as u64 + u64::from(content.bytes);
        self.listed += 1;
        Ok(())
    }

    /// Ends the archive.
    pub(super) fn end(self) -> io::Result<()> {
        if self.listed_end != self.files_end {
            return Err(io::Error::other("the listed files differ from the written ones"));
        }
        let count = u16::try_from(self.listed).ok().filter(|count| *count < NO_ROOM_U16);
        let small = |number: u64| u32::try_from(number).ok().filter(|number| *number < NO_ROOM_U32);
        let (bytes, at) = (small(self.directory_bytes), small(self.files_end));
        let mut tail = Head::default();
        if count.is_none() || bytes.is_none() || at.is_none() {
            tail.u32(0x0606_4b50).u64(44).u16(VERSION).u16(VERSION).u32(0).u32(0).u64(self.listed).u64(self.listed);
            tail.u64(self.directory_bytes).u64(self.files_end);
            tail.u32(0x0706_4b50).u32(0).u64(self.files_end + self.directory_bytes).u32(1);
        }
        let count = count.unwrap_or(NO_ROOM_U16);
        tail.u32(0x0605_4b50).u16(0).u16(0).u16(count).u16(count);
        tail.u32(bytes.unwrap_or(NO_ROOM_U32)).u32(at.unwrap_or(NO_ROOM_U32)).u16(0);
        self.out.write_all(&tail.0)
    }
}

/// What an archive stores about a file before its content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    crc32: u32,
    bytes: u32,
}

impl Measured {
    /// Measures a short content.
    pub(super) fn of(content: &[u8]) -> Self {
        Self { crc32: crc32fast::hash(content), bytes: content.len() as u32 }
    }
}

/// Measures a content that is written twice: first to this, then to the archive.
#[derive(Debug, Default)]
pub(super) struct Measure {
    crc32: crc32fast::Hasher,
    bytes: u64,
}

impl Measure {
    /// What was written; none beyond 4 GiB.
    pub(super) fn end(self) -> Option<Measured> {
        Some(Measured { crc32: self.crc32.finalize(), bytes: u32::try_from(self.bytes).ok()? })
    }
}

impl Write for Measure {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        self.crc32.update(content);
        self.bytes += content.len() as u64;
        Ok(content.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Numbers in the order of the format: little-endian.
#[derive(Default)]
struct Head(Vec<u8>);

impl Head {
    fn u16(&mut self, number: u16) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn u32(&mut self, number: u32) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    /// What both headers of a file share: stored uncompressed, its checksum, its length twice, the length of its name.
    fn common(&mut self, name: &str, Measured { crc32, bytes }: Measured) -> &mut Self {
        self.u16(VERSION).u16(UTF8).u16(0).u16(0).u16(DATE);
        // Names are our own and short.
        self.u32(crc32).u32(bytes).u32(bytes).u16(name.len() as u16)
    }
}
