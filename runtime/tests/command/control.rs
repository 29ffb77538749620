//! Control slides through the command line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use bloodseg_smear::{SmearSpec, render_picture};

fn done(args: &[&str], folder: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bloodseg"));
    let output = command.args(args).current_dir(folder).env_remove("RUST_LOG").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stderr)
}

/// Ten fields of one slide, with all levels scaled by `light`.
fn slide(folder: &Path, name: &str, light: f32) -> PathBuf {
    let to = folder.join(name);
    fs::create_dir(&to).unwrap();
    for field in 0..10 {
        let spec = SmearSpec { scale: 0.25, ..SmearSpec::field(300, 300) };
        let mut picture = render_picture(&spec, field);
        picture.iter_mut().for_each(|level| *level = (f32::from(*level) * light).round() as u8);
        picture.save(to.join(format!("{field}.png"))).unwrap();
    }
    to
}

#[test]
fn control_slide_is_compared_with_first_session() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    if !models.join("unet.onnx").is_file() {
        eprintln!("skipped: no models in models/");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), "[quality]\ncontrol_slides = [\"K1\"]\n").unwrap();
    let session = |name: &str, light: f32| {
        let fields = slide(folder.path(), name, light);
        let run = ["--config", "c.toml", "-v", "run", fields.to_str().unwrap(), "--whole-field", "--out", "r"];
        done(&[&run[..], &["--http", "off", "--sample", "K1"]].concat(), folder.path())
    };
    let first = session("first", 1.0);
    assert!(first.contains("control: K1: first session, 10 fields"), "{first}");
    let same = session("same", 1.0);
    assert!(same.contains("control: K1: as in the first session, 10 fields"), "{same}");
    let darker = session("darker", 0.7);
    assert!(darker.contains("control: K1: light "), "{darker}");
    assert!(darker.contains("control: K1: not as in the first session: light"), "{darker}");
    done(&["report", "--from", "r", "--out", "r.html"], folder.path());
    let report = fs::read_to_string(folder.path().join("r.html")).unwrap();
    assert!(report.contains("K1: light "), "the event is not in the report");
    assert!(!folder.path().join("r/drift.json").exists(), "a control slide is no history of samples");
}
