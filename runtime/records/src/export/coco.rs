//! COCO annotations: one image per frame, one annotation per cell or platelet, in pixels of the super-resolved grid.
//!
//! Two passes over the same snapshot of the records: images first, then annotations.

use std::io::Write;

use serde::Serialize;

use super::{
    Coordinates, ExportError, Result, json,
    jsonl::{Measures, Scale},
    rounded,
};
use crate::store::read::{Filter, Records};
use bloodseg_clock::utc;
use bloodseg_vision::cells::{Kind, outline::Polygon};

#[derive(Serialize)]
struct Info {
    description: &'static str,
    version: &'static str,
    unit: &'static str,
    pitch: &'static str,
}

#[derive(Serialize)]
struct Category {
    id: u8,
    name: &'static str,
    supercategory: &'static str,
}

/// `cell` is one whose kind is unknown.
const CATEGORIES: [Category; 4] = [
    Category { id: 1, name: "cell", supercategory: "cell" },
    Category { id: 2, name: "red", supercategory: "cell" },
    Category { id: 3, name: "white", supercategory: "cell" },
    Category { id: 4, name: "platelet", supercategory: "platelet" },
];

/// Its index in [`CATEGORIES`].
fn category(kind: Kind) -> u8 {
    match kind {
        Kind::Unknown => 1,
        Kind::Red => 2,
        Kind::White => 3,
        Kind::Platelet => 4,
    }
}

#[derive(Serialize)]
struct Image<'a> {
    id: i64,
    file_name: String,
    width: u32,
    height: u32,
    date_captured: String,
    run: i64,
    frame: i64,
    source: &'a str,
    verdict: &'a str,
    /// How `file_name` lies on the input: position = `input_start_px` + `scale` / 4 * position in the file.
    #[serde(flatten)]
    scale: Scale,
}

#[derive(Serialize)]
struct Annotation<'a> {
    id: u64,
    image_id: i64,
    category_id: u8,
    iscrowd: u8,
    bbox: [u32; 4],
    /// The same on the input.
    input_bbox: [f64; 4],
    area: i64,
    segmentation: [&'a [u32]; 1],
    score: f64,
    cell: i64,
    touches_border: bool,
    supported: bool,
    kind: Kind,
    kind_confidence: Option<f64>,
    outline_is_box: bool,
    measures: Measures,
}

/// Writes one JSON object.
pub(super) fn write(records: &Records, filter: &Filter, out: &mut dyn Write, progress: &mut dyn FnMut()) -> Result<()> {
    records.at_one_moment(|| passes(records, filter, out, progress))
}

fn passes(records: &Records, filter: &Filter, out: &mut dyn Write, progress: &mut dyn FnMut()) -> Result<()> {
    #[derive(Serialize)]
    struct Head {
        info: Info,
        licenses: [u8; 0],
        categories: [Category; 4],
    }
    let head = Head {
        info: Info {
            description: "cells of a blood smear as bloodseg counted them",
            version: env!("CARGO_PKG_VERSION"),
            unit: "px of the super-resolved picture; corners lie on the corners of pixels",
            pitch: "um_per_sr_px of each image, um per px; null where it is not known",
        },
        licenses: [],
        categories: CATEGORIES,
    };
    let mut scratch = Vec::new();
    json::open(out, &mut scratch, &head)?;
    out.write_all(b",\n\"images\":[\n")?;
    let mut first = true;
    records.frames::<ExportError>(filter, |frame| {
        json::comma(out, &mut first)?;
        let image = Image {
            id: frame.id,
            file_name: format!("{}.sr.png", frame.stem()),
            width: frame.size_px[0],
            height: frame.size_px[1],
            date_captured: utc::rfc3339(frame.at_utc_ms).to_string(),
            run: frame.run,
            frame: frame.number,
            source: &frame.source,
            verdict: &frame.verdict,
            scale: Scale::of(frame),
        };
        Ok(serde_json::to_writer(&mut *out, &image)?)
    })?;
    out.write_all(b"],\n\"annotations\":[\n")?;
    let (mut first, mut id, mut polygon, mut points) = (true, 0, Polygon::default(), Vec::new());
    records.whole_frames::<ExportError>(filter, |frame, cells| {
        for cell in cells {
            json::comma(out, &mut first)?;
            json::outline(cell, &mut polygon);
            points.clear();
            points.extend(polygon.corners.iter().flatten());
            id += 1;
            let bbox = polygon.bounds().unwrap_or_default();
            let [x, y, width, height] = bbox;
            let ends = [[x, y], [x + width, y + height]].map(|corner| Coordinates::Input.of(frame, corner));
            let annotation = Annotation {
                id,
                image_id: frame.id,
                category_id: category(cell.kind),
                iscrowd: 0,
                bbox,
                input_bbox: [
                    ends[0][0],
                    ends[0][1],
                    rounded(ends[1][0] - ends[0][0]),
                    rounded(ends[1][1] - ends[0][1]),
                ],
                area: cell.area_px,
                segmentation: [&points],
                score: cell.confidence,
                cell: cell.label,
                touches_border: cell.touches_border,
                supported: cell.supported,
                kind: cell.kind,
                kind_confidence: cell.kind_confidence,
                outline_is_box: polygon.is_box,
                measures: Measures::of(cell, frame),
            };
            serde_json::to_writer(&mut *out, &annotation)?;
        }
        progress();
        Ok(())
    })?;
    Ok(out.write_all(b"]}\n")?)
}
