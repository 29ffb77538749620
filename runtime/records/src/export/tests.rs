#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{path::Path, sync::Arc};

use serde_json::Value;

use super::{
    zip::{Archive, Measured},
    *,
};
use crate::frame_record::FrameRecord;
use crate::{
    fixture::{noon, record, record_with_kinds, run},
    keeper::Keeper,
    sample::Sample,
    store::{self, retention::Retention},
};
use bloodseg_clock::{VirtualClock, utc};
use bloodseg_vision::placement::{PitchSource, Placement, Scaled};

const PLENTY: Retention = Retention { most_bytes: 1 << 30, most_age_ms: None, oldest_make_room: false };

/// Two runs: one of three frames without a pitch, one of a frame with a pitch of 2 um per input pixel.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (um_per_px, frames) in [(None, &[3, 0, 12][..]), (Some(2.0), &[2])] {
        let clock = Arc::new(VirtualClock::at(noon()));
        let mut keeper = Keeper::open(folder.path(), &run(um_per_px), &PLENTY, clock).unwrap();
        for (number, &cells) in (1..).zip(frames) {
            let scaled = Scaled::as_it_is(um_per_px, PitchSource::Given);
            keeper.keep(&FrameRecord { scaled, ..record(number, cells) });
        }
        keeper.end("stopped", 0);
    }
    folder
}

fn bytes_of(folder: &Path, filter: Filter, format: Format) -> Vec<u8> {
    let (mut out, mut frames) = (Vec::new(), 0);
    let records = Records::open(folder).unwrap();
    export(&records, &filter, format, &mut out, &mut || frames += 1).unwrap();
    assert_eq!(frames, records.count(&filter).unwrap().0, "progress is a step a frame");
    out
}

fn text_of(folder: &Path, filter: Filter, format: Format) -> String {
    String::from_utf8(bytes_of(folder, filter, format)).unwrap()
}

const ALL: Filter = Filter { run: None, frame: None, since_ms: None, until_ms: None, sample: None };

#[test]
fn cell_table_starts_with_run_frame_time_and_pitch() {
    let folder = folder();
    let text = text_of(folder.path(), ALL, Format::Csv(Table::Cells));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 3 + 12 + 2);
    assert!(
        lines[0].starts_with("run,frame,at_utc,sample,seen,um_per_px,um_per_sr_px,image,cell,x_px")
            && lines[0].ends_with("perimeter_um,kind,kind_confidence")
    );
    assert_eq!(
        lines[1],
        "1,1,2026-11-22T17:30:01.000Z,,new,,,\"frame, 1.png\",1,1.00,1.00,4,2.26,8.00,0.7854,0.1250,true,0.7500,1.50,true,0.25,\
         0.25,0.56,,,,,,unknown,"
    );
    assert!(lines[2].contains(",1.50,false,"), "{}", lines[2]);
    assert_eq!(
        lines[16],
        "2,1,2026-11-22T17:30:01.000Z,,new,2,0.5,\"frame, 1.png\",1,1.00,1.00,4,2.26,8.00,0.7854,0.1250,true,0.7500,1.50,true,\
         0.25,0.25,0.56,0.500,0.500,1.000,1.128,4.000,unknown,"
    );
}

#[test]
fn frame_table_has_one_row_per_frame() {
    let folder = folder();
    let text = text_of(folder.path(), ALL, Format::Csv(Table::Frames));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(
        lines[2],
        "1,2026-11-22T17:30:02.000Z,camera0,,,,,,,,0,20261122T173000Z,2,\"frame, 2.png\",0,1.000,2.000,3.000,4.000,10.000,3,empty,,\
         40.00,0.2500,10.0,240.0,,,,none,1.0000,10,,,,,"
    );
}

#[test]
fn folder_tables_have_expected_columns() {
    let folder = folder();
    let records = Records::open(folder.path()).unwrap();
    let (mut cells, mut frames) = (Vec::new(), Vec::new());
    tables::cells_of_folder(&records, false, &mut cells, &mut || Ok(())).unwrap();
    tables::frames_of_folder(&records, &mut frames, &mut || Ok(())).unwrap();
    let (cells, frames) = (String::from_utf8(cells).unwrap(), String::from_utf8(frames).unwrap());
    assert!(
        cells.starts_with("image,cell,x_px,")
            && cells
                .lines()
                .next()
                .unwrap()
                .ends_with(",supported,input_x_px,input_y_px,input_diameter_px,kind,kind_confidence")
    );
    assert_eq!((cells.lines().count(), frames.lines().count()), (18, 5));
    assert!(
        frames.starts_with("started_utc,frame,image,cells,ssr_ms,") && frames.contains(",dropped,verdict,sharpness,")
    );
}

#[test]
fn jsonl_has_one_line_per_frame_including_empty_ones() {
    let folder = folder();
    let text = text_of(folder.path(), ALL, Format::Jsonl);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |key: &str| lines.iter().map(|line| line[key].to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!((of("run"), of("frame")), ("1 1 1 2".into(), "1 2 3 1".into()));
    assert_eq!(of("um_per_px"), "null null null 2.0");
    let cells: Vec<usize> = lines.iter().map(|line| line["cells"].as_array().unwrap().len()).collect();
    assert_eq!(cells, [3, 0, 12, 2]);
    assert_eq!(
        of("counts"),
        [(3, 1), (0, 0), (12, 1), (2, 1)]
            .map(|(cells, unsupported)| format!(
                r#"{{"cells":{cells},"platelets":null,"red":null,"unsupported":{unsupported},"white":null}}"#
            ))
            .join(" ")
    );
    assert_eq!(lines[1]["verdict"], "empty");
    let cell = &lines[3]["cells"][0];
    assert_eq!(cell["outline_px"], serde_json::json!([[0, 0], [2, 0], [2, 2], [0, 2]]));
    assert_eq!((cell["area_px"].as_i64(), cell["area_um2"].as_f64()), (Some(4), Some(1.0)));
    assert!(lines[0]["cells"][0].get("area_um2").is_none());
}

#[test]
fn frames_are_filtered_by_run_number_and_time() {
    let folder = folder();
    let chosen = |filter| text_of(folder.path(), filter, Format::Jsonl).lines().count();
    let at = |second: u64| Some(utc::ms(noon() + std::time::Duration::from_secs(second)));
    assert_eq!(chosen(ALL), 4);
    assert_eq!(chosen(Filter { run: Some(1), ..ALL }), 3);
    assert_eq!(chosen(Filter { run: Some(7), ..ALL }), 0);
    assert_eq!(chosen(Filter { frame: Some(1), ..ALL }), 2);
    assert_eq!(chosen(Filter { since_ms: at(2), ..ALL }), 2);
    assert_eq!(chosen(Filter { since_ms: at(2), until_ms: at(3), ..ALL }), 1);
    assert_eq!(chosen(Filter { run: Some(2), until_ms: at(1), ..ALL }), 0);
}

#[test]
fn coco_annotations_refer_to_their_images() {
    let folder = folder();
    let coco: Value = serde_json::from_str(&text_of(folder.path(), ALL, Format::Coco)).unwrap();
    let (images, annotations) = (coco["images"].as_array().unwrap(), coco["annotations"].as_array().unwrap());
    assert_eq!((images.len(), annotations.len()), (4, 17));
    assert_eq!(images[2]["file_name"], "frame, 3.sr.png");
    assert_eq!((images[2]["width"].as_u64(), images[2]["height"].as_u64()), (Some(40), Some(8)));
    for (at, annotation) in annotations.iter().enumerate() {
        assert_eq!(annotation["id"].as_u64(), Some(at as u64 + 1));
        let image = images.iter().find(|image| image["id"] == annotation["image_id"]).unwrap();
        assert!(annotation["bbox"][0].as_u64().unwrap() + 2 <= image["width"].as_u64().unwrap());
        assert_eq!(annotation["segmentation"][0].as_array().unwrap().len(), 8);
    }
    assert_eq!(annotations[14]["bbox"], serde_json::json!([4, 4, 2, 2]));
    let none: Value =
        serde_json::from_str(&text_of(folder.path(), Filter { run: Some(9), ..ALL }, Format::Coco)).unwrap();
    assert_eq!((none["images"].as_array().unwrap().len(), none["annotations"].as_array().unwrap().len()), (0, 0));
}

#[test]
fn geojson_rings_are_closed_and_in_micrometres_if_pitch_is_known() {
    let folder = folder();
    let read =
        |places| -> Value { serde_json::from_str(&text_of(folder.path(), ALL, Format::GeoJson(places))).unwrap() };
    let (found, in_sr_px, on_input) =
        (read(Coordinates::Micrometres), read(Coordinates::SuperResolved), read(Coordinates::Input));
    let features = found["features"].as_array().unwrap();
    assert_eq!(features.len(), 17);
    for feature in features {
        let ring = feature["geometry"]["coordinates"][0].as_array().unwrap();
        assert_eq!(ring.first(), ring.last());
        assert!(
            feature["properties"]["measurements"].as_object().unwrap().values().all(Value::is_number),
            "for QuPath"
        );
    }
    let last = &features[16];
    assert_eq!(
        last["geometry"]["coordinates"],
        serde_json::json!([[[2.0, 0.0], [3.0, 0.0], [3.0, 1.0], [2.0, 1.0], [2.0, 0.0]]])
    );
    assert_eq!(
        (&last["properties"]["unit"], &last["properties"]["classification"]["name"]),
        (&"um".into(), &"unsupported".into())
    );
    assert_eq!(features[0]["properties"]["unit"], "px");
    assert_eq!(on_input["features"][16]["properties"]["unit"], "px");
    assert_eq!(
        on_input["features"][16]["geometry"]["coordinates"],
        serde_json::json!([[[1.0, 0.0], [1.5, 0.0], [1.5, 0.5], [1.0, 0.5], [1.0, 0.0]]])
    );
    assert_eq!(
        in_sr_px["features"][16]["geometry"]["coordinates"],
        serde_json::json!([[[4, 0], [6, 0], [6, 2], [4, 2], [4, 0]]])
    );
}

/// Name and content of the files of an archive, by its directory.
fn unzip(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let u16_at = |at: usize| usize::from(u16::from_le_bytes(archive[at..at + 2].try_into().unwrap()));
    let u32_at = |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap());
    let end = archive.len() - 22;
    assert_eq!(u32_at(end), 0x0605_4b50);
    let (count, mut at) = (u16_at(end + 10), u32_at(end + 16) as usize);
    let mut files = Vec::new();
    for _ in 0..count {
        assert_eq!(u32_at(at), 0x0201_4b50);
        let (sum, bytes, name_bytes, from) =
            (u32_at(at + 16), u32_at(at + 24) as usize, u16_at(at + 28), u32_at(at + 42) as usize);
        let name = String::from_utf8(archive[at + 46..at + 46 + name_bytes].to_vec()).unwrap();
        assert_eq!(u32_at(from), 0x0403_4b50);
        assert_eq!(&archive[from + 30..from + 30 + name_bytes], name.as_bytes());
        let content = archive[from + 30 + name_bytes..][..bytes].to_vec();
        assert_eq!(crc32fast::hash(&content), sum);
        at += 46 + name_bytes + u16_at(at + 30);
        files.push((name, content));
    }
    assert_eq!(at, end);
    files
}

#[test]
fn imagej_has_one_polygon_per_cell_with_pitch() {
    let folder = folder();
    let files = unzip(&bytes_of(folder.path(), ALL, Format::ImagejRoi(Coordinates::SuperResolved)));
    assert_eq!(files.len(), 17);
    let (name, roi) = &files[16];
    assert_eq!(name, "2-000001-00002.roi");
    let short = |at: usize| u16::from_be_bytes(roi[at..at + 2].try_into().unwrap());
    let long = |at: usize| u32::from_be_bytes(roi[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!((&roi[..4], roi[6]), (&b"Iout"[..], 0));
    assert_eq!([8, 10, 12, 14, 16].map(short), [0, 4, 2, 6, 4], "top, left, bottom, right, corners");
    assert_eq!([64, 66, 68, 70, 72, 74, 76, 78].map(short), [0, 2, 2, 0, 0, 0, 2, 2]);
    let utf16 = |at: usize, chars: usize| {
        let units: Vec<u16> = (0..chars).map(|i| short(at + 2 * i)).collect();
        String::from_utf16(&units).unwrap()
    };
    let second = long(60);
    assert_eq!(utf16(long(second + 16), long(second + 20)), "2-000001-00002");
    let properties = utf16(long(second + 40), long(second + 44));
    assert!(properties.contains("image: frame, 1.png\n") && properties.contains("um_per_sr_px: 0.5\n"), "{properties}");
    assert_eq!(roi.len(), long(second + 40) + 2 * long(second + 44));
}

#[test]
fn outlines_of_rescaled_picture_map_to_input() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(VirtualClock::at(noon()));
    let mut keeper = Keeper::open(folder.path(), &run(None), &PLENTY, clock).unwrap();
    let placement = Placement { scale: 6.0, start_px: [2.0, -1.0] };
    let scaled =
        Scaled { placement, um_per_px: Some(0.25), um_per_px_range: Some([0.2, 0.3]), source: PitchSource::Measured };
    keeper.keep(&FrameRecord { scaled, ..record(1, 2) });
    keeper.end("stopped", 0);
    // The second cell spans (4, 0) to (6, 2) on the super-resolved grid, of which a pixel has 1.5 of the input.
    let line: Value = serde_json::from_str(&text_of(folder.path(), ALL, Format::Jsonl)).unwrap();
    assert_eq!(
        line["cells"][1]["outline_input_px"],
        serde_json::json!([[8.0, -1.0], [11.0, -1.0], [11.0, 2.0], [8.0, 2.0]])
    );
    assert_eq!((&line["pitch_source"], &line["scale"]), (&"measured".into(), &6.0.into()));
    assert_eq!((&line["um_per_px_low"], &line["um_per_px_high"]), (&0.2.into(), &0.3.into()));
    let coco: Value = serde_json::from_str(&text_of(folder.path(), ALL, Format::Coco)).unwrap();
    assert_eq!(coco["annotations"][1]["input_bbox"], serde_json::json!([8.0, -1.0, 3.0, 3.0]));
    assert_eq!(coco["images"][0]["input_start_px"], serde_json::json!([2.0, -1.0]));
    let table = text_of(folder.path(), ALL, Format::Csv(Table::Cells));
    assert!(table.lines().nth(2).unwrap().contains(",9.50,0.50,3.39,"), "{table}");
    let (_, roi) = &unzip(&bytes_of(folder.path(), ALL, Format::ImagejRoi(Coordinates::Input)))[1];
    let short = |at: usize| i16::from_be_bytes(roi[at..at + 2].try_into().unwrap());
    let float = |at: usize| f32::from_be_bytes(roi[at..at + 4].try_into().unwrap());
    assert_eq!([8, 10, 12, 14, 16, 50].map(short), [0, 8, 2, 11, 4, 128], "top, left, bottom, right, corners, options");
    assert_eq!([80, 84, 96, 104].map(float), [8.0, 11.0, -1.0, 2.0]);
}

#[test]
fn archive_of_70000_files_has_zip64_directory() {
    let count = 70_000_u32;
    let mut out = Vec::new();
    let mut archive = Archive::begin(&mut out);
    for number in 0..count {
        archive.file(&number.to_string(), b"x").unwrap();
    }
    for number in 0..count {
        archive.list(&number.to_string(), Measured::of(b"x")).unwrap();
    }
    archive.end().unwrap();
    let end = out.len() - 22;
    assert_eq!(out[end + 8..end + 12], [0xff; 4]);
    let second = &out[end - 20 - 56..];
    assert_eq!(second[..4], 0x0606_4b50_u32.to_le_bytes());
    assert_eq!(second[32..40], u64::from(count).to_le_bytes());
    let mut out = Vec::new();
    let mut archive = Archive::begin(&mut out);
    archive.file("a", b"x").unwrap();
    assert!(archive.end().is_err(), "a file that was not listed");
}

/// Accepts this many bytes, then fails.
struct Narrow(usize);

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        if taken == 0 && !bytes.is_empty() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn full_disk_anywhere_in_export_is_reported() {
    let folder = folder();
    let records = Records::open(folder.path()).unwrap();
    let formats = [
        Format::Csv(Table::Cells),
        Format::Csv(Table::Frames),
        Format::Jsonl,
        Format::Coco,
        Format::GeoJson(Coordinates::Input),
        Format::ImagejRoi(Coordinates::Input),
    ];
    for format in formats {
        let length = bytes_of(folder.path(), ALL, format).len();
        for room in (0..length).step_by(7) {
            let done = export(&records, &ALL, format, &mut Narrow(room), &mut || ());
            assert!(matches!(done, Err(ExportError::Write(_))), "{format:?} with room for {room} of {length} bytes");
        }
        export(&records, &ALL, format, &mut Narrow(length), &mut || ()).unwrap();
    }
}

const ONE_PASS: [Format; 4] =
    [Format::Csv(Table::Cells), Format::Csv(Table::Frames), Format::Jsonl, Format::GeoJson(Coordinates::Input)];

#[test]
fn only_two_pass_exports_block_checkpoints() {
    let folder = folder();
    let records = Records::open(folder.path()).unwrap();
    let writer = store::open_to_write(&folder.path().join(store::FILE)).unwrap();
    let is_held_up = || -> bool {
        writer.execute_batch("UPDATE state SET box_ms = box_ms + 1").unwrap();
        writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap()
    };
    for format in ONE_PASS {
        assert!(!format.holds_records());
        let mut frames = 0;
        let mut look = || {
            assert!(!is_held_up(), "{format:?}");
            frames += 1;
        };
        export(&records, &ALL, format, &mut io::sink(), &mut look).unwrap();
        assert_eq!(frames, 4);
    }
    let run = records.run(1).unwrap().unwrap();
    let run = crate::report::Scope::of_run(&records, run).unwrap();
    crate::report::write(&records, &run, &mut io::sink(), &mut || assert!(!is_held_up(), "the report")).unwrap();
    // Formats with two passes report that they hold the records.
    for format in [Format::Coco, Format::ImagejRoi(Coordinates::Input)] {
        assert!(format.holds_records());
        writer.execute_batch("PRAGMA busy_timeout = 0").unwrap();
        export(&records, &ALL, format, &mut io::sink(), &mut || assert!(is_held_up(), "{format:?}")).unwrap();
    }
}

#[test]
fn export_beside_run_has_whole_frames_up_to_newest_at_open() {
    let folder = folder();
    let (clock, day) = (Arc::new(VirtualClock::at(noon())), Retention { most_age_ms: Some(86_400_000), ..PLENTY });
    let time: Arc<dyn bloodseg_clock::Clock> = Arc::clone(&clock) as _;
    let mut keeper = Keeper::open(folder.path(), &run(None), &day, time).unwrap();
    let mut number = 0;
    let mut keep = |hours: u64| {
        number += 1;
        clock.pass(std::time::Duration::from_secs(hours * 3600));
        keeper.keep(&record(number, 7));
    };
    for _ in 0..20 {
        keep(1);
    }
    let records = Records::open(folder.path()).unwrap();
    let mut out = Vec::new();
    export(&records, &ALL, Format::Jsonl, &mut out, &mut || keep(2)).unwrap();
    let lines: Vec<Value> =
        out.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert!((8..24).contains(&lines.len()), "some of the 24 frames went meanwhile: {}", lines.len());
    for line in &lines {
        assert_eq!(line["cells"].as_array().unwrap().len() as u64, line["counts"]["cells"].as_u64().unwrap());
    }
    assert_eq!((&lines[lines.len() - 1]["frame"], &lines[lines.len() - 1]["run"]), (&20.into(), &3.into()));
}

#[test]
fn export_of_damaged_records_never_panics() {
    let folder = folder();
    let path = folder.path().join(crate::store::FILE);
    let whole = std::fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(97) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        std::fs::write(&path, &damaged).unwrap();
        if let Ok(records) = Records::open(folder.path()) {
            for format in [
                Format::Jsonl,
                Format::ImagejRoi(Coordinates::SuperResolved),
                Format::GeoJson(Coordinates::SuperResolved),
            ] {
                let _ = export(&records, &ALL, format, &mut io::sink(), &mut || ());
            }
        }
    }
}

#[test]
fn formats_have_kinds_and_separate_platelets() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(VirtualClock::at(noon()));
    let mut keeper = Keeper::open(folder.path(), &run(None), &PLENTY, clock).unwrap();
    keeper.keep(&record_with_kinds(1, 6));
    keeper.keep(&FrameRecord { counted: false, ..record_with_kinds(2, 0) });
    keeper.end("stopped", 0);
    let read = |format| text_of(folder.path(), ALL, format);
    // White, red and unsupported, platelet, red, red, platelet.
    let cells = read(Format::Csv(Table::Cells));
    let ends: Vec<&str> = cells.lines().skip(1).map(|line| line.rsplit_once(",,").unwrap().1).collect();
    let wanted = ["white,0.731", "red,0.731", "platelet,0.731", "red,0.731", "red,0.731", "platelet,0.731"];
    assert_eq!(ends, wanted);
    let frames = read(Format::Csv(Table::Frames));
    let frames: Vec<&str> = frames.lines().collect();
    assert!(frames[0].ends_with(",cells_per_mm2,red,white,platelets"), "{}", frames[0]);
    assert!(frames[1].contains("camera0,,,,,,,,1,") && frames[1].contains("\"frame, 1.png\",4,"), "{}", frames[1]);
    assert!(frames[1].ends_with(",3,1,2") && frames[2].ends_with(",,,"), "{frames:?}");
    let lines = read(Format::Jsonl);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let counts = serde_json::json!({"cells": 4, "red": 3, "white": 1, "platelets": 2, "unsupported": 1});
    assert_eq!((&lines[0]["counts"], &lines[1]["counts"]["platelets"]), (&counts, &Value::Null));
    assert_eq!(
        (&lines[0]["cells"][2]["kind"], &lines[0]["cells"][2]["kind_confidence"]),
        (&"platelet".into(), &0.731.into())
    );
    let coco: Value = serde_json::from_str(&read(Format::Coco)).unwrap();
    let category = |at: usize| {
        let id = &coco["annotations"][at]["category_id"];
        coco["categories"].as_array().unwrap().iter().find(|one| one["id"] == *id).unwrap()["name"].clone()
    };
    assert_eq!([0, 1, 2].map(category), ["white", "red", "platelet"]);
    let geojson: Value = serde_json::from_str(&read(Format::GeoJson(Coordinates::Input))).unwrap();
    let properties = |at: usize| &geojson["features"][at]["properties"];
    let names = [0, 1, 2, 3].map(|at| properties(at)["classification"]["name"].clone());
    assert_eq!(names, ["white", "unsupported", "platelet", "red"]);
    assert_eq!((&properties(1)["kind"], &properties(1)["kind_confidence"]), (&"red".into(), &0.731.into()));
    assert_ne!(properties(0)["classification"]["color"], properties(3)["classification"]["color"]);
    let (_, roi) = &unzip(&bytes_of(folder.path(), ALL, Format::ImagejRoi(Coordinates::Input)))[2];
    let text: String = roi.chunks_exact(2).map(|pair| char::from(pair[1])).collect();
    let shifted: String = roi[1..].chunks_exact(2).map(|pair| char::from(pair[1])).collect();
    assert!(text.contains("kind: platelet\nkind_confidence: 0.731\n") || shifted.contains("kind: platelet"), "{text}");
}

/// Frames of two samples in turn, and one without a sample.
fn folder_of_samples() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(VirtualClock::at(noon()));
    let mut keeper = Keeper::open(folder.path(), &run(Some(2.0)), &PLENTY, clock).unwrap();
    let sample = |name: &str, note: &str| {
        Some(Arc::new(Sample { name: name.into(), stain: "Giemsa".into(), note: note.into(), ..Sample::default() }))
    };
    for (number, (cells, sample)) in
        (1..).zip([(10, sample("S-1", "a")), (12, sample("=S 2", "")), (14, sample("S-1", "b")), (5, None)])
    {
        let scaled = Scaled::as_it_is(Some(2.0), PitchSource::Given);
        keeper.keep(&FrameRecord { scaled, sample, ..record(number, cells) });
    }
    keeper.end("stopped", 0);
    folder
}

#[test]
fn sample_table_has_one_row_per_sample_with_intervals() {
    let folder = folder_of_samples();
    let text = text_of(folder.path(), ALL, Format::Csv(Table::Samples));
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let column = |name: &str| rows[0].iter().position(|column| *column == name).unwrap();
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{text}");
    let of = |name: &str| rows[1..].iter().map(|row| row[column(name)]).collect::<Vec<_>>();
    assert_eq!(of("sample"), ["S-1", "'=S 2", ""]);
    assert_eq!(of("note"), ["a; b", "", ""]);
    assert_eq!(of("cells"), ["24", "12", "5"]);
    assert_eq!(of("cells_per_field"), ["12.0000", "12.0000", "5.0000"]);
    for (low, high) in of("cells_per_field_low").iter().zip(of("cells_per_field_high")) {
        assert!(low.parse::<f64>().unwrap() < 12.0 && high.parse::<f64>().unwrap() > 5.0, "{text}");
    }
    assert_eq!(of("white_share"), [""; 3], "kinds are unknown");
    let one = text_of(folder.path(), Filter { sample: Some("S-1".into()), ..ALL }, Format::Csv(Table::Samples));
    assert_eq!(one.lines().count(), 2);
}

#[test]
fn fhir_bundle_is_reproducible_with_one_observation_per_sample() {
    let folder = folder_of_samples();
    let text = text_of(folder.path(), ALL, Format::Fhir);
    assert_eq!(text, text_of(folder.path(), ALL, Format::Fhir));
    let bundle: Value = serde_json::from_str(&text).unwrap();
    let entries = bundle["entry"].as_array().unwrap();
    assert_eq!(entries.len(), 3);
    let ids: std::collections::BTreeSet<&str> =
        entries.iter().map(|entry| entry["fullUrl"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(entries[1]["resource"]["specimen"]["identifier"]["value"], "=S 2");
    assert!(entries[2]["resource"].get("specimen").is_none());
    let absent = &entries[0]["resource"]["component"][1];
    assert_eq!((&absent["code"]["text"], absent.get("valueQuantity")), (&"Red cells".into(), None));
    assert!(absent.get("dataAbsentReason").is_some());
    let none = text_of(folder.path(), Filter { run: Some(9), ..ALL }, Format::Fhir);
    assert_eq!(serde_json::from_str::<Value>(&none).unwrap().get("entry"), None);
}

#[test]
fn workbook_has_zip_signature() {
    let folder = folder_of_samples();
    let bytes = bytes_of(folder.path(), ALL, Format::Xlsx);
    assert!(bytes.starts_with(b"PK\x03\x04"));
}
