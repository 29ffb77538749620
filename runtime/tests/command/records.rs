//! Records and their export through the command line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use image::{Rgb, RgbImage};
use serde_json::Value;

fn bloodseg(args: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bloodseg"));
    command.args(args).current_dir(folder).env_remove("RUST_LOG");
    command
}

fn output(args: &[&str], folder: &Path) -> Output {
    bloodseg(args, folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn done(args: &[&str], folder: &Path) -> String {
    let output = output(args, folder);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Whether the models of the repository are missing; tests that need them are then skipped.
fn no_models() -> bool {
    let missing = !Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/unet.onnx").is_file();
    if missing {
        eprintln!("skipped: no models in models/");
    }
    missing
}

/// Numbers in the `ack N` of a run's lines.
fn acks(lines: impl IntoIterator<Item = String>) -> Vec<u64> {
    let ack = |line: String| line.rsplit_once("  ack ").and_then(|(_, number)| number.parse().ok());
    lines.into_iter().filter_map(ack).collect()
}

fn frames_of(folder: &Path, more: &[&str]) -> Vec<Value> {
    let args = [&["export", "--from", "r", "--format", "jsonl"], more].concat();
    done(&args, folder).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn numbers_of(frames: &[Value]) -> Vec<u64> {
    let whole = |frame: &Value| {
        let count = |what: &str| frame["counts"][what].as_u64().unwrap_or(0);
        frame["cells"].as_array().unwrap().len() as u64 == count("cells") + count("platelets")
    };
    assert!(frames.iter().all(whole), "a frame has all its cells");
    frames.iter().map(|frame| frame["frame"].as_u64().unwrap()).collect()
}

/// The output of a run of the demo.
fn demo(folder: &Path, frames: &str, more: &[&str]) -> String {
    let args = [&["run", "demo", "--frames", frames, "--fps", "20", "--out", "r"], more].concat();
    done(&args, folder)
}

#[test]
fn acknowledged_frames_are_in_every_format() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let stdout = demo(folder.path(), "3", &[]);
    let acked = acks(stdout.lines().map(str::to_owned));
    let frames = frames_of(folder.path(), &[]);
    assert!(!acked.is_empty());
    assert_eq!(numbers_of(&frames), acked);
    let cells: usize = frames.iter().map(|frame| frame["cells"].as_array().unwrap().len()).sum();
    assert!(cells > 10 && stdout.contains(&format!("{} frames kept", acked.len())), "{stdout}");
    let export = |format: &str| done(&["export", "--from", "r", "--format", format], folder.path());
    let csv = export("csv");
    assert_eq!(csv.lines().count(), cells + 1);
    // The export equals the table of the run, except for the leading columns.
    let left = fs::read_to_string(folder.path().join("r/cells.csv")).unwrap();
    let without_front = |line: &str| line.splitn(8, ',').nth(7).unwrap().to_owned();
    assert!(csv.lines().map(without_front).eq(left.lines()));
    let coco: Value = serde_json::from_str(&export("coco")).unwrap();
    assert_eq!(coco["annotations"].as_array().unwrap().len(), cells);
    let geojson: Value = serde_json::from_str(&export("geojson")).unwrap();
    assert_eq!(geojson["features"].as_array().unwrap().len(), cells);
    let zip = output(&["export", "--from", "r/records.sqlite", "--format", "imagej-roi", "--out", "-"], folder.path());
    assert!(zip.status.success() && zip.stdout.starts_with(b"PK\x03\x04"));
    let no_file = output(&["export", "--from", "r", "--format", "imagej-roi"], folder.path());
    assert_eq!(no_file.status.code(), Some(6));
}

#[test]
fn export_selects_runs_and_times() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    demo(folder.path(), "2", &[]);
    demo(folder.path(), "1", &["--quiet"]);
    let of = |more: &[&str]| {
        frames_of(folder.path(), more).iter().map(|frame| frame["run"].as_u64().unwrap()).collect::<BTreeSet<_>>()
    };
    assert_eq!(of(&[]), [1, 2].into());
    assert_eq!((of(&["--run", "last"]), of(&["--run", "1"])), ([2].into(), [1].into()));
    assert_eq!(of(&["--until", "1999-01-01"]), [].into());
    assert_eq!(of(&["--since", "1970-01-01T02:00:00+02:00"]), [1, 2].into());
    let missing = output(&["export", "--from", "r", "--format", "csv", "--run", "9"], folder.path());
    assert_eq!(missing.status.code(), Some(3));
    assert!(text(&missing.stderr).contains("no run 9; expected one of 1 to 2"), "{}", text(&missing.stderr));
    for wrong in [["--run", "0"], ["--since", "yesterday"], ["--frame", "0"], ["--format", "xml"]] {
        let args = [&["export", "--from", "r", "--format", "csv"][..], &wrong].concat();
        assert_eq!(output(&args, folder.path()).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn quiet_run_prints_no_frames_and_keeps_records() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let stdout = demo(folder.path(), "2", &["--quiet"]);
    assert!(!stdout.contains("ack "), "{stdout}");
    assert!(!frames_of(folder.path(), &[]).is_empty());
}

#[test]
fn export_during_run_and_after_kill_has_acknowledged_frames() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = bloodseg(&["run", "demo", "--frames", "100000", "--fps", "30", "--out", "r"], folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acked = Vec::new();
    while acked.len() < 6 {
        acked.extend(acks([lines.next().unwrap().unwrap()]));
        if acked.len() == 3 {
            let seen = numbers_of(&frames_of(folder.path(), &[]));
            assert!(acked.iter().all(|number| seen.contains(number)), "{acked:?} acknowledged, {seen:?} seen");
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    acked.extend(acks(lines.map_while(Result::ok)));
    let kept = numbers_of(&frames_of(folder.path(), &[]));
    assert!(acked.iter().all(|number| kept.contains(number)), "{acked:?} acknowledged, {kept:?} kept");
    // A later run continues in the folder, and its tables include the frames of the killed one.
    demo(folder.path(), "1", &[]);
    let table = fs::read_to_string(folder.path().join("r/frames.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + kept.len() + 1);
}

#[test]
fn invalid_records_are_reported_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::create_dir_all(at.join("empty")).unwrap();
    fs::create_dir_all(at.join("garbage")).unwrap();
    fs::write(at.join("garbage/records.sqlite"), "garbage ".repeat(999)).unwrap();
    for (from, wanted) in [("none", "no such file"), ("empty", "without records"), ("garbage", "no database")] {
        let refused = output(&["export", "--from", from, "--format", "csv", "--out", "x.csv"], at);
        assert_eq!(refused.status.code(), Some(3), "{from}");
        assert!(text(&refused.stderr).contains(wanted), "{}", text(&refused.stderr));
    }
    assert_eq!(output(&["export", "--format", "csv"], at).status.code(), Some(3), "no folder for results");
    assert!(!at.join("x.csv").exists() && fs::read_dir(at.join("empty")).unwrap().count() == 0);
}

#[test]
fn run_refuses_foreign_and_newer_records() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("r")).unwrap();
    let path = folder.path().join("r/records.sqlite");
    let garbage = "garbage ".repeat(999);
    fs::write(&path, &garbage).unwrap();
    let refused = output(&["run", "demo", "--frames", "1", "--out", "r"], folder.path());
    assert_eq!(refused.status.code(), Some(5));
    assert!(text(&refused.stderr).contains("no database"), "{}", text(&refused.stderr));
    assert_eq!(fs::read_to_string(&path).unwrap(), garbage);
    fs::remove_file(&path).unwrap();
    demo(folder.path(), "1", &[]);
    let later = "ALTER TABLE runs ADD COLUMN later; PRAGMA user_version = 77; PRAGMA wal_checkpoint(TRUNCATE)";
    rusqlite::Connection::open(&path).unwrap().execute_batch(later).unwrap();
    let newer = fs::read(&path).unwrap();
    let refused = output(&["run", "demo", "--frames", "1", "--out", "r"], folder.path());
    assert_eq!(refused.status.code(), Some(5));
    assert!(text(&refused.stderr).contains("version 77"), "{}", text(&refused.stderr));
    assert!(fs::read(&path).unwrap() == newer, "it is left as it is");
    let unread = output(&["export", "--from", "r", "--format", "csv"], folder.path());
    assert_eq!(unread.status.code(), Some(3));
}

#[cfg(unix)]
#[test]
fn run_analyses_even_if_records_cannot_be_opened() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("r")).unwrap();
    // The target of the link is missing.
    std::os::unix::fs::symlink("away/records.sqlite", folder.path().join("r/records.sqlite")).unwrap();
    let args = ["run", "demo", "--frames", "2", "--fps", "2", "--http", "off", "--out", "r"];
    let run = output(&args, folder.path());
    let (stdout, stderr) = (text(&run.stdout), text(&run.stderr));
    assert_eq!(run.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("the run continues without them"), "{stderr}");
    assert!(stdout.contains("2 frames captured = 2 analysed"), "{stdout}");
    let not_kept = stdout.lines().filter(|line| line.starts_with("frame ") && line.ends_with("  not kept"));
    assert_eq!(not_kept.count(), 2, "{stdout}");
    fs::create_dir(folder.path().join("r/away")).unwrap();
    let run = output(&args, folder.path());
    assert!(run.status.success(), "{}", text(&run.stderr));
}

#[test]
fn tables_can_be_disabled_and_only_folder_is_found() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), "[records]\ntables = false\n[output]\ndir = \"out\"\n").unwrap();
    done(&["--config", "c.toml", "run", "demo", "--frames", "1", "--fps", "20"], folder.path());
    let run = fs::read_dir(folder.path().join("out")).unwrap().next().unwrap().unwrap().path();
    assert!(run.join("records.sqlite").is_file() && !run.join("cells.csv").exists());
    let export = ["--config", "c.toml", "export", "--format", "csv", "--table", "frames", "--out", "frames.csv"];
    done(&export, folder.path());
    assert_eq!(fs::read_to_string(folder.path().join("frames.csv")).unwrap().lines().count(), 2);
    fs::create_dir(folder.path().join("out/other")).unwrap();
    fs::copy(run.join("records.sqlite"), folder.path().join("out/other/records.sqlite")).unwrap();
    let refused = output(&export, folder.path());
    assert!(text(&refused.stderr).contains("2 folders with records"), "{}", text(&refused.stderr));
}

#[test]
fn unwritable_picture_does_not_end_a_run() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let pictures: PathBuf = folder.path().join("frames");
    fs::create_dir_all(&pictures).unwrap();
    for name in ["a.png", "b.png"] {
        RgbImage::from_pixel(64, 64, Rgb([200; 3])).save(pictures.join(name)).unwrap();
    }
    // A folder in its place.
    fs::create_dir_all(folder.path().join("r/a.sr.png/x")).unwrap();
    let run = output(&["run", "frames", "--save-every", "1", "--out", "r"], folder.path());
    assert!(run.status.success(), "{}", text(&run.stderr));
    assert!(text(&run.stderr).contains("a.sr.png"), "{}", text(&run.stderr));
    assert!(text(&run.stdout).contains("2 frames kept"), "{}", text(&run.stdout));
    assert!(folder.path().join("r/b.overlay.png").is_file());
}

#[test]
fn closed_pipe_is_not_an_error() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    demo(folder.path(), "3", &[]);
    for format in ["jsonl", "csv"] {
        let mut child = bloodseg(&["export", "--from", "r", "--format", format], folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert!(child.wait().unwrap().success() && stderr.is_empty(), "{format}: {stderr}");
    }
}

#[test]
fn records_are_not_overwritten() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    demo(folder.path(), "2", &[]);
    let before = frames_of(folder.path(), &[]);
    for args in [
        ["export", "--from", "r", "--format", "csv", "--out", "r/records.sqlite"].as_slice(),
        &["report", "latest", "--from", "r", "--out", "r/records.sqlite", "--force"],
        &["segment", "r/demo_1_000002.sr.png", "--out", "r"],
    ] {
        let refused = bloodseg(args, folder.path()).output().unwrap();
        let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(5), "{args:?}: {stderr}");
        assert!(stderr.contains("records"), "{stderr}");
    }
    assert_eq!(frames_of(folder.path(), &[]), before);
}

/// A two-pass format locks the records while it is written, but not until it has been read.
#[test]
fn slow_pipe_reader_does_not_block_writer() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // More than a pipe holds, but fewer frames than the queue of the records: a slow disk loses none.
    demo(folder.path(), "6", &[]);
    let other = rusqlite::Connection::open(folder.path().join("r/records.sqlite")).unwrap();
    let held_up = || -> bool {
        other.execute_batch("CREATE TABLE IF NOT EXISTS other (a); INSERT INTO other VALUES (1)").unwrap();
        other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap()
    };
    for format in ["coco", "jsonl"] {
        let export = ["export", "--from", "r", "--format", format];
        let mut child = bloodseg(&export, folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0]).unwrap();
        assert!(!held_up(), "{format}");
        let mut rest = Vec::new();
        out.read_to_end(&mut rest).unwrap();
        assert!(rest.len() > 1 << 17 && child.wait().unwrap().success());
    }
}

#[cfg(unix)]
#[test]
fn file_size_limit_is_handled_like_full_disk() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = "ulimit -f \"$1\"; exec \"$0\" run demo --frames 6 --fps 20 --http off --out r";
    for blocks in ["8", "200"] {
        let _ = fs::remove_dir_all(folder.path().join("r"));
        let program = env!("CARGO_BIN_EXE_bloodseg");
        let done = std::process::Command::new("bash")
            .args(["-c", run, program, blocks])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(5), "{blocks}: {}", text(&done.stderr));
        let acked = acks(text(&done.stdout).lines().map(str::to_owned));
        assert_eq!(acked.is_empty(), blocks == "8", "{blocks}");
        if !acked.is_empty() {
            assert_eq!(numbers_of(&frames_of(folder.path(), &[])), acked, "what was acknowledged is there");
        }
    }
}

#[test]
fn exports_are_read_by_other_programs() {
    let Some(python) = std::env::var_os("BLOODSEG_REFEREE_PYTHON") else {
        eprintln!("skipped: BLOODSEG_REFEREE_PYTHON is not set; scripts/test sets it");
        return;
    };
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let named = demo(folder.path(), "3", &["--sample", "=Müller 7", "--stain", "Grünwald", "--operator", "A. B."]);
    assert!(named.contains("\nsample   =Müller 7\ncount    "), "{named}");
    for (format, file) in [
        ("jsonl", "x.jsonl"),
        ("coco", "x.json"),
        ("geojson", "x.geojson"),
        ("imagej-roi", "x.zip"),
        ("csv", "x.csv"),
        ("xlsx", "x.xlsx"),
        ("fhir", "x.fhir.json"),
    ] {
        done(&["export", "--from", "r", "--format", format, "--out", file], folder.path());
    }
    let in_um = ["export", "--from", "r", "--format", "geojson", "--coordinates", "um", "--out", "x-um.geojson"];
    done(&in_um, folder.path());
    for (table, file) in [("frames", "x-frames.csv"), ("samples", "x-samples.csv")] {
        done(&["export", "--from", "r", "--format", "csv", "--table", table, "--out", file], folder.path());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command/exports.py");
    let read = Command::new(python).arg(script).current_dir(folder.path()).output().unwrap();
    assert!(read.status.success(), "{}{}", text(&read.stdout), text(&read.stderr));
    assert!(text(&read.stdout).contains("cells agree"), "{}", text(&read.stdout));
}

#[test]
fn sample_from_config_yields_to_a_later_one() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("c.toml"), "[sample]\nname = \"S-1\"\n").unwrap();
    let run = || {
        demo(folder.path(), "1", &["--config", "c.toml"]);
        let table = ["export", "--from", "r", "--format", "csv", "--table", "samples"];
        let table = done(&table, folder.path());
        table.lines().skip(1).filter_map(|row| row.split(',').next()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(run(), ["S-1"]);
    done(&["sample", "S-2", "--in", "r"], folder.path());
    assert_eq!(run(), ["S-1", "S-2"]);
    done(&["sample", "--clear", "--in", "r"], folder.path());
    assert_eq!(run(), ["S-1", "S-2"], "without one, it is that of the config");
}

#[test]
fn sample_in_two_folders_is_pooled() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (out, seed) in [("a", "1"), ("b", "2")] {
        let run =
            ["-q", "run", "demo", "--frames", "2", "--seed", seed, "--out", out, "--http", "off", "--sample", "S-1"];
        done(&run, folder.path());
    }
    let export = |more: &[&str]| {
        let args = [&["export", "--format", "csv", "--table", "frames", "--sample", "S-1"], more].concat();
        done(&args, folder.path()).lines().count() - 1
    };
    assert_eq!((export(&["--from", "a"]), export(&["--from", "a", "--from", "b"])), (2, 4));
    let report = ["report", "--sample", "S-1", "--from", "a", "--from", "b", "--out", "s.html"];
    assert!(done(&report, folder.path()).contains("4 frames"));
    let twice = output(&["report", "--sample", "S-1", "--from", "a", "--from", "a", "--out", "t.html"], folder.path());
    assert_eq!(twice.status.code(), Some(3));
    assert!(text(&twice.stderr).contains("each run once"), "{}", text(&twice.stderr));
}

#[test]
fn run_corrects_only_by_validation_of_its_models() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/validation/whole.json");
    let of_its_models = std::fs::read_to_string(corpus).unwrap();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let mut validation: Value = serde_json::from_str(&of_its_models).unwrap();
    let sha256 = |name: &str| bloodseg_vision::digest::sha256(&std::fs::read(models.join(name)).unwrap());
    validation["models_sha256"] = [sha256("ssr.onnx"), sha256("unet.onnx")].to_vec().into();
    validation["agreement"]["validated"] = serde_json::json!({ "low": 0.0, "high": 1000.0 });
    std::fs::write(folder.path().join("own.json"), validation.to_string()).unwrap();
    validation["models_sha256"] = vec!["0"; 2].into();
    std::fs::write(folder.path().join("other.json"), validation.to_string()).unwrap();
    let own = demo(folder.path(), "2", &["--correct", "own.json"]);
    assert!(own.lines().any(|line| line.starts_with("count    corrected: ") && line.contains(" per field (")), "{own}");
    for (name, wanted) in
        [("own", "person of the validation would count"), ("other", "not corrected: the validation is for other")]
    {
        let page = format!("{name}.html");
        let correct = format!("{name}.json");
        let args = ["report", "latest", "--from", "r", "--correct", &correct, "--out", &page];
        done(&args, folder.path());
        assert!(std::fs::read_to_string(folder.path().join(page)).unwrap().contains(wanted), "{name}");
    }
    let other = demo(folder.path(), "2", &["--correct", "other.json"]);
    assert!(other.contains("count    not corrected: the validation is for other models"), "{other}");
    std::fs::write(folder.path().join("none.json"), "{}").unwrap();
    let refused = output(&["run", "demo", "--frames", "1", "--out", "r", "--correct", "none.json"], folder.path());
    assert_eq!(refused.status.code(), Some(3));
}

#[cfg(unix)]
#[test]
fn truncated_wal_index_ends_run_and_loses_nothing() {
    use std::time::{Duration, Instant};
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("r/records.sqlite-shm");
    let args = ["run", "demo", "--frames", "2000", "--fps", "20", "--http", "off", "--out", "r"];
    let mut child = bloodseg(&args, folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut printed: Vec<String> = Vec::new();
    while acks(printed.iter().cloned()).len() < 3 && began.elapsed() < Duration::from_secs(60) {
        printed.extend(lines.next().map(Result::unwrap));
    }
    fs::File::options().write(true).open(&index).unwrap().set_len(0).unwrap();
    printed.extend(lines.map(Result::unwrap));
    assert_eq!(child.wait().unwrap().code(), Some(5));
    let kept = numbers_of(&frames_of(folder.path(), &[]));
    assert!(acks(printed).iter().all(|frame| kept.contains(frame)), "{kept:?}");
    demo(folder.path(), "2", &[]);
    assert!(numbers_of(&frames_of(folder.path(), &[])).len() >= kept.len() + 2, "the next run continues");
}
