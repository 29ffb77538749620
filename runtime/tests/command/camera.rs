//! `bloodseg cameras`, `flatfield` and `calibrate` without a camera.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use bloodseg::camera::{FrameSource, demo::Demo};
use bloodseg_vision::frame::flat_field::FlatField;
use image::{Rgb, RgbImage};

fn output(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bloodseg")).args(args).env_remove("RUST_LOG").current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Pictures of an empty field under a lamp that is darker to the right.
fn empty_fields(folder: &Path) {
    fs::create_dir(folder.join("empty")).unwrap();
    for name in ["a.png", "b.png"] {
        let field = RgbImage::from_fn(160, 120, |x, y| Rgb([(220 - x / 3 + (x + y) % 2) as u8; 3]));
        field.save(folder.join("empty").join(name)).unwrap();
    }
}

#[test]
fn cameras_says_what_to_do_without_a_camera() {
    let folder = tempfile::tempdir().unwrap();
    let done = output(&["cameras"], folder.path());
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(text(&done.stdout).contains("/dev/video"), "{}", text(&done.stdout));
    let done = output(&["cameras", "--json"], folder.path());
    let printed: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert!(printed.is_array());
}

#[test]
fn flat_field_is_only_measured_on_an_empty_field() {
    let folder = tempfile::tempdir().unwrap();
    empty_fields(folder.path());
    let done = output(&["flatfield", "empty", "--out", "lamp.flat"], folder.path());
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(text(&done.stdout).contains("2 frames"), "{}", text(&done.stdout));
    let field = FlatField::read(&folder.path().join("lamp.flat")).unwrap();
    assert_eq!(field.size_px(), (160, 120));
    assert!((1.2..1.5).contains(&field.most_gain()), "{}", field.most_gain());

    let done = output(&["flatfield", "demo", "--out", "demo.flat"], folder.path());
    assert_eq!(done.status.code(), Some(7));
    assert!(text(&done.stderr).contains("not empty"), "{}", text(&done.stderr));
    assert!(!folder.path().join("demo.flat").exists());
}

#[test]
fn damaged_flat_field_is_reported_first() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.flat"), "bloodseg flat field 1\nsha256 00\nsize_px 1 1\n").unwrap();
    fs::write(folder.path().join("c.toml"), "[source.camera0]\nkind = \"camera\"\nflatfield = \"x.flat\"").unwrap();
    let done = output(&["run", "camera0", "--config", "c.toml"], folder.path());
    assert_eq!(done.status.code(), Some(3));
    assert!(text(&done.stderr).contains("x.flat") && text(&done.stderr).contains("sha256"), "{}", text(&done.stderr));
}

#[test]
fn calibrate_measures_demo_and_refuses_empty_field() {
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/unet.onnx").is_file() {
        eprintln!("skipped: no models in models/");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let done = output(&["calibrate", "demo", "--fps", "100"], folder.path());
    assert!(done.status.success(), "{}", text(&done.stderr));
    let printed = text(&done.stdout);
    let line = printed.lines().find(|line| line.starts_with("um_per_px = ")).expect("a line for the config");
    let found: f64 = line.trim_start_matches("um_per_px = ").parse().unwrap();
    let wanted = Demo::new("demo", 1, 10.0).um_per_px().unwrap();
    assert!((found / wanted - 1.0).abs() < 0.08, "{found}, the demo has {wanted}");
    assert!(printed.contains("95 % confidence") && printed.contains("[optics]"), "{printed}");

    empty_fields(folder.path());
    let done = output(&["calibrate", "empty"], folder.path());
    assert_eq!(done.status.code(), Some(7));
    assert!(text(&done.stderr).contains("cannot be measured"), "{}", text(&done.stderr));
}
