//! The trainer's command line: output, errors, and a complete small training.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Output},
};

use bloodseg_vision::{
    engine::{Engine, Setup},
    model::store::Models,
};

/// Runs the binary in `folder`, so that default folders are created there.
fn call<A: AsRef<OsStr>>(folder: &Path, args: &[A]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_train-host"))
        .args(args)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        // A toy model has no work for more threads.
        .env("OMP_NUM_THREADS", "1")
        .output()
        .unwrap()
}

/// Standard output and standard error of a call that must succeed.
fn succeed(folder: &Path, args: &[&str]) -> (String, String) {
    let output = call(folder, args);
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{args:?}: {}\n{out}\n{err}", output.status);
    (out, err)
}

/// Standard error of a call that must fail.
fn fail(folder: &Path, args: &[&str], code: i32) -> String {
    let output = call(folder, args);
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {out}\n{err}");
    err
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// A data set: ten fields for training and validation, two to report.
fn rendered(folder: &Path) {
    succeed(folder, &["synth", "--out", "data/train_tmp", "--count", "10", "--seed", "1", "--size", "256"]);
    succeed(folder, &["synth", "--out", "data/val_tmp", "--count", "2", "--seed", "2", "--size", "256"]);
}

#[test]
fn help_lists_commands_and_flags() {
    let folder = tempfile::tempdir().unwrap();
    let (out, _) = succeed(folder.path(), &["--help"]);
    for command in ["ssr", "unet", "stains", "synth"] {
        assert!(out.contains(&format!("\n  {command} ")), "no {command} in: {out}");
    }
    let (out, _) = succeed(folder.path(), &["unet", "--help"]);
    for flag in ["--data", "--resume", "--export-only", "--leave-out-stain"] {
        assert!(out.contains(flag), "no {flag} in: {out}");
    }
    assert!(fail(folder.path(), &["sssr"], 2).contains("ssr"));
}

#[test]
fn missing_data_set_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["ssr", "unet", "stains"] {
        let err = fail(folder.path(), &[command, "--data", "nowhere"], 1);
        assert!(err.contains("nowhere/train_tmp/img") && err.contains("--data"), "{err}");
        assert!(!err.contains("panicked"), "{err}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a refused call leaves nothing behind");
}

#[test]
fn inapplicable_teacher_and_width_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    rendered(folder.path());
    for arguments in
        [&["ssr", "--width", "2"][..], &["unet", "--teacher", "models"], &["ablate", "--teacher", "models"]]
    {
        let err = fail(folder.path(), arguments, 1);
        assert!(err.contains("for train-host unet on laboratories"), "{err}");
    }
    for width in ["0", "5", "-1", "two"] {
        fail(folder.path(), &["unet", "--width", width], 2);
    }
    assert!(!folder.path().join("models").exists());
}

#[test]
fn synth_writes_set_and_rejects_too_small_size() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["synth", "--out", "set", "--count", "2", "--size", "256"]);
    for file in ["img/smear_0000.png", "img/smear_0001.jpg", "mask/smear_0001.png", "labels/smear_0001.png"] {
        assert!(folder.path().join("set").join(file).is_file(), "{file}");
    }
    assert!(fail(folder.path(), &["synth", "--out", "set", "--size", "100"], 1).contains("256 to"));
}

#[test]
fn stains_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    rendered(folder.path());
    let (out, _) = succeed(folder.path(), &["stains", "--data", "data"]);
    assert!(out.starts_with("group  fields") && !out.contains("smear_0003"), "{out}");
    let (out, _) = succeed(folder.path(), &["stains", "--data", "data", "-v"]);
    for field in 0..10 {
        assert_eq!(out.matches(&format!("smear_{field:04}")).count(), 1, "{out}");
    }
    let err = fail(folder.path(), &["ssr", "--leave-out-stain", "9"], 1);
    assert!(err.contains("train-host stains"), "{err}");
}

#[test]
fn field_in_two_splits_fails_before_training() {
    let folder = tempfile::tempdir().unwrap();
    rendered(folder.path());
    let data = folder.path().join("data");
    for part in ["img", "mask"] {
        let picture = image::open(data.join("train_tmp").join(part).join("smear_0004.png")).unwrap().into_rgb8();
        let mirrored = image::imageops::flip_horizontal(&picture);
        mirrored.save(data.join("val_tmp").join(part).join("other_name.png")).unwrap();
    }
    for command in ["ssr", "unet"] {
        let err = fail(folder.path(), &[command, "--epochs", "1"], 1);
        for part in ["train_tmp/img/smear_0004.png", "val_tmp/img/other_name.png", "similarity", "take one"] {
            assert!(err.contains(part), "no '{part}' in: {err}");
        }
    }
    assert!(!folder.path().join("ssr_model_checkpoints").exists() && !folder.path().join("models").exists());
}

/// Checks the output of a run of two epochs on two reported fields: curves, events, and `columns` pictures per field.
fn check_run_output(run: &Path, columns: u32) {
    let open = |file: &str| image::open(run.join(file)).unwrap().into_rgb8();
    assert!(open("curves.png").width() > 100);
    let [first, last] = ["fields/epoch-0001.png", "fields/epoch-0002.png"].map(open);
    assert_eq!(first.width(), columns * 262 + 6);
    assert_eq!((first.height(), first.dimensions()), (22 + 2 * 262, last.dimensions()));
    // The input is constant, the output changes.
    let column = |sheet: &image::RgbImage, index: u32| {
        image::imageops::crop_imm(sheet, 6 + index * 262, 22, 256, 256).to_image()
    };
    assert_eq!(column(&first, 0), column(&last, 0));
    assert_ne!(column(&first, 1), column(&last, 1));
    let events: Vec<_> =
        std::fs::read_dir(run.join("tensorboard")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(events.len() == 1 && events[0].to_string_lossy().contains("tfevents"), "{events:?}");
    assert!(std::fs::metadata(&events[0]).unwrap().len() > 1000);
}

#[test]
fn trains_both_nets_and_runtime_loads_them() {
    let folder = tempfile::tempdir().unwrap();
    rendered(folder.path());
    let small = ["--windows", "16", "--batch", "4", "--epochs", "2", "--device", "cpu"];
    for net in ["ssr", "unet"] {
        let (_, err) = succeed(folder.path(), &[&[net], &small[..]].concat());
        assert!(err.contains("9 to train, 1 held back, 2 reported"), "{err}");
        assert_eq!(err.matches(" left: train_loss ").count(), 2, "a line an epoch, with the time left: {err}");
        for file in [format!("{net}_model_checkpoints/log.csv"), format!("models/curves-{net}.svg")] {
            assert!(folder.path().join(&file).is_file(), "{file}");
        }
        check_run_output(&folder.path().join(format!("{net}_model_checkpoints")), if net == "ssr" { 3 } else { 5 });
    }
    let models = Models::load(&folder.path().join("models")).unwrap();
    for (model, edge) in [(&models.ssr, 64), (&models.unet, 256)] {
        Engine::load(model, edge, edge, &Setup::default()).unwrap().verify(model).unwrap();
        assert!(model.manifest.training.data.contains("2 of val_tmp reported"));
    }
    let svg = std::fs::read_to_string(folder.path().join("models/curves-unet.svg")).unwrap();
    assert!(svg.contains("AP50") && svg.contains("epoch 2 chosen"), "{svg}");
    // An existing run is neither overwritten nor continued with other fields.
    let err = fail(folder.path(), &[&["ssr"], &small[..]].concat(), 1);
    assert!(err.contains("--resume"), "{err}");
    succeed(folder.path(), &["synth", "--out", "data/train_tmp", "--count", "11", "--seed", "3", "--size", "256"]);
    let err = fail(folder.path(), &[&["ssr", "--resume"], &small[..]].concat(), 1);
    assert!(err.contains("other fields"), "{err}");
}
