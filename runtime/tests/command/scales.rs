//! The scale of pictures and frames: where it comes from, how it is applied, and where the cells are in the input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
};

use bloodseg_smear::SmearSpec;
use image::{Rgb, RgbImage};
use serde_json::Value;

/// Diameter of a red cell in the rendered smears, in pixels.
const CELL_PX: f64 = 38.0;

/// Runs the program with the built-in models.
fn bloodseg(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bloodseg"));
    command.args(args).env_remove("RUST_LOG").current_dir(folder).output().unwrap()
}

fn done(folder: &Path, args: &[&str]) -> String {
    let output = bloodseg(folder, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The rows of a table, by the names of its columns.
fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} in {row:?}"))
}

fn smear(seed: u64) -> RgbImage {
    let field = SmearSpec::field(400, 300);
    let spec = SmearSpec { scale: CELL_PX / field.cell_diameter_px, ..field };
    bloodseg_smear::render(&spec, seed).picture
}

/// A folder `in` with `count` smears.
fn smears(count: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    for seed in 1..=count {
        smear(seed).save(folder.path().join(format!("in/{seed}.png"))).unwrap();
    }
    folder
}

fn cells(rows: &[BTreeMap<String, String>]) -> Vec<f64> {
    rows.iter().map(|row| number(row, "cells")).collect()
}

#[test]
fn run_and_segment_find_the_same_scale_and_cells() {
    let folder = smears(4);
    let at = folder.path();
    done(at, &["segment", "in", "--out", "segmented", "-q"]);
    done(at, &["run", "in", "--out", "run", "-q", "--http", "off"]);
    let um = format!("{}", 7.5 / CELL_PX);
    done(at, &["run", "in", "--out", "given", "-q", "--http", "off", "--um-per-px", &um]);
    let [segmented, run, given] = ["segmented", "run", "given"].map(|name| table(&at.join(name).join("frames.csv")));
    for row in segmented.iter().chain(&run) {
        let (scale, um_per_px) = (number(row, "scale"), number(row, "um_per_px"));
        assert!((scale * 5.46 / CELL_PX - 1.0).abs() < 0.15, "{row:?}");
        assert!((um_per_px * scale - 1.373).abs() < 0.02 && row["pitch_source"] == "measured", "{row:?}");
        assert!(number(row, "um_per_px_low") < um_per_px && um_per_px < number(row, "um_per_px_high"), "{row:?}");
        assert!((number(row, "analysed_px2") / 120_000.0 - 1.0).abs() < 0.05, "{row:?}");
    }
    for (one, other) in segmented.iter().zip(&run) {
        assert_eq!(
            ["image", "scale", "cells"].map(|column| &one[column]),
            ["image", "scale", "cells"].map(|column| &other[column])
        );
    }
    assert!(given.iter().all(|row| row["pitch_source"] == "given" && row["um_per_px_low"].is_empty()), "{given:?}");
    let wanted: f64 = cells(&given).iter().sum();
    for counted in [cells(&segmented), cells(&run)] {
        let counted: f64 = counted.iter().sum();
        assert!((counted / wanted - 1.0).abs() < 0.1, "{counted} cells, {wanted} at the known scale");
    }
    // Cells are located in the input, not in the resized picture.
    let found = table(&at.join("run/cells.csv"));
    let reach = |column: &str| found.iter().map(|row| number(row, column)).fold(0.0, f64::max);
    assert!((300.0..=400.0).contains(&reach("input_x_px")) && (200.0..=300.0).contains(&reach("input_y_px")));
    assert!(found.iter().all(|row| number(row, "input_diameter_px") < 3.0 * CELL_PX));
}

#[test]
fn exports_are_in_input_coordinates() {
    let folder = smears(1);
    let at = folder.path();
    done(at, &["segment", "in/1.png", "--out", "segmented", "-q"]);
    done(at, &["run", "in", "--out", "run", "-q", "--http", "off"]);
    for results in ["segmented", "run"] {
        let text = done(at, &["export", "--from", results, "--format", "geojson"]);
        let found: Value = serde_json::from_str(&text).unwrap();
        let features = found["features"].as_array().unwrap();
        let places = features.iter().flat_map(|feature| feature["geometry"]["coordinates"][0].as_array().unwrap());
        let reach = places.map(|place| place[0].as_f64().unwrap()).fold(0.0, f64::max);
        // Up to half a pixel of the analysed picture past the border of the input.
        assert!((300.0..=400.0 + CELL_PX / 5.46 / 2.0 + 0.1).contains(&reach), "{results}: {reach}");
        let line: Value = serde_json::from_str(&done(at, &["export", "--from", results, "--format", "jsonl"])).unwrap();
        let [cells, platelets] = ["cells", "platelets"].map(|what| line["counts"][what].as_u64().unwrap_or(0));
        assert_eq!((cells + platelets) as usize, features.len());
        assert!(line["cells_per_mm2"].as_f64().unwrap() > 100.0 && line["pitch_source"] == "measured");
        let coco: Value = serde_json::from_str(&done(at, &["export", "--from", results, "--format", "coco"])).unwrap();
        let picture = at.join(results).join(coco["images"][0]["file_name"].as_str().unwrap());
        let (width, height) = image::image_dimensions(&picture).unwrap();
        assert_eq!((&coco["images"][0]["width"], &coco["images"][0]["height"]), (&width.into(), &height.into()));
        done(at, &["report", "last", "--from", results, "--out", "page.html"]);
        let page = fs::read_to_string(at.join("page.html")).unwrap();
        assert!(
            page.contains("Micrometres are estimates") && page.contains("red cells assumed to be 7.5"),
            "{results}"
        );
        fs::remove_file(at.join("page.html")).unwrap();
    }
}

#[test]
fn wrong_pitch_is_doubted_and_unknown_scale_not_counted() {
    let folder = smears(1);
    let at = folder.path();
    fs::create_dir(at.join("stripes")).unwrap();
    RgbImage::from_fn(300, 200, |x, _| Rgb([if x % 40 < 20 { 90 } else { 230 }; 3]))
        .save(at.join("stripes/a.png"))
        .unwrap();
    let um = format!("{}", 7.5 / CELL_PX * 1.7);
    let ran = done(at, &["run", "in", "--out", "doubtful", "--http", "off", "--um-per-px", &um]);
    assert!(ran.contains(": scale doubtful") && !ran.contains(" per mm2"), "{ran}");
    let row = &table(&at.join("doubtful/frames.csv"))[0];
    assert!(row["verdict"] == "scale_doubtful" && number(row, "cells") > 0.0, "{row:?}");
    // Cells split into pieces of the size of cells, and a picture that is not scaled has a pitch too.
    for (name, factor, as_is) in [("pieces", 3.0, &[][..]), ("small", 0.5, &[]), ("not-scaled", 1.0, &["--as-is"])] {
        let um = format!("{}", 7.5 / CELL_PX * factor);
        done(at, &[&["segment", "in", "--out", name, "--um-per-px", &um], as_is].concat());
        let row = &table(&at.join(name).join("frames.csv"))[0];
        assert_eq!(row["verdict"], "scale_doubtful", "{name}");
    }
    for flags in [&[][..], &["--any-quality"]] {
        let out = format!("none{}", flags.len());
        done(at, &[&["run", "stripes", "--out", &out, "--http", "off"], flags].concat());
        let row = &table(&at.join(&out).join("frames.csv"))[0];
        assert!(row["verdict"] == "scale_unknown" && row["cells"].is_empty() && row["scale"].is_empty(), "{row:?}");
    }
    done(at, &["run", "stripes", "--out", "as-is", "--http", "off", "--as-is", "--any-quality"]);
    let row = &table(&at.join("as-is/frames.csv"))[0];
    assert!(row["pitch_source"] == "none" && !row["cells"].is_empty() && number(row, "scale") == 1.0, "{row:?}");
}

#[test]
fn whole_field_has_equal_scale_in_run_and_segment() {
    let folder = smears(1);
    let at = folder.path();
    let flags = ["--whole-field", "--um-per-px", "0.2", "--any-quality", "-q"];
    done(at, &[&["segment", "in", "--out", "segmented"], &flags[..]].concat());
    done(at, &[&["run", "in", "--out", "run", "--http", "off"], &flags[..]].concat());
    let [segmented, run] = ["segmented", "run"].map(|name| table(&at.join(name).join("frames.csv")).remove(0));
    for column in ["cells", "um_per_px", "pitch_source", "scale", "analysed_px2", "analysed_um2", "cells_per_mm2"] {
        assert_eq!(segmented[column], run[column], "{column}");
    }
    assert_eq!((run["um_per_px"].as_str(), run["scale"].as_str()), ("0.20000", "4.6875"));
}

#[test]
fn pictures_keep_their_own_magnification() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("in")).unwrap();
    for seed in 1..=8 {
        let field = SmearSpec::field(400, 300);
        let cell_px = if seed <= 4 { 24.0 } else { 48.0 };
        let spec = SmearSpec { scale: cell_px / field.cell_diameter_px, ..field };
        bloodseg_smear::render(&spec, seed).picture.save(at.join(format!("in/{seed}.png"))).unwrap();
    }
    done(at, &["run", "in", "--out", "run", "-q", "--http", "off"]);
    let scales: Vec<f64> = table(&at.join("run/frames.csv")).iter().map(|row| number(row, "scale")).collect();
    for (scale, cell_px) in scales.iter().zip([24.0, 24.0, 24.0, 24.0, 48.0, 48.0, 48.0, 48.0]) {
        assert!((scale * 5.46 / cell_px - 1.0).abs() < 0.2, "{scales:?}");
    }
}
