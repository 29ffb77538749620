//! GeoJSON: one polygon per cell, with the properties that QuPath reads.
//!
//! [`Coordinates`] says what the coordinates are; each feature names them, and carries its pitch. Over an image without
//! calibration, QuPath needs pixels of the image.

use std::io::Write;

use serde::{Serialize, Serializer, ser::SerializeSeq};

use super::{
    Coordinates, ExportError, Result, json,
    jsonl::{Measures, Scale},
};
use crate::store::read::{CellRow, Filter, FrameRow, Records};
use bloodseg_clock::utc;
use bloodseg_vision::{
    cells::{Kind, outline::Polygon},
    pictures::{UNSUPPORTED, outline_colour},
};

#[derive(Serialize)]
struct Feature<'a> {
    r#type: &'static str,
    geometry: Geometry<'a>,
    properties: Properties<'a>,
}

#[derive(Serialize)]
struct Geometry<'a> {
    r#type: &'static str,
    coordinates: [Ring<'a>; 1],
}

/// The corners of a polygon, and the first once more.
struct Ring<'a> {
    corners: &'a [[u32; 2]],
    coordinates: Coordinates,
    frame: &'a FrameRow,
}

impl Serialize for Ring<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.corners.len() + 1))?;
        for corner in self.corners.iter().chain(self.corners.first()) {
            match self.coordinates {
                Coordinates::SuperResolved => list.serialize_element(corner)?,
                other => list.serialize_element(&other.of(self.frame, *corner))?,
            }
        }
        list.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties<'a> {
    object_type: &'static str,
    name: String,
    classification: Classification,
    is_locked: bool,
    measurements: Measures,
    #[serde(flatten)]
    origin: Origin<'a>,
}

#[derive(Serialize)]
struct Classification {
    name: &'static str,
    color: [u8; 3],
}

impl Classification {
    /// By kind, in the colours of the overlays; an unsupported cell is `unsupported`, whatever its kind.
    fn of(cell: &CellRow) -> Self {
        if !cell.supported {
            return Self { name: "unsupported", color: UNSUPPORTED.0 };
        }
        Self { name: cell.kind.known().unwrap_or("cell"), color: outline_colour(cell.kind).0 }
    }
}

#[derive(Serialize)]
struct Origin<'a> {
    unit: &'static str,
    #[serde(flatten)]
    scale: Scale,
    run: i64,
    frame: i64,
    cell: i64,
    at_utc: String,
    source: &'a str,
    image: &'a str,
    touches_border: bool,
    supported: bool,
    kind: Kind,
    kind_confidence: Option<f64>,
    outline_is_box: bool,
}

/// Writes one feature collection.
pub(super) fn write(
    records: &Records,
    filter: &Filter,
    coordinates: Coordinates,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(),
) -> Result<()> {
    out.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[\n")?;
    let (mut first, mut polygon) = (true, Polygon::default());
    records.whole_frames::<ExportError>(filter, |frame, cells| {
        for cell in cells {
            json::comma(out, &mut first)?;
            json::outline(cell, &mut polygon);
            let feature = Feature {
                r#type: "Feature",
                geometry: Geometry {
                    r#type: "Polygon",
                    coordinates: [Ring { corners: &polygon.corners, coordinates, frame }],
                },
                properties: Properties {
                    object_type: "cell",
                    name: format!("{} {}", frame.image, cell.label),
                    classification: Classification::of(cell),
                    is_locked: false,
                    measurements: Measures::of(cell, frame),
                    origin: Origin {
                        unit: coordinates.unit(frame),
                        scale: Scale::of(frame),
                        run: frame.run,
                        frame: frame.number,
                        cell: cell.label,
                        at_utc: utc::rfc3339(frame.at_utc_ms).to_string(),
                        source: &frame.source,
                        image: &frame.image,
                        touches_border: cell.touches_border,
                        supported: cell.supported,
                        kind: cell.kind,
                        kind_confidence: cell.kind_confidence,
                        outline_is_box: polygon.is_box,
                    },
                },
            };
            serde_json::to_writer(&mut *out, &feature)?;
        }
        progress();
        Ok(())
    })?;
    Ok(out.write_all(b"]}\n")?)
}
