//! Flat-field correction: removes from every frame the illumination pattern seen in an empty field.
//!
//! Gains are stored per channel on a coarse grid of nodes and interpolated linearly in integers. This fits a smooth lamp,
//! ignores dust, and takes little memory. Gains are 1 or more, so the brightest part of the field is unchanged and white
//! never becomes grey.
//!
//! The file, version 1: four lines of ASCII, each with its line end, then the gains.
//!
//! ```text
//! bloodseg flat field 1
//! sha256 HASH                    of all that follows this line, 64 hexadecimal digits
//! size_px WIDTH HEIGHT           of the sensor's frames
//! frames COUNT                   that were averaged
//! gains, u16, little endian, 4096 = 1: rows of nodes from the top, nodes from the left, R G B
//! ```
//!
//! There is a node at every 16th pixel from 0 to the first beyond the last.

mod measure;

use std::{io::Read, path::Path};

pub use measure::FlatFieldMeter;

use crate::{
    digest::sha256,
    error::{Cause, Error, Result},
    frame::limits::{MAX_CAMERA_PX, MAX_CAMERA_SIDE_PX, MAX_FLAT_FIELD_BYTES},
};
use bloodseg_durable::AtomicFile;

/// Distance of the nodes, in pixels.
const NODE_PX: u32 = 16;

/// A gain of 1.
const ONE: u32 = 1 << GAIN_BITS;
const GAIN_BITS: u32 = 12;

/// Greatest accepted gain.
const MOST_GAIN: u32 = 4 * ONE;

const MAGIC: &str = "bloodseg flat field 1";

/// The gains for frames of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlatField {
    size_px: (u32, u32),
    frames: u32,
    gains: Vec<u16>,
    /// The nodes' gains at one row, times 16.
    row: Vec<u32>,
}

/// Nodes along a side.
fn nodes(side_px: u32) -> usize {
    (side_px.saturating_sub(1) / NODE_PX) as usize + 2
}

impl FlatField {
    fn new(size_px: (u32, u32), frames: u32, gains: Vec<u16>) -> Option<Self> {
        let (width, height) = size_px;
        let sides = 1..=MAX_CAMERA_SIDE_PX;
        let sensible =
            sides.contains(&width) && sides.contains(&height) && u64::from(width) * u64::from(height) <= MAX_CAMERA_PX;
        let fits = sensible
            && gains.len() == 3 * nodes(width) * nodes(height)
            && gains.iter().all(|gain| (ONE..=MOST_GAIN).contains(&u32::from(*gain)));
        fits.then(|| Self { size_px, frames, gains, row: vec![0; 3 * nodes(width)] })
    }

    /// Width and height of the frames it is for, in pixels.
    pub fn size_px(&self) -> (u32, u32) {
        self.size_px
    }

    /// Greatest gain, 1 or more: the brightness ratio of the brightest and the darkest part of the field.
    pub fn most_gain(&self) -> f64 {
        f64::from(self.gains.iter().copied().max().unwrap_or(0)) / f64::from(ONE)
    }

    /// Corrects RGB pixels of row `y` of a frame from pixel `x` on. Nothing beyond the frame is changed.
    pub fn correct(&mut self, y: u32, x: u32, pixels: &mut [u8]) {
        let Self { size_px, gains, row, .. } = self;
        if y >= size_px.1 {
            return;
        }
        let (node, below) = ((y / NODE_PX) as usize, y % NODE_PX);
        let mut rows = gains.chunks_exact(row.len()).skip(node);
        let (Some(upper), Some(lower)) = (rows.next(), rows.next()) else { return };
        for ((at, upper), lower) in row.iter_mut().zip(upper).zip(lower) {
            *at = u32::from(*upper) * (NODE_PX - below) + u32::from(*lower) * below;
        }
        for (x, pixel) in (x..size_px.0).zip(pixels.chunks_exact_mut(3)) {
            let (node, right) = (3 * (x / NODE_PX) as usize, x % NODE_PX);
            let Some([r0, g0, b0, r1, g1, b1]) = row.get(node..node + 6) else { return };
            for (level, (left_gain, right_gain)) in pixel.iter_mut().zip([(r0, r1), (g0, g1), (b0, b1)]) {
                // At most 255 * 4 * 2^20: it fits.
                let gain = left_gain * (NODE_PX - right) + right_gain * right;
                let bits = GAIN_BITS + 8;
                *level = ((u32::from(*level) * gain + (1 << (bits - 1))) >> bits).min(255) as u8;
            }
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Input`] for anything but an intact flat field with plausible values.
    pub fn read(path: &Path) -> Result<Self> {
        let fault = |found: Cause| {
            Error::input(path, found, "a flat field", "Measure it with `bloodseg flatfield SOURCE --out FILE`")
        };
        let known = std::fs::metadata(path).map_err(|e| fault(e.into()))?;
        if !known.is_file() || known.len() > MAX_FLAT_FIELD_BYTES {
            return Err(fault("the size is not that of a flat field".into()));
        }
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(|e| fault(e.into()))?;
        file.take(MAX_FLAT_FIELD_BYTES).read_to_end(&mut bytes).map_err(|e| fault(e.into()))?;
        Self::parse(&bytes).map_err(|found| fault(found.into()))
    }

    /// Writes the file atomically.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut file = AtomicFile::create(path)?;
        std::io::Write::write_all(&mut file, &self.to_bytes()).map_err(|e| Error::output(path, e))?;
        Ok(file.commit()?)
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (width, height) = self.size_px;
        let mut body = format!("size_px {width} {height}\nframes {}\n", self.frames).into_bytes();
        body.extend(self.gains.iter().flat_map(|gain| gain.to_le_bytes()));
        sealed(&body)
    }

    /// Parses the file; fails with a description of what is wrong.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let (magic, rest) = line(bytes).filter(|(magic, _)| *magic == MAGIC).ok_or("a file of another kind")?;
        let (hash, body) = line(rest).ok_or_else(|| format!("a file that ends after `{magic}`"))?;
        let found = sha256(body);
        if hash.strip_prefix("sha256 ") != Some(&found) {
            return Err(format!("a damaged file: its sha256 is {found}, its header has `{hash}`"));
        }
        let (size, rest) = line(body).ok_or("no line with size_px")?;
        let (frames, gains) = line(rest).ok_or("no line with frames")?;
        let numbers = |line: &str, key: &str| -> Vec<u32> {
            line.strip_prefix(key).unwrap_or_default().split(' ').flat_map(str::parse).collect()
        };
        let (&[width, height], &[frames]) =
            (numbers(size, "size_px ").as_slice(), numbers(frames, "frames ").as_slice())
        else {
            return Err(format!("lines `{size}` and `{frames}`"));
        };
        let gains = gains.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        Self::new((width, height), frames, gains.collect()).ok_or_else(|| "implausible gains".to_owned())
    }
}

/// The body of a file with the two header lines in front of it.
pub fn sealed(body: &[u8]) -> Vec<u8> {
    [format!("{MAGIC}\nsha256 {}\n", sha256(body)).as_bytes(), body].concat()
}

/// The first line as text, and what follows it.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().take(256).position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

#[cfg(test)]
mod tests;
