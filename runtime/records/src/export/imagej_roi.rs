//! ImageJ regions of interest: one polygon per cell, one file each, in a ZIP that its ROI manager opens.
//!
//! Coordinates are fractional pixels of the input, or pixels of the super-resolved picture; the properties of each region
//! say which, and its pitch. Numbers are big-endian. The format is that of ImageJ's RoiDecoder, version 227.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use super::{
    Coordinates, ExportError, Result, json,
    zip::{Archive, Measured},
};
use crate::{
    error::Error,
    store::read::{CellRow, Filter, FrameRow, Records},
};
use bloodseg_clock::utc;
use bloodseg_vision::cells::outline::Polygon;

const VERSION: u16 = 227;
const POLYGON: u8 = 0;
const HEAD_BYTES: usize = 64;
const HEAD_2_BYTES: usize = 64;
/// The option that says that floats follow the integers.
const SUB_PIXEL: u16 = 128;
/// Coordinates have 16 bits, including the sign.
const MAX_COORDINATE: u32 = i16::MAX as u32;

/// Writes a ZIP, in two passes over the same snapshot of the records.
pub(super) fn write(
    records: &Records,
    filter: &Filter,
    coordinates: Coordinates,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(),
) -> Result<()> {
    // A region has no unit of length.
    let coordinates = if coordinates == Coordinates::Micrometres { Coordinates::Input } else { coordinates };
    records.at_one_moment(|| {
        let mut archive = Archive::begin(out);
        each(records, filter, coordinates, &mut || (), &mut |name, roi| archive.file(name, roi))?;
        each(records, filter, coordinates, progress, &mut |name, roi| archive.list(name, Measured::of(roi)))?;
        Ok(archive.end()?)
    })
}

fn each(
    records: &Records,
    filter: &Filter,
    coordinates: Coordinates,
    progress: &mut dyn FnMut(),
    take: &mut dyn FnMut(&str, &[u8]) -> io::Result<()>,
) -> Result<()> {
    let mut roi = Roi::default();
    records.whole_frames::<ExportError>(filter, |frame, cells| {
        for cell in cells {
            roi.make(frame, cell, coordinates).map_err(|found| {
                let expected = format!("places up to {MAX_COORDINATE}, which is all that ImageJ's format holds");
                Error::input(records.path(), found, expected, "Choose another format, or leave this frame out")
            })?;
            take(&roi.file_name, &roi.bytes)?;
        }
        progress();
        Ok(())
    })
}

/// A region being built; its memory is reused.
#[derive(Default)]
struct Roi {
    polygon: Polygon,
    corners: Vec<[f64; 2]>,
    name: String,
    file_name: String,
    properties: String,
    bytes: Vec<u8>,
}

impl Roi {
    /// Makes the file of a cell, or says what does not fit.
    fn make(&mut self, frame: &FrameRow, cell: &CellRow, coordinates: Coordinates) -> std::result::Result<(), String> {
        json::outline(cell, &mut self.polygon);
        if u16::try_from(self.polygon.corners.len()).is_err() {
            let [left, top, width, height] = self.polygon.bounds().unwrap_or_default();
            let (right, bottom) = (left.saturating_add(width), top.saturating_add(height));
            self.polygon.corners.clear();
            self.polygon.corners.extend([[left, top], [right, top], [right, bottom], [left, bottom]]);
        }
        self.corners.clear();
        self.corners.extend(self.polygon.corners.iter().map(|corner| coordinates.of(frame, *corner)));
        let ends = |axis: usize| {
            let places = self.corners.iter().map(|corner| corner[axis].max(0.0));
            // The cast of a float saturates.
            let least = places.clone().fold(f64::INFINITY, f64::min).floor() as u32;
            (least, places.fold(0.0, f64::max).ceil() as u32)
        };
        let ((left, right), (top, bottom)) = (ends(0), ends(1));
        if right.max(bottom) > MAX_COORDINATE {
            return Err(format!(
                "a cell of frame {} of run {} that reaches {right}, {bottom}",
                frame.number, frame.run
            ));
        }
        self.describe(frame, cell, coordinates);
        self.bytes.clear();
        let is_whole = coordinates == Coordinates::SuperResolved;
        let corners = &self.corners;
        let head_2 = HEAD_BYTES + if is_whole { 4 } else { 12 } * corners.len();
        let name_at = head_2 + HEAD_2_BYTES;
        let (name_chars, property_chars) = (self.name.encode_utf16().count(), self.properties.encode_utf16().count());

        let bytes = &mut self.bytes;
        let short = |bytes: &mut Vec<u8>, number: u32| bytes.extend((number as u16).to_be_bytes());
        let long = |bytes: &mut Vec<u8>, number: usize| bytes.extend((number as u32).to_be_bytes());
        bytes.extend(b"Iout");
        bytes.extend(VERSION.to_be_bytes());
        bytes.extend([POLYGON, 0]);
        for number in [top, left, bottom, right, corners.len() as u32] {
            short(bytes, number);
        }
        bytes.resize(HEAD_BYTES - 14, 0);
        bytes.extend(if is_whole { 0 } else { SUB_PIXEL }.to_be_bytes());
        bytes.resize(HEAD_BYTES - 4, 0);
        long(bytes, head_2);
        for (axis, from) in [(0, left), (1, top)] {
            for corner in corners {
                short(bytes, (corner[axis].max(0.0).round() as u32).saturating_sub(from));
            }
        }
        for corner in [0, 1].iter().filter(|_| !is_whole).flat_map(|axis| corners.iter().map(|corner| corner[*axis])) {
            bytes.extend((corner as f32).to_be_bytes());
        }
        bytes.resize(head_2 + 16, 0);
        long(bytes, name_at);
        long(bytes, name_chars);
        bytes.resize(head_2 + 40, 0);
        long(bytes, name_at + 2 * name_chars);
        long(bytes, property_chars);
        bytes.resize(name_at, 0);
        for text in [&self.name, &self.properties] {
            bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
        }
        Ok(())
    }

    fn describe(&mut self, frame: &FrameRow, cell: &CellRow, coordinates: Coordinates) {
        let Self { name, file_name, properties, .. } = self;
        for text in [&mut *name, &mut *file_name, &mut *properties] {
            text.clear();
        }
        // Writing to a string cannot fail.
        let _ = write!(name, "{}-{:06}-{:05}", frame.run, frame.number, cell.label);
        let _ = write!(file_name, "{name}.roi");
        // One property per line: a name must not start another line.
        let image: String = frame.image.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let known = |um: Option<f64>| um.map_or_else(|| "unknown".to_owned(), |um| um.to_string());
        let (of_input, of_sr) = (known(frame.um_per_px()), known(frame.um_per_sr_px()));
        let (unit, source) = (coordinates.unit(frame), frame.scaled.source.name());
        let at = utc::rfc3339(frame.at_utc_ms);
        let _ = write!(
            properties,
            "image: {image}\nat_utc: {at}\nunit: {unit}\num_per_px: {of_input}\npitch_source: {source}\n\
             um_per_sr_px: {of_sr}\nsupported: {}\noutline_is_box: {}\n\
             kind: {}\nkind_confidence: {}\n",
            cell.supported,
            self.polygon.is_box,
            cell.kind.name(),
            known(cell.kind_confidence)
        );
    }
}
