//! Kinds of cells from the segmenter to the tables, the records and the pictures, and models that report none.
//! The tiny segmenter takes green for white cells and blue for platelets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bloodseg_tiny_models as fixture;

use image::RgbImage;
use serde_json::Value;

use super::segment::{Bench, smear};
use bloodseg_records::store::read::{Filter, Records};
use bloodseg_vision::pictures::{OUTLINE, PLATELET_OUTLINE, WHITE_OUTLINE};

/// Replaces the segmenter with one of `channels` maps.
fn use_segmenter(bench: &Bench, channels: usize) {
    let (text, onnx) = fixture::files(&fixture::unet_of(channels));
    bench.write("models/unet.toml", text.as_bytes());
    bench.write("models/unet.onnx", &onnx);
}

/// A red cell, a white one, and two platelets, in this order.
fn picture() -> RgbImage {
    let mut picture = smear(124, 60, &[(16.0, 14.0), (46.0, 15.0), (76.0, 16.0), (106.0, 17.0)]);
    for (x, _, pixel) in picture.enumerate_pixels_mut() {
        (pixel.0[1], pixel.0[2]) = match x {
            0..30 => (90, 96),
            30..60 => (144, 100),
            _ => (80, 160),
        };
    }
    picture
}

/// A column of a table of `out`.
fn column(bench: &Bench, file: &str, name: &str) -> Vec<String> {
    let mut table = csv::Reader::from_path(bench.path("out").join(file)).unwrap();
    let at = table.headers().unwrap().iter().position(|column| column == name).unwrap();
    table.records().map(|row| row.unwrap()[at].to_owned()).collect()
}

#[test]
fn kinds_are_reported_and_platelets_counted_separately() {
    let bench = Bench::new();
    use_segmenter(&bench, 4);
    bench.picture("a.png", &picture());
    let answer = bench.segment(&["a.png", "--any-quality"]);
    answer.done();
    assert!(answer.stdout.contains("a.png: 2 cells: 1 red, 1 white, 2 platelets, 3 tiles"), "{}", answer.stdout);
    assert_eq!(column(&bench, "cells.csv", "kind"), ["red", "white", "platelet", "platelet"]);
    assert_eq!(column(&bench, "cells.csv", "kind_confidence"), ["0.881", "0.731", "0.881", "0.881"]);
    let counts = ["cells", "red", "white", "platelets"].map(|name| column(&bench, "frames.csv", name).concat());
    assert_eq!(counts, ["2", "1", "1", "2"]);
    let records = Records::open(&bench.path("out")).unwrap();
    let mut seen = Vec::new();
    records
        .whole_frames::<bloodseg_records::error::Error>(&Filter::default(), |frame, cells| {
            seen.push((frame.cells, frame.kinds(), cells.len()));
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, [(2, [Some(1), Some(1), Some(2)], 4)]);
    let overlay = image::open(bench.path("out/a.overlay.png")).unwrap().into_rgb8();
    let has = |colour, columns: std::ops::Range<u32>| {
        overlay.enumerate_pixels().any(|(x, _, pixel)| columns.contains(&(x / 4)) && *pixel == colour)
    };
    assert!(has(OUTLINE, 0..30) && has(WHITE_OUTLINE, 30..60) && has(PLATELET_OUTLINE, 60..124));
    assert!(!has(OUTLINE, 30..124) && !has(PLATELET_OUTLINE, 0..60));
    let labels = image::open(bench.path("out/a.labels.png")).unwrap().into_luma16();
    assert_eq!(labels.iter().max(), Some(&4), "platelets have labels");
    let line = bench.call(&["export", "--from", "out", "--format", "jsonl"]);
    line.done();
    let line: Value = serde_json::from_str(&line.stdout).unwrap();
    assert_eq!((&line["counts"]["cells"], &line["counts"]["platelets"]), (&2.into(), &2.into()));
    assert_eq!(line["cells"][3]["kind"], "platelet");
    let report = bench.call(&["report", "--from", "out", "--out", "report.html"]);
    report.done();
    let page = std::fs::read_to_string(bench.path("report.html")).unwrap();
    for words in ["Red cells", "White cells", "Platelets (not included in the cells)"] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn model_without_kinds_gives_equal_measures_and_unknown_kinds() {
    let bench = Bench::new();
    bench.picture("a.png", &picture());
    let rows = |channels| {
        use_segmenter(&bench, channels);
        bench.segment(&["a.png", "--any-quality"]).done();
        bench.table()
    };
    let (with, without) = (rows(4), rows(2));
    let measures =
        |table: &[Vec<String>]| -> Vec<Vec<String>> { table.iter().map(|row| row[..row.len() - 2].to_vec()).collect() };
    assert_eq!(measures(&with), measures(&without));
    assert_eq!(column(&bench, "cells.csv", "kind"), ["unknown"; 4]);
    assert_eq!(column(&bench, "cells.csv", "kind_confidence"), [""; 4]);
    let counts = ["cells", "red", "white", "platelets"].map(|name| column(&bench, "frames.csv", name).concat());
    assert_eq!(counts, ["4", "", "", ""]);
    let overlay = image::open(bench.path("out/a.overlay.png")).unwrap().into_rgb8();
    assert!(!overlay.pixels().any(|pixel| [WHITE_OUTLINE, PLATELET_OUTLINE].contains(pixel)));
    let report = bench.call(&["report", "--from", "out", "--out", "report.html"]);
    report.done();
    assert!(!std::fs::read_to_string(bench.path("report.html")).unwrap().contains("latelets"));
}

#[test]
fn segmenter_with_wrong_channels_is_refused() {
    let bench = Bench::new();
    bench.picture("a.png", &picture());
    for channels in [3, 5] {
        use_segmenter(&bench, channels);
        let found = format!("output of shape [1, {channels}, 256, 256]");
        bench.segment(&["a.png"]).refused(4, &[&found, "[1, 2, 256, 256] or [1, 4, 256, 256]"]);
    }
}

#[test]
fn budget_includes_maps_of_kinds() {
    let bench = Bench::new();
    let bytes = |channels, what: &str| {
        use_segmenter(&bench, channels);
        let answer = bench.call(&["--models", "models", "budget", "--json"]);
        answer.done();
        let budget: Value = serde_json::from_str(&answer.stdout).unwrap();
        let line = budget["lines"].as_array().unwrap().iter().find(|line| line["what"] == what).unwrap().clone();
        line["bytes"].as_u64().unwrap()
    };
    let edges = "inputs and outputs of the models";
    // Two maps of a tile, in the output of the engine and in that of the worker.
    assert!(bytes(4, edges) >= bytes(2, edges) + 4 * 65_536);
    let steps = "steps of an analysis";
    // The same two maps of the whole frame.
    assert!(bytes(4, steps) >= bytes(2, steps) + 2 * 65_536);
}
