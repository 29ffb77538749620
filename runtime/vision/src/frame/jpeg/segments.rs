//! The segments of a JPEG, from its start to the end marker.

use super::{
    Fault, Result,
    block::Band,
    huffman::Huffman,
    scan::{Component, Part, Scan},
};
use crate::frame::limits::MAX_JPEG_SCANS;

const SHORT: Fault = Fault::Damaged("a segment is too short");

/// Markers without a length field.
const fn stands_alone(marker: u8) -> bool {
    matches!(marker, 0x01 | 0xd0..=0xd8)
}

const END: u8 = 0xd9;

/// Iterates over segments.
struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    /// The next marker and its payload; `None` at the end of the file.
    fn next(&mut self) -> Result<Option<(u8, &'a [u8])>> {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let found = rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff));
            let Some(found) = found else { return Ok(None) };
            let marker = rest[found + 1];
            self.at += found + 2;
            if marker == END {
                return Ok(Some((marker, &[])));
            }
            if stands_alone(marker) {
                continue;
            }
            let rest = &rest[found + 2..];
            let [high, low, ..] = rest else { return Err(Fault::CutOff) };
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            if length < 2 {
                return Err(SHORT);
            }
            let payload = rest.get(2..length).ok_or(Fault::CutOff)?;
            self.at += length;
            return Ok(Some((marker, payload)));
        }
    }
}

/// Whether a marker begins a frame, and of which kind.
fn frame_kind(marker: u8) -> Option<Result<bool>> {
    let unread = |what| Some(Err(Fault::Unread(what)));
    match marker {
        0xc0 | 0xc1 => Some(Ok(false)),
        0xc2 => Some(Ok(true)),
        0xc3 => unread("a lossless JPEG"),
        0xc5..=0xc7 => unread("a hierarchical JPEG"),
        0xc9..=0xcb | 0xcd..=0xcf => unread("a JPEG with arithmetic coding"),
        0xf7 => unread("a JPEG-LS picture"),
        _ => None,
    }
}

/// Width and height of a JPEG in pixels, from its frame header.
///
/// # Errors
/// Unsupported kinds of JPEG by name; a file without a frame header.
pub fn kind_of(bytes: &[u8]) -> Result<(u32, u32)> {
    let (mut segments, mut is_adobe) = (Segments { bytes, at: 0 }, false);
    while let Some((marker, payload)) = segments.next()? {
        if let Some(kind) = frame_kind(marker) {
            kind?;
            let header = header(payload)?;
            // Adobe's marker distinguishes CMYK from YCCK, and says that 255 is no ink; without it, programs differ.
            return match header.components.len() / 3 {
                2 => Err(Fault::Unread("a JPEG with two channels")),
                4 if !is_adobe => Err(Fault::Unread("a four-channel JPEG without a colour space")),
                _ => Ok((header.width, header.height)),
            };
        }
        is_adobe |= marker == 0xee && payload.starts_with(b"Adobe");
        if marker == END {
            break;
        }
    }
    Err(Fault::CutOff)
}

struct Header<'a> {
    width: u32,
    height: u32,
    components: &'a [u8],
}

fn header(payload: &[u8]) -> Result<Header<'_>> {
    let [depth, y0, y1, x0, x1, count, components @ ..] = payload else { return Err(SHORT) };
    match depth {
        8 => {}
        12 => return Err(Fault::Unread("a 12-bit JPEG")),
        _ => return Err(Fault::Unread("a JPEG with a depth other than 8 bit")),
    }
    let (width, height) = (u16::from_be_bytes([*x0, *x1]), u16::from_be_bytes([*y0, *y1]));
    if height == 0 {
        return Err(Fault::Unread("a JPEG with its height after its data"));
    }
    let components = components.get(..3 * usize::from(*count)).ok_or(SHORT)?;
    if width == 0 || components.is_empty() || *count > 4 {
        return Err(Fault::Damaged("an invalid frame header"));
    }
    Ok(Header { width: width.into(), height: height.into(), components })
}

/// A JPEG that was scanned to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// Whether the end marker is present; everything else is.
    pub has_end: bool,
}

impl Walk {
    /// Scans a whole file in memory, up to its end marker. A progressive JPEG takes 8 bytes per block, so check the size
    /// first ([`kind_of`]).
    ///
    /// # Errors
    /// [`Fault`]: what is missing or wrong.
    pub fn through(bytes: &[u8]) -> Result<Self> {
        let mut segments = Segments { bytes, at: 0 };
        let mut state = State::default();
        let (mut has_end, mut scans) = (false, 0);
        while let Some((marker, payload)) = segments.next()? {
            if let Some(progressive) = frame_kind(marker) {
                state.begin(progressive?, &header(payload)?)?;
                continue;
            }
            match marker {
                0xc4 => state.tables(payload)?,
                0xdd => state.interval = payload.first_chunk().map(|two| u16::from_be_bytes(*two)).ok_or(SHORT)?.into(),
                0xda => {
                    scans += 1;
                    if scans > MAX_JPEG_SCANS {
                        return Err(Fault::Damaged("too many scans"));
                    }
                    let scan = state.scan(payload)?;
                    segments.at = scan.walk(bytes, segments.at, &mut state.components)?;
                }
                END => {
                    has_end = true;
                    break;
                }
                _ => {}
            }
        }
        state.complete(has_end).map(|()| Self { has_end })
    }
}

/// The state after the segments so far.
#[derive(Default)]
struct State {
    progressive: bool,
    mcus: (u32, u32),
    components: Vec<Component>,
    interval: u32,
    dc: [Option<Huffman>; 4],
    ac: [Option<Huffman>; 4],
}

impl State {
    fn begin(&mut self, progressive: bool, header: &Header) -> Result<()> {
        if !self.components.is_empty() {
            return Err(Fault::Damaged("two frame headers"));
        }
        let sampling = |part: &[u8]| (u32::from(part[1] >> 4), u32::from(part[1] & 15));
        let all = || header.components.chunks_exact(3).map(sampling);
        if all().any(|(across, down)| !(1..=4).contains(&across) || !(1..=4).contains(&down)) {
            return Err(Fault::Damaged("an invalid frame header"));
        }
        let most = all().fold((1, 1), |most, one| (most.0.max(one.0), most.1.max(one.1)));
        self.progressive = progressive;
        self.mcus = (header.width.div_ceil(8 * most.0), header.height.div_ceil(8 * most.1));
        for (part, sampling) in header.components.chunks_exact(3).zip(all()) {
            let side = |px: u32, share: u32, most: u32| (px * share).div_ceil(most).div_ceil(8);
            let stride = self.mcus.0 * sampling.0;
            let kept = if progressive { stride as usize * (self.mcus.1 * sampling.1) as usize } else { 0 };
            self.components.push(Component {
                id: part[0],
                sampling,
                blocks: (side(header.width, sampling.0, most.0), side(header.height, sampling.1, most.1)),
                stride,
                set: vec![0; kept],
                low: [255; 64],
            });
        }
        Ok(())
    }

    fn tables(&mut self, mut payload: &[u8]) -> Result<()> {
        while let [kind, rest @ ..] = payload {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(SHORT)?;
            let symbols = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(symbols).ok_or(SHORT)?;
            let tables = if kind >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            let table = tables.get_mut(usize::from(kind & 15)).ok_or(Fault::Damaged("an invalid Huffman table"))?;
            *table = Some(Huffman::new(counts, symbols)?);
            payload = rest;
        }
        Ok(())
    }

    fn scan(&mut self, payload: &[u8]) -> Result<Scan> {
        const INVALID: Fault = Fault::Damaged("an invalid scan header");
        let [count, rest @ ..] = payload else { return Err(SHORT) };
        let (named, rest) = rest.split_at_checked(2 * usize::from(*count)).ok_or(SHORT)?;
        let [first, last, bits, ..] = rest else { return Err(SHORT) };
        let band = if self.progressive {
            Band { first: (*first).into(), last: (*last).into(), high: bits >> 4, low: bits & 15 }
        } else {
            Band { first: 0, last: 63, high: 0, low: 0 }
        };
        let order = band.first <= band.last && band.last <= 63;
        let apart = !self.progressive || if band.first == 0 { band.last == 0 } else { *count == 1 };
        if !(1..=4).contains(count) || !order || !apart {
            return Err(INVALID);
        }
        let mut parts = Vec::with_capacity(4);
        for one in named.chunks_exact(2) {
            let component = self.components.iter().position(|known| known.id == one[0]).ok_or(INVALID)?;
            self.components[component].note(band);
            let table = |tables: &[Option<Huffman>; 4], at: u8| tables.get(usize::from(at)).cloned().flatten();
            parts.push(Part { component, dc: table(&self.dc, one[1] >> 4), ac: table(&self.ac, one[1] & 15) });
        }
        let (progressive, interval, mcus) = (self.progressive, self.interval, self.mcus);
        Ok(Scan { parts, band, progressive, interval, mcus })
    }

    /// Whether every component is present, and, without an end marker, all its bits.
    fn complete(&self, has_end: bool) -> Result<()> {
        let whole = |component: &Component| match has_end {
            true => component.low[0] != 255,
            false => component.low.iter().all(|&low| low == 0),
        };
        if !self.components.is_empty() && self.components.iter().all(whole) {
            return Ok(());
        }
        Err(if has_end { Fault::Damaged("a component is missing") } else { Fault::CutOff })
    }
}
