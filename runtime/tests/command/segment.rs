//! `bloodseg segment` through the command line: what it writes, and how it reports unusable inputs.
//! The models are the fixture's, so that the answers are known.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bloodseg_tiny_models as fixture;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage};

/// A folder with models, a place for inputs, and a place for results.
pub(crate) struct Bench(tempfile::TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(this.path("models")).unwrap();
        for (name, draft) in [("ssr", fixture::ssr()), ("unet", fixture::unet())] {
            let (text, onnx) = fixture::files(&draft);
            this.write(&format!("models/{name}.toml"), text.as_bytes());
            this.write(&format!("models/{name}.onnx"), &onnx);
        }
        this
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn picture(&self, name: &str, picture: &RgbImage) -> PathBuf {
        let path = self.write(name, b"");
        picture.save(&path).unwrap();
        path
    }

    pub(crate) fn call(&self, args: &[&str]) -> Answer {
        let output = Command::new(env!("CARGO_BIN_EXE_bloodseg"))
            .current_dir(self.0.path())
            .env_remove("RUST_LOG")
            .args(args)
            .output()
            .unwrap();
        Answer::of(&output)
    }

    /// Segments `inputs` into `out`, and overwrites existing results.
    pub(crate) fn segment(&self, inputs: &[&str]) -> Answer {
        self.segment_once(&[&["--force"], inputs].concat())
    }

    /// Segments `inputs` into `out`.
    pub(crate) fn segment_once(&self, inputs: &[&str]) -> Answer {
        let fixed = ["segment", "--models", "models", "--out", "out"];
        // The tiny models know no scale.
        let as_is: &[&str] = if inputs.contains(&"--whole-field") { &[] } else { &["--as-is"] };
        self.call(&[&fixed, as_is, inputs].concat())
    }

    pub(crate) fn table(&self) -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(self.path("out/cells.csv")).unwrap();
        text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
    }

    /// A cell of the table; row 0 is the header.
    fn text(&self, row: usize, column: &str) -> String {
        let table = self.table();
        let at = table[0].iter().position(|name| name == column).unwrap();
        table[row][at].clone()
    }

    fn value(&self, row: usize, column: &str) -> f64 {
        self.text(row, column).parse().unwrap()
    }

    /// Replaces the super-resolution model, which repeats pixels.
    fn replace_ssr(&self, draft: &fixture::Draft) {
        let (text, onnx) = fixture::files(draft);
        self.write("models/ssr.toml", text.as_bytes());
        self.write("models/ssr.onnx", &onnx);
    }
}

pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let this = Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        assert!(!this.stderr.contains("panicked"), "{}", this.stderr);
        this
    }

    #[track_caller]
    pub(crate) fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in: {}", self.stderr);
        }
    }

    #[track_caller]
    pub(crate) fn done(&self) {
        assert_eq!(self.code, 0, "{}", self.stderr);
    }
}

/// Dark disks on a light ground, darkest in the middle.
pub(crate) fn smear(width: u32, height: u32, places: &[(f64, f64)]) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let far = |(cx, cy): &(f64, f64)| (f64::from(x) + 0.5 - cx).hypot(f64::from(y) + 0.5 - cy);
        let nearest = places.iter().map(far).fold(f64::INFINITY, f64::min);
        Rgb([if nearest < 6.0 { (nearest / 6.0 * 100.0) as u8 } else { 240 }, 200, 220])
    })
}

#[test]
fn picture_yields_four_pictures_and_tables() {
    let bench = Bench::new();
    bench.picture("a.png", &smear(100, 70, &[(20.0, 20.0), (70.0, 40.0)]));
    let answer = bench.segment(&["a.png", "--um-per-px", "2"]);
    answer.done();
    assert!(answer.stdout.contains("a.png: 2 cells, 4 tiles"), "{}", answer.stdout);
    let mut names: Vec<_> =
        std::fs::read_dir(bench.path("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let pictures = ["a.labels.png", "a.mask.png", "a.overlay.png", "a.sr.png"];
    assert_eq!(
        names,
        [&pictures[..], &["cells.csv", "frames.csv", "records.sqlite", "run.lock", "summary.json"]].concat()
    );
    let open = |name: &str| image::open(bench.path("out").join(name)).unwrap();
    for name in ["a.labels.png", "a.mask.png", "a.overlay.png", "a.sr.png"] {
        assert_eq!((open(name).width(), open(name).height()), (400, 280), "{name}");
    }
    let labels = open("a.labels.png").into_luma16();
    assert_eq!([labels[(80, 80)], labels[(280, 160)], labels[(5, 5)]], [Luma([1]), Luma([2]), Luma([0])]);
    let table = bench.table();
    assert_eq!(table.len(), 3);
    let value = |row: usize, column: &str| bench.value(row, column);
    assert!((value(1, "x_px") - 80.0).abs() < 1.0 && (value(2, "y_px") - 160.0).abs() < 1.0);
    // A fine pixel is a quarter of the input's 2 um.
    assert!((value(1, "x_um") - value(1, "x_px") * 0.5).abs() < 0.01);
    assert!((value(1, "area_um2") - value(1, "area_px") * 0.25).abs() < 0.01);
}

/// Disks of low red, which the camera saw, and one of only low green, which the inventive net turns into a cell.
fn smear_with_a_trap(places: &[(f64, f64)], trap: (f64, f64)) -> RgbImage {
    let mut picture = smear(100, 70, places);
    let trapped = smear(100, 70, &[trap]);
    for (to, from) in picture.pixels_mut().zip(trapped.pixels()) {
        to.0[1] = if from.0[0] < 240 { from.0[0] } else { 255 };
    }
    picture
}

#[test]
fn only_invented_cell_is_flagged_as_unsupported() {
    let bench = Bench::new();
    let trap = (46.0, 48.0);
    bench.picture("a.png", &smear_with_a_trap(&[(20.0, 20.0), (72.0, 30.0)], trap));
    let honest = bench.segment(&["a.png"]);
    honest.done();
    assert!(honest.stdout.contains("a.png: 2 cells, 4 tiles"), "{}", honest.stdout);
    assert_eq!([1, 2].map(|row| bench.text(row, "supported")), ["true", "true"]);
    assert_eq!([1, 2].map(|row| bench.text(row, "consistency_levels")), ["0.00", "0.00"]);

    bench.replace_ssr(&fixture::inventive_ssr());
    let invented = bench.segment(&["a.png"]);
    invented.done();
    assert!(invented.stdout.contains("a.png: 3 cells (1 unsupported), 4 tiles"), "{}", invented.stdout);
    let overlay = image::open(bench.path("out/a.overlay.png")).unwrap().into_rgb8();
    for row in 1..=3 {
        let (x_px, y_px) = (bench.value(row, "x_px"), bench.value(row, "y_px"));
        let trapped = (x_px - 4.0 * trap.0).hypot(y_px - 4.0 * trap.1) < 2.0;
        assert_eq!(bench.text(row, "supported"), (!trapped).to_string(), "row {row}");
        assert_eq!(bench.value(row, "consistency_levels") > 30.0, trapped, "row {row}");
        let around = image::imageops::crop_imm(&overlay, x_px as u32 - 28, y_px as u32 - 28, 56, 56).to_image();
        let count = |colour: [u8; 3]| around.pixels().filter(|pixel| pixel.0 == colour).count();
        let (green, orange) = (count([0, 220, 60]), count([255, 140, 0]));
        assert!(if trapped { green == 0 && orange > 200 } else { green > 80 && orange == 0 }, "{green} {orange}");
    }
}

#[test]
fn folder_is_processed_by_name_and_bad_files_are_skipped() {
    let bench = Bench::new();
    bench.picture("in/c.png", &smear(64, 64, &[(20.0, 20.0)]));
    bench.write("in/b.png", b"no picture at all");
    bench.picture("in/a.bmp", &smear(64, 64, &[(20.0, 20.0), (44.0, 40.0)]));
    let answer = bench.segment(&["in"]);
    answer.refused(3, &["b.png", "a text file"]);
    let images: Vec<String> = bench.table().into_iter().skip(1).map(|row| row[0].clone()).collect();
    assert_eq!(images, ["a.bmp", "a.bmp", "c.png"]);
}

#[test]
fn hostile_pictures_are_refused_with_message_and_code() {
    let bench = Bench::new();
    let whole = std::fs::read(bench.picture("whole.png", &smear(64, 64, &[(30.0, 30.0)]))).unwrap();
    bench.write("empty.png", b"");
    bench.write("cut.png", &whole[..whole.len() / 2]);
    bench.write("text.png", b"dear reader\n");
    bench.write("huge.png", &png_header(20_000, 20_000));
    bench.write("noise.jpg", &[0xff, 0xd8, 0xff, 1, 2, 3, 4, 5]);
    for (name, word) in [
        ("empty.png", "an empty file"),
        ("cut.png", "cut.png"),
        ("text.png", "a text file"),
        ("huge.png", "20000x20000"),
        ("noise.jpg", "noise.jpg"),
        ("none.png", "no such file"),
        ("models", "without pictures"),
    ] {
        for flags in [&[][..], &["--whole-field"]] {
            bench.segment(&[&[name], flags].concat()).refused(3, &[word, "expected"]);
        }
        assert!(!bench.path("out/cells.csv").exists());
    }
    let left: Vec<_> = std::fs::read_dir(bench.path("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["run.lock"], "parts of files are left over");
}

/// The head of a PNG, with correct checksums but without pixels.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 2, 0, 0, 0]);
    let check = crc32(&bytes[12..]);
    bytes.extend(check.to_be_bytes());
    bytes.extend(b"\0\0\0\0IDAT");
    bytes.extend(crc32(b"IDAT").to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xedb8_8320 } else { c >> 1 })
    })
}

#[test]
fn unusual_but_valid_pictures_are_processed() {
    let bench = Bench::new();
    bench.picture("one.png", &RgbImage::from_pixel(1, 1, Rgb([255; 3])));
    bench.picture("black.png", &RgbImage::new(64, 64));
    bench.picture("white.png", &RgbImage::from_pixel(80, 64, Rgb([255; 3])));
    bench.picture("strip.png", &smear(300, 3, &[]));
    GrayImage::from_pixel(40, 90, Luma([250])).save(bench.write("grey.tif", b"")).unwrap();
    ImageBuffer::from_pixel(64, 64, Luma([65_000_u16])).save(bench.write("deep.png", b"")).unwrap();
    let names = ["one.png", "black.png", "white.png", "strip.png", "grey.tif", "deep.png"];
    for flags in [&[][..], &["--whole-field"]] {
        let answer = bench.segment(&[&names, flags].concat());
        answer.done();
        assert!(
            answer.stdout.contains("white.png: over-exposed") && answer.stdout.contains("black.png: under-exposed")
        );
        assert!(answer.stdout.contains("strip.png: empty"), "{}", answer.stdout);
        assert_eq!(bench.table().len(), 1, "the header alone");
        let answer = bench.segment(&[&names, flags, &["--any-quality"]].concat());
        answer.done();
        assert!(answer.stdout.contains("white.png: 0 cells") && answer.stdout.contains("black.png: 1 cells"));
        assert!(answer.stderr.contains("counted anyway"), "{}", answer.stderr);
        assert_eq!(bench.table().len(), 2, "the header and the one black cell");
    }
}

#[test]
fn shared_warning_names_three_pictures() {
    let bench = Bench::new();
    let names: Vec<String> = (0..5).map(|at| format!("{at}.png")).collect();
    for name in &names {
        bench.picture(name, &RgbImage::from_pixel(64, 64, Rgb([255; 3])));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let warned = |names: &[&str]| {
        let answer = bench.segment(&[names, &["--any-quality"]].concat());
        answer.done();
        (answer.stderr.matches("; counted anyway").count(), answer.stderr.contains("2 more warnings"))
    };
    assert_eq!((warned(&names), warned(&names[..3])), ((3, true), (3, false)));
}

#[test]
fn blurred_picture_is_reported_and_others_are_counted() {
    let bench = Bench::new();
    let sharp = smear(64, 64, &[(20.0, 20.0), (44.0, 40.0)]);
    bench.picture("in/blurred.png", &image::imageops::blur(&sharp, 3.0));
    bench.picture("in/sharp.png", &sharp);
    let answer = bench.segment(&["in"]);
    answer.done();
    assert!(answer.stdout.contains("sharp.png: 2 cells"), "{}", answer.stdout);
    let line = answer.stdout.lines().find(|line| line.starts_with("blurred.png: out of focus (sharpness ")).unwrap();
    assert!(line.ends_with("): no cells counted") && line.contains("expected at least"), "{line}");
    assert_eq!(bench.table().len(), 3);
    assert!(bench.path("out/blurred.sr.png").is_file());
    let labels = image::open(bench.path("out/blurred.labels.png")).unwrap().into_luma16();
    assert!(labels.iter().all(|&label| label == 0));

    let mut frames = csv::Reader::from_path(bench.path("out/frames.csv")).unwrap();
    let heads: Vec<String> = frames.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(heads[..5], ["image", "cells", "verdict", "sharpness", "contrast_levels"]);
    let rows: Vec<csv::StringRecord> = frames.records().map(|row| row.unwrap()).collect();
    let seen: Vec<[&str; 3]> = rows.iter().map(|row| [&row[0], &row[1], &row[2]]).collect();
    assert_eq!(seen, [["blurred.png", "", "out_of_focus"], ["sharp.png", "2", "good"]]);
    let sharpness: Vec<f64> = rows.iter().map(|row| row[3].parse().unwrap()).collect();
    assert!(sharpness[0] < sharpness[1]);
}

#[test]
fn whole_field_is_centre_square_and_keeps_scale() {
    let bench = Bench::new();
    let field =
        image::imageops::resize(&smear(84, 64, &[(30.0, 20.0)]), 840, 640, image::imageops::FilterType::Nearest);
    bench.picture("field.png", &field);
    bench.segment(&["field.png", "--whole-field", "--um-per-px", "0.1"]).done();
    let sr = image::open(bench.path("out/field.sr.png")).unwrap();
    assert_eq!((sr.width(), sr.height()), (256, 256));
    let (x_px, x_um) = (bench.value(1, "x_px"), bench.value(1, "x_um"));
    assert!((x_px - 80.0).abs() < 2.0, "{x_px}");
    // 640 pixels of 0.1 um are 256 fine ones of 0.25 um.
    assert!((x_um - x_px * 0.25).abs() < 0.01, "{x_um}");
}

#[test]
fn equal_names_and_overwritten_inputs_are_refused() {
    let bench = Bench::new();
    let picture = smear(64, 64, &[]);
    bench.picture("x/a.png", &picture);
    bench.picture("y/A.png", &picture);
    bench.segment(&["x", "y"]).refused(3, &["the same name as", "A.png"]);
    bench.picture("out/b.png", &picture);
    let mask = bench.picture("out/b.mask.png", &picture);
    let before = std::fs::read(&mask).unwrap();
    bench.segment(&["out/b.png", "out/b.mask.png"]).refused(3, &["overwrite"]);
    assert_eq!(std::fs::read(&mask).unwrap(), before);
}

#[test]
fn unwritable_folder_is_an_output_error() {
    let bench = Bench::new();
    bench.picture("a.png", &smear(64, 64, &[]));
    bench.write("file", b"");
    let call = |out: &str| bench.call(&["segment", "a.png", "--as-is", "--models", "models", "--out", out]);
    call("file/out").refused(5, &["cannot write", "--out"]);
    call("file").refused(5, &["cannot write"]);
    std::fs::create_dir_all(bench.path("taken/cells.csv/x")).unwrap();
    call("taken").refused(5, &["cells.csv"]);
    bench.call(&["segment", "a.png", "--models", "models"]).refused(2, &["--out"]);
}

#[test]
fn truncated_swapped_or_missing_model_is_a_model_error() {
    let bench = Bench::new();
    bench.picture("a.png", &smear(64, 64, &[]));
    let good = std::fs::read(bench.path("models/ssr.onnx")).unwrap();
    bench.write("models/ssr.onnx", &good[..good.len() / 2]);
    bench.segment(&["a.png"]).refused(4, &["ssr.onnx", "as its manifest says"]);
    bench.write("models/ssr.onnx", &std::fs::read(bench.path("models/unet.onnx")).unwrap());
    bench.segment(&["a.png"]).refused(4, &["ssr.onnx"]);
    std::fs::remove_file(bench.path("models/ssr.onnx")).unwrap();
    bench.segment(&["a.png"]).refused(4, &["no such file"]);
    bench.call(&["segment", "a.png", "--out", "out", "--models", "nowhere"]).refused(4, &["nowhere", "--models"]);

    // The hash matches the file, but the output is not the trainer's.
    let mut draft = fixture::ssr();
    draft.manifest.golden.seed += 1;
    bench.replace_ssr(&draft);
    bench.segment(&["a.png"]).refused(4, &["golden output"]);
    assert!(!bench.path("out/cells.csv").exists());
}

#[test]
fn config_is_checked_and_applies_without_flags() {
    let bench = Bench::new();
    bench.picture("a.png", &smear(64, 64, &[(20.0, 20.0)]));
    bench.write("c/b.toml", b"[models]\ndir = \"../models\"\n[output]\ndir = \"../out\"\n[optics]\num_per_px = 4\n");
    bench.call(&["segment", "a.png", "--as-is", "--config", "c/b.toml"]).done();
    assert!((bench.value(1, "x_px") - bench.value(1, "x_um")).abs() < 0.01);
    bench.call(&["config", "check", "c/b.toml"]).done();

    bench.write("bad.toml", b"[optics]\num_per_pixel = 2.0\n");
    bench.call(&["config", "check", "bad.toml"]).refused(6, &["line 2", "Did you mean `um_per_px`"]);
    bench.call(&["segment", "a.png", "--config", "bad.toml"]).refused(6, &["um_per_pixel"]);
    bench.call(&["segment", "a.png", "--config", "none.toml"]).refused(6, &["none.toml"]);
    let printed = bench.call(&["config", "print"]);
    printed.done();
    bench.write("printed.toml", printed.stdout.as_bytes());
    bench.call(&["config", "check", "printed.toml"]).done();
}

#[test]
fn validation_without_common_pictures_says_where_names_are() {
    let bench = Bench::new();
    bench.picture("a.png", &smear(64, 64, &[(20.0, 20.0)]));
    bench.segment(&["a.png"]).done();
    bench.write("counts.csv", b"image,cells\nb.png,3\n");
    bench
        .call(&["validate", "counts.csv", "--from", "out"])
        .refused(3, &["none of its 1 pictures", "names as in the records", "frames.csv"]);
}

#[test]
fn invalid_command_line_exits_with_2_and_help_lists_codes() {
    let bench = Bench::new();
    bench.call(&["segment"]).refused(2, &["INPUT"]);
    bench.call(&["segmnt"]).refused(2, &["segment"]);
    for um in ["-1", "0", "nan", "500", "0.001"] {
        bench.segment(&["a.png", "--um-per-px", um]).refused(2, &["0.01 to 100"]);
    }
    bench.picture("a.png", &smear(64, 64, &[(20.0, 20.0)]));
    bench.call(&["segment", "a.png", "--as-is"]).refused(2, &["no results folder", "--out DIR"]);
    let help = bench.call(&["--help"]);
    help.done();
    assert!(help.stdout.contains("Exit codes") && help.stdout.contains("Examples"));
}

#[test]
fn closed_pipe_is_not_an_error() {
    let bench = Bench::new();
    let path: &Path = &bench.picture("a.png", &smear(64, 64, &[]));
    let mut child = Command::new(env!("CARGO_BIN_EXE_bloodseg"))
        .current_dir(bench.0.path())
        .args(["segment", "--as-is", "--models", "models", "--out", "out"])
        .arg(path)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    Answer::of(&child.wait_with_output().unwrap()).done();
}

#[test]
fn pitch_far_from_models_is_warned_about() {
    let bench = Bench::new();
    bench.picture("a.png", &smear(64, 64, &[(20.0, 20.0)]));
    let far = bench.segment(&["a.png", "--um-per-px", "0.07"]);
    far.done();
    assert!(far.stderr.contains("--whole-field"), "{}", far.stderr);
    let near = bench.segment(&["a.png", "--um-per-px", "1.2"]);
    near.done();
    assert!(!near.stderr.contains("--whole-field"), "{}", near.stderr);
}

#[test]
fn totals_are_printed_and_saved_with_interval() {
    let bench = Bench::new();
    for (name, places) in [("a", &[(20.0, 20.0), (60.0, 40.0)][..]), ("b", &[(30.0, 30.0), (70.0, 70.0), (20.0, 70.0)])]
    {
        bench.picture(&format!("in/{name}.png"), &smear(100, 100, places));
    }
    let answer = bench.call(&["segment", "in", "--as-is", "--um-per-px", "0.7", "--models", "models", "--out", "out"]);
    answer.done();
    let line = answer.stdout.lines().last().unwrap();
    assert!(answer.stdout.contains("2 pictures, 5 cells: 2.5 per picture (95 %: "), "{line}");
    let read = || std::fs::read(bench.path("out/summary.json"));
    let summary: serde_json::Value = serde_json::from_slice(&read().unwrap()).unwrap();
    assert_eq!((&summary["pictures"], &summary["cells"]["cells"]), (&2.into(), &5.into()));
    let [low, high] = ["low", "high"].map(|end| summary["cells"]["interval"][end].as_f64().unwrap());
    assert!(low < 2.5 && 2.5 < high, "{summary}");
    assert!(summary["cells_per_mm2"]["density"].as_f64().is_some_and(|density| density > 50.0), "{summary}");
    assert!(summary["red"].is_null(), "the tiny models know no kinds: {summary}");
    // It would be about the new picture only.
    bench.picture("c.png", &smear(100, 100, &[(50.0, 50.0)]));
    bench
        .call(&["segment", "c.png", "--as-is", "--um-per-px", "0.7", "--models", "models", "--out", "out", "--append"])
        .done();
    assert!(read().is_err());
}

#[test]
#[cfg(unix)]
fn names_cannot_forge_lines_or_formulas() {
    let bench = Bench::new();
    for name in ["in/=1+1.png", "in/a\nframe 1 ack 1.png"] {
        bench.picture(name, &smear(64, 64, &[(30.0, 30.0)]));
    }
    let call = |more: &[&str]| {
        bench.call(&[&["segment", "in", "--as-is", "--models", "models", "--out", "out"], more].concat())
    };
    let answer = call(&[]);
    answer.done();
    assert!(!answer.stdout.lines().any(|line| line.starts_with("frame 1")), "{}", answer.stdout);
    let table = std::fs::read_to_string(bench.path("out/frames.csv")).unwrap();
    assert!(table.contains("\n'=1+1.png,"), "{table}");
    // Names are read back unchanged: a call with --append recognises both.
    call(&["--append"]).refused(3, &["already in the tables"]);
}

/// Bytes of a PNG with a cell of the tiny models.
fn png() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    smear(64, 64, &[(20.0, 20.0), (44.0, 40.0)]).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn json_prints_one_export_object_per_picture() {
    let bench = Bench::new();
    bench.write("in/a.png", &png());
    bench.write("in/b.png", b"no picture");
    bench.write("in/c.png", &png());
    let answer = bench.segment(&["in", "--json", "--any-quality"]);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    let objects: Vec<serde_json::Value> =
        answer.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = objects.iter().map(|object| object["image"].as_str().unwrap()).collect();
    assert_eq!(names, ["a.png", "b.png", "c.png"]);
    assert!(objects[1]["error"].as_str().unwrap().contains("b.png") && objects[1].get("cells").is_none());
    let exported = bench.call(&["export", "--from", "out", "--format", "jsonl"]);
    let lines: Vec<&str> = answer.stdout.lines().collect();
    assert_eq!(exported.stdout.lines().collect::<Vec<_>>(), [lines[0], lines[2]]);
}

#[test]
fn dash_reads_a_picture_from_stdin() {
    use std::io::Write;
    let bench = Bench::new();
    let through = |bytes: &[u8]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bloodseg"))
            .current_dir(bench.path(""))
            .env("TMPDIR", bench.path(""))
            .args(["segment", "--models", "models", "--out", "out", "--as-is", "--force", "--any-quality", "-"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(bytes);
        Answer::of(&child.wait_with_output().unwrap())
    };
    let answer = through(&png());
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stdout.starts_with("stdin: ") && bench.path("out/stdin.overlay.png").is_file(), "{}", answer.stdout);
    bench.write("in/stdin.png", &png());
    assert_eq!(bench.segment(&["in", "--any-quality"]).code, 0);
    for bytes in [&b""[..], b"no picture"] {
        let answer = through(bytes);
        assert_eq!(answer.code, 3, "{}", answer.stderr);
    }
    let left =
        std::fs::read_dir(bench.path("")).unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    assert!(left.into_iter().all(|name| !name.starts_with("bloodseg-stdin")));
}

#[test]
fn no_pictures_writes_tables_and_records() {
    let bench = Bench::new();
    for name in ["in/a.png", "in/b.png"] {
        bench.write(name, &png());
    }
    let answer = bench.segment(&["in", "--no-pictures", "--any-quality"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let mut files: Vec<String> = std::fs::read_dir(bench.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    files.retain(|name| !name.starts_with("records.sqlite-"));
    assert_eq!(files, ["cells.csv", "frames.csv", "records.sqlite", "run.lock", "summary.json"]);
    assert_eq!(bench.call(&["report", "--from", "out"]).code, 0, "a report has no thumbnails then");
}
