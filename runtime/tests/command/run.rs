//! `bloodseg run` through the command line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use image::{Rgb, RgbImage};

fn bloodseg(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bloodseg"));
    command.args(args).env_remove("RUST_LOG");
    command
}

fn output(args: &[&str], folder: &Path) -> Output {
    bloodseg(args).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether the models of the repository are missing; tests that need them are then skipped.
fn no_models() -> bool {
    let missing = !Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/unet.onnx").is_file();
    if missing {
        eprintln!("skipped: no models in models/");
    }
    missing
}

fn rows(path: PathBuf) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

/// `(captured, analysed, dropped, failed, unreadable)` of the summary.
fn counts(stdout: &str) -> [u64; 5] {
    let line = stdout.lines().find(|line| line.starts_with("end ")).expect("a summary");
    let numbers: Vec<u64> =
        line.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).flat_map(str::parse).collect();
    let counts = [numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]];
    assert_eq!(counts[0], counts[1] + counts[2] + counts[3], "{line}");
    counts
}

fn frames(folder: &Path, names: &[&str]) -> PathBuf {
    let frames = folder.join("frames");
    fs::create_dir(&frames).unwrap();
    for (name, level) in names.iter().zip(200_u8..) {
        RgbImage::from_pixel(64, 64, Rgb([level; 3])).save(frames.join(name)).unwrap();
    }
    frames
}

#[test]
fn missing_source_is_reported_with_available_ones() {
    let folder = tempfile::tempdir().unwrap();
    for (name, wanted) in [("camera63", "/dev/video63"), ("dmeo", "Did you mean `demo`"), ("none/such", "no such")] {
        let done = output(&["run", name], folder.path());
        assert_eq!(done.status.code(), Some(7), "{name}");
        let message = text(&done.stderr);
        assert!(message.contains(wanted) && message.contains("demo (simulated camera)"), "{message}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is written for a source that is not there");
}

#[test]
fn empty_folder_is_not_a_source() {
    let folder = tempfile::tempdir().unwrap();
    let done = output(&["run", "."], folder.path());
    assert_eq!(done.status.code(), Some(7));
    assert!(text(&done.stderr).contains("without pictures"));
}

#[test]
fn invalid_flag_values_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for flags in [["--frames", "0"], ["--fps", "0"], ["--fps", "nan"], ["--um-per-px", "-1"], ["--save-every", "0"]] {
        assert_eq!(output(&["run", "demo", flags[0], flags[1]], folder.path()).status.code(), Some(2), "{flags:?}");
    }
}

#[test]
fn demo_prints_frames_and_writes_tables_and_picture() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let done = output(&["run", "demo", "--frames", "3", "--fps", "2", "--out", "r"], folder.path());
    let stdout = text(&done.stdout);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let [captured, analysed, ..] = counts(&stdout);
    assert_eq!(captured, 3);
    assert_eq!(stdout.lines().filter(|line| line.starts_with("frame ")).count() as u64, analysed);
    let frames = rows(folder.path().join("r/frames.csv"));
    assert_eq!(frames.len() as u64, analysed + 1);
    // The rows of cells include platelets, whose number is in the last column if it is known.
    let of_row = |row: &String| {
        let platelets = row.rsplit(',').next().unwrap().parse().unwrap_or(0);
        row.split(',').nth(3).unwrap().parse::<usize>().unwrap() + platelets
    };
    let of_frames: usize = frames[1..].iter().map(of_row).sum();
    let cells = rows(folder.path().join("r/cells.csv"));
    assert_eq!(cells.len(), of_frames + 1);
    assert!(of_frames as u64 > 10 * analysed, "{of_frames} cells in {analysed} frames");
    assert!(cells[0].contains(",perimeter_um,"), "the demo knows its pitch: {}", cells[0]);
    let overlay = image::open(folder.path().join("r/demo_1_000003.overlay.png")).unwrap();
    assert_eq!((overlay.width(), overlay.height()), (256, 256));
}

#[test]
fn folder_is_analysed_in_full_and_bad_files_are_counted() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..12).map(|n| format!("{n:02}.png")).collect();
    let frames = frames(folder.path(), &names.iter().map(String::as_str).collect::<Vec<_>>());
    fs::write(frames.join("05b.png"), "no picture").unwrap();
    let out = folder.path().join("r");
    let args = ["run", "frames", "--out", "r", "--save-every", "5"];
    let done = output(&args, folder.path());
    assert_eq!(done.status.code(), Some(3), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains("1 of 13 pictures could not be used"), "{}", text(&done.stderr));
    assert_eq!(counts(&text(&done.stdout)), [12, 12, 0, 0, 1]);
    assert!(text(&done.stderr).contains("05b.png"));
    let first = rows(out.join("frames.csv"));
    assert!(text(&done.stdout).contains("quality  12 frames not counted: 12 empty"), "{}", text(&done.stdout));
    assert!(first[0].contains("dropped,verdict,sharpness") && first[1..].iter().all(|row| row.contains(",empty,,")));
    let named: Vec<&str> = first[1..].iter().map(|row| row.split(',').nth(2).unwrap()).collect();
    assert_eq!(named, names);
    for (stem, saved) in [("03", false), ("04", true), ("09", true), ("11", true)] {
        assert_eq!(out.join(format!("{stem}.overlay.png")).is_file(), saved, "{stem}");
    }
    // A second run continues the tables.
    assert_eq!(output(&args, folder.path()).status.code(), Some(3));
    let both = rows(out.join("frames.csv"));
    assert_eq!(both.len(), 25);
    assert_eq!(both[..13], first);
}

#[test]
fn two_runs_do_not_share_a_folder() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let args = ["run", "demo", "--frames", "1000000", "--fps", "5", "--http", "off", "--out", "r"];
    let mut first = bloodseg(&args).current_dir(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.by_ref().find(|line| line.starts_with("frame ")).expect("a frame");
    let second = output(&args, folder.path());
    assert_eq!(second.status.code(), Some(5), "{}", text(&second.stdout));
    assert!(text(&second.stderr).contains("another run is writing to it; end that one"), "{}", text(&second.stderr));
    // The folder is free once the first one has ended, even if it was killed.
    first.kill().unwrap();
    first.wait().unwrap();
    let third = output(&["run", "demo", "--frames", "1", "--http", "off", "--out", "r"], folder.path());
    assert!(third.status.success(), "{}", text(&third.stderr));
}

#[test]
fn table_with_other_columns_is_left_unchanged() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    frames(folder.path(), &["a.png"]);
    fs::create_dir(folder.path().join("r")).unwrap();
    fs::write(folder.path().join("r/cells.csv"), "mine,own\n1,2\n").unwrap();
    let done = output(&["run", "frames", "--out", "r"], folder.path());
    assert_eq!(done.status.code(), Some(5));
    assert_eq!(fs::read_to_string(folder.path().join("r/cells.csv")).unwrap(), "mine,own\n1,2\n");
}

#[test]
fn folder_of_unreadable_files_is_an_error() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("frames")).unwrap();
    fs::write(folder.path().join("frames/a.png"), "").unwrap();
    let done = output(&["run", "frames", "--out", "r"], folder.path());
    assert_eq!(done.status.code(), Some(3), "{}", text(&done.stderr));
}

#[test]
fn excess_frames_are_dropped_and_counted() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let done = output(&["run", "demo", "--frames", "300", "--fps", "10000", "--out", "r"], folder.path());
    // With a slow disk, records may be lost at this rate, and are reported.
    let lost = done.status.code() == Some(5) && text(&done.stderr).contains("were not kept");
    assert!(done.status.success() || lost, "{}", text(&done.stderr));
    let [captured, analysed, dropped, failed, unreadable] = counts(&text(&done.stdout));
    assert_eq!((captured, failed, unreadable), (300, 0, 0));
    assert!(dropped > 0 && analysed > 0);
    // The newest frame is never dropped.
    assert!(folder.path().join("r/demo_1_000300.overlay.png").is_file());
    let kept = rows(folder.path().join("r/frames.csv")).len() as u64 - 1;
    assert!(kept == analysed || (lost && kept < analysed), "{kept} of {analysed}");
}

#[cfg(unix)]
#[test]
fn signals_end_a_run_cleanly() {
    if no_models() {
        return;
    }
    for signal in ["-INT", "-TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = bloodseg(&["run", "demo", "--frames", "1000000", "--fps", "1", "--out", "r"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let first = lines.by_ref().find(|line| line.starts_with("frame ")).expect("a frame");
        assert!(first.contains("cells"), "{first}");
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let rest: Vec<String> = lines.collect();
        assert!(child.wait().unwrap().success(), "{signal}");
        let [_, analysed, ..] = counts(&rest.join("\n"));
        assert!(rest.iter().any(|line| line.contains("stopped")), "{rest:?}");
        let table = fs::read_to_string(folder.path().join("r/frames.csv")).unwrap();
        assert!(table.ends_with('\n'));
        assert_eq!(table.lines().count() as u64, analysed + 1);
    }
}
