//! JPEG frames of a camera: checked, completed where cameras omit standard tables, decoded.
//!
//! Cameras omit the standard Huffman tables (ITU-T T.81, annex K.3), pad frames with zeros, and often deliver truncated
//! frames. Only baseline pictures of the stream's size are decoded, so that a header cannot request memory.

mod tables;

use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

use bloodseg_vision::frame::limits::DECODER_BYTES;

/// Bytes of the end marker.
const END_MARKER_BYTES: usize = 2;

/// Placed instead of the end marker. The decoder silently fills missing data before that marker with grey; without the
/// marker it reports the error. It reads a few bytes ahead, which must exist.
const PADDING_BYTES: usize = 16;

/// The fault of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JpegFault {
    /// Truncated or damaged.
    Torn(String),
    /// Apparently complete, but of this size.
    WrongSize(u32, u32),
}

fn torn(found: &str) -> JpegFault {
    JpegFault::Torn(found.to_owned())
}

/// Bytes per pixel of a row that the decoder of a baseline picture holds: sixteen rows of three components, as
/// coefficients and as samples.
const ROWS_BYTES_PER_PX: u64 = 16 * 3 * (2 + 2);

/// The header of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    size_px: (u32, u32),
    has_tables: bool,
    /// Position of the scan: its marker.
    scan_at: usize,
}

/// Decodes pictures of one size into preallocated memory.
#[derive(Debug)]
pub struct JpegReader {
    size_px: (u32, u32),
    /// A frame with tables inserted and the end marker removed.
    mended: Vec<u8>,
    /// RGB.
    pixels: Vec<u8>,
}

impl JpegReader {
    /// A reader for pictures of `size_px` (width, height) whose frames take at most `most_bytes`.
    pub fn new(size_px: (u32, u32), most_bytes: usize) -> Self {
        let pixels = 3 * size_px.0 as usize * size_px.1 as usize;
        Self {
            size_px,
            mended: Vec::with_capacity(most_bytes + tables::USUAL.len() + PADDING_BYTES),
            pixels: vec![0; pixels],
        }
    }

    /// Maximum heap bytes for reading a frame of this width, beyond preallocated memory: the decoder's tables, and some
    /// rows of blocks.
    pub fn making_bytes(width_px: u32) -> u64 {
        DECODER_BYTES + u64::from(width_px) * ROWS_BYTES_PER_PX
    }

    /// The pixels of a frame, RGB, row by row without gaps.
    ///
    /// # Errors
    /// [`JpegFault`].
    pub fn read(&mut self, frame: &[u8]) -> Result<&[u8], JpegFault> {
        let frame = whole(frame)?;
        let head = head(frame)?;
        if head.size_px != self.size_px {
            return Err(JpegFault::WrongSize(head.size_px.0, head.size_px.1));
        }
        let (before, scan) = frame.split_at(head.scan_at);
        let tables: &[u8] = if head.has_tables { &[] } else { &tables::USUAL };
        self.mended.clear();
        for part in [before, tables, &scan[..scan.len().saturating_sub(END_MARKER_BYTES)], &[0; PADDING_BYTES]] {
            self.mended.extend_from_slice(part);
        }
        // Without SIMD, which rounds the transform differently on each processor.
        let options = DecoderOptions::default()
            .set_use_unsafe(false)
            .set_strict_mode(true)
            .set_max_width(self.size_px.0 as usize)
            .set_max_height(self.size_px.1 as usize)
            .jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&self.mended), options);
        decoder.decode_headers().map_err(|e| JpegFault::Torn(e.to_string()))?;
        // A frame with two headers: what the decoder does not fill would show the previous frame.
        if decoder.dimensions() != Some((self.size_px.0 as usize, self.size_px.1 as usize)) {
            return Err(torn("it has two frame headers"));
        }
        decoder.decode_into(&mut self.pixels).map_err(|e| JpegFault::Torn(e.to_string()))?;
        Ok(&self.pixels)
    }
}

/// The picture without padding, up to the end marker.
fn whole(frame: &[u8]) -> Result<&[u8], JpegFault> {
    if !frame.starts_with(&[0xff, 0xd8]) {
        return Err(torn("it does not start like a JPEG"));
    }
    match frame.windows(2).rposition(|pair| pair == [0xff, 0xd9]) {
        Some(at) if at > 2 => Ok(&frame[..at + 2]),
        _ => Err(torn("truncated: no end marker")),
    }
}

/// Iterates over the segments before the scan.
fn head(frame: &[u8]) -> Result<Head, JpegFault> {
    let (mut at, mut size_px, mut has_tables) = (2, None, false);
    loop {
        let rest = frame.get(at..).unwrap_or_default();
        let &[0xff, marker, ..] = rest else { return Err(torn("its header is damaged")) };
        if marker == 0xff {
            // A fill byte.
            at += 1;
            continue;
        }
        let &[_, _, high, low, ..] = rest else { return Err(torn("its header is truncated")) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let body = rest.get(4..2 + length).ok_or_else(|| torn("its header is truncated"))?;
        match marker {
            0xc4 => has_tables = true,
            0xc0 | 0xc1 => {
                let &[8, y1, y0, x1, x0, 1 | 3, ..] = body else {
                    return Err(torn("its frame header is not 8-bit RGB"));
                };
                size_px = Some((u32::from(u16::from_be_bytes([x1, x0])), u32::from(u16::from_be_bytes([y1, y0]))));
            }
            0xc2..=0xcf => return Err(torn("it is not a baseline JPEG")),
            0xda => {
                let size_px = size_px.ok_or_else(|| torn("it has no frame header"))?;
                return Ok(Head { size_px, has_tables, scan_at: at });
            }
            0xd0..=0xd9 => return Err(torn("its header is damaged")),
            _ => {}
        }
        at += 2 + length;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use image::{ExtendedColorType, RgbImage, codecs::jpeg::JpegEncoder};

    use super::*;

    pub(crate) fn encode(picture: &RgbImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90)
            .encode(picture.as_raw(), picture.width(), picture.height(), ExtendedColorType::Rgb8)
            .unwrap();
        bytes
    }

    /// Removes the Huffman tables, as cameras do.
    pub(crate) fn without_tables(jpeg: &[u8]) -> Vec<u8> {
        let (mut to, mut at) = (jpeg[..2].to_vec(), 2);
        loop {
            let (marker, length) = (jpeg[at + 1], usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]])));
            if marker == 0xda {
                to.extend(&jpeg[at..]);
                return to;
            }
            if marker != 0xc4 {
                to.extend(&jpeg[at..at + 2 + length]);
            }
            at += 2 + length;
        }
    }

    fn picture() -> RgbImage {
        RgbImage::from_fn(48, 40, |x, y| image::Rgb([(x * 5) as u8, (y * 6) as u8, ((x ^ y) * 4) as u8]))
    }

    fn read(frame: &[u8]) -> Result<Vec<u8>, JpegFault> {
        JpegReader::new((48, 40), 100_000).read(frame).map(<[u8]>::to_vec)
    }

    #[test]
    fn frame_without_huffman_tables_decodes_identically() {
        let jpeg = encode(&picture());
        let short = without_tables(&jpeg);
        assert!(short.len() + 400 < jpeg.len());
        let pixels = read(&jpeg).unwrap();
        assert_eq!(read(&short).unwrap(), pixels);
        let off: u64 = pixels.iter().zip(picture().as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(off / (pixels.len() as u64) < 12, "{off}");
    }

    #[test]
    fn padding_is_accepted_and_reader_is_reusable() {
        let mut padded = encode(&picture());
        padded.extend([0; 700]);
        let mut reader = JpegReader::new((48, 40), 100_000);
        let first = reader.read(&padded).unwrap().to_vec();
        reader.read(&encode(&RgbImage::new(48, 40))).unwrap();
        assert_eq!(reader.read(&padded).unwrap(), first);
    }

    #[test]
    fn grey_jpeg_is_read() {
        let mut bytes = Vec::new();
        JpegEncoder::new(&mut bytes).encode(&[77; 48 * 40], 48, 40, ExtendedColorType::L8).unwrap();
        let pixels = read(&bytes).unwrap();
        assert!(pixels.len() == 48 * 40 * 3 && pixels.iter().all(|level| level.abs_diff(77) <= 1));
    }

    #[test]
    fn truncated_frames_are_torn() {
        let jpeg = encode(&picture());
        for cut in 0..jpeg.len() {
            assert!(matches!(read(&jpeg[..cut]), Err(JpegFault::Torn(_))), "{cut}");
        }
        // The middle is missing, as after a lost packet.
        let scan = head(&jpeg).unwrap().scan_at + 20;
        let holed = [&jpeg[..scan], &jpeg[jpeg.len() - 60..]].concat();
        assert!(matches!(read(&holed), Err(JpegFault::Torn(_))));
    }

    #[test]
    fn corrupted_bytes_never_panic() {
        let jpeg = encode(&picture());
        for at in 0..jpeg.len() {
            for with in [0, 0xff, 0x7f] {
                let mut spoiled = jpeg.clone();
                spoiled[at] = with;
                let _ = read(&spoiled);
                let _ = read(&without_tables(&jpeg)[at.min(100)..]);
            }
        }
    }

    #[test]
    fn wrong_size_and_unsupported_kinds_are_distinguished() {
        assert_eq!(read(&encode(&RgbImage::new(64, 40))), Err(JpegFault::WrongSize(64, 40)));
        let mut progressive = encode(&picture());
        let frame_header = progressive.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        progressive[frame_header + 1] = 0xc2;
        assert!(matches!(read(&progressive), Err(JpegFault::Torn(found)) if found.contains("baseline")));
        assert!(matches!(read(b"GIF89a"), Err(JpegFault::Torn(_))));
    }
}
