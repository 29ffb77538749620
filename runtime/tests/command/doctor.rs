//! `bloodseg doctor` through the command line, with the faults that arguments can cause. What this machine lacks is not
//! known here; the tests of each check cause all of its faults.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bloodseg_tiny_models as fixture;

use std::{fs, net::TcpListener, path::Path, process::Command};

/// Exit code and standard output, in a folder with models and a config that names a missing camera.
fn call(folder: &Path, args: &[&str]) -> (i32, String) {
    fs::create_dir_all(folder.join("models")).unwrap();
    for (name, draft) in [("ssr", fixture::ssr()), ("unet", fixture::unet())] {
        let (text, onnx) = fixture::files(&draft);
        fs::write(folder.join(format!("models/{name}.toml")), text).unwrap();
        fs::write(folder.join(format!("models/{name}.onnx")), onnx).unwrap();
    }
    fs::write(folder.join("camera.toml"), "[source.scope]\nkind = \"camera\"\ndevice = \"no/video9\"\n").unwrap();
    fs::write(folder.join("folder.toml"), "[source.bench]\nkind = \"folder\"\npath = \"nowhere\"\n").unwrap();
    fs::write(folder.join("tight.toml"), "[budget]\ntotal_mib = 0.5\n").unwrap();
    fs::write(folder.join("wrong.toml"), "[budgets]\n").unwrap();
    fs::write(folder.join("mqtt.toml"), "[mqtt]\nbroker = \"b:1\"\nuser = \"u\"\npassword_file = \"none\"\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bloodseg")).current_dir(folder).args(args).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("panicked") && !stderr.contains("error:"), "{stderr}");
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// Outcome and exit code of a check in the JSON object.
fn of_check(json: &serde_json::Value, check: &str) -> (String, u64) {
    let findings = json["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["check"] == check).unwrap();
    (finding["outcome"].as_str().unwrap().to_owned(), finding["exit_code"].as_u64().unwrap())
}

fn json(folder: &Path, args: &[&str]) -> (i32, serde_json::Value) {
    let (code, text) = call(folder, &[&["doctor", "--json"], args].concat());
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["exit_code"], code);
    (code, json)
}

#[test]
fn sound_setup_is_reported_and_left_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let (_, json) = json(folder.path(), &["--models", "models", "--out", "results"]);
    assert_eq!(of_check(&json, "config"), ("ok".into(), 0));
    assert_eq!(of_check(&json, "models"), ("ok".into(), 0));
    assert_eq!(of_check(&json, "budget").1, 0);
    assert_ne!(of_check(&json, "disk").0, "skipped");
    assert!(!folder.path().join("results").exists(), "a look changes nothing");
}

#[test]
fn exit_code_is_of_first_fault_and_all_checks_run() {
    let folder = tempfile::tempdir().unwrap();
    let (code, camera) = json(folder.path(), &["--config", "camera.toml", "--models", "models"]);
    assert_eq!((code, of_check(&camera, "camera")), (7, ("fault".into(), 7)));
    assert_eq!(of_check(&camera, "models").0, "ok");
    let (code, missing) = json(folder.path(), &["--config", "folder.toml", "--models", "models"]);
    assert_eq!((code, of_check(&missing, "source")), (7, ("fault".into(), 7)));
    let (code, wrong) = json(folder.path(), &["--config", "wrong.toml", "--models", "nowhere"]);
    assert_eq!((code, of_check(&wrong, "models")), (6, ("fault".into(), 4)));
    assert_eq!(of_check(&wrong, "budget").0, "skipped");
    let (_, tight) = json(folder.path(), &["--config", "tight.toml", "--models", "models"]);
    assert_eq!(of_check(&tight, "budget"), ("fault".into(), 6));
    let (_, mqtt) = json(folder.path(), &["--config", "mqtt.toml", "--models", "models"]);
    assert_eq!(of_check(&mqtt, "mqtt"), ("fault".into(), 6));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let page = format!("[http]\naddress = \"{}\"\n", taken.local_addr().unwrap());
    fs::write(folder.path().join("page.toml"), page).unwrap();
    let (_, page) = json(folder.path(), &["--config", "page.toml", "--models", "models"]);
    assert_ne!(of_check(&page, "page").0, "ok");
    let (_, disk) = json(folder.path(), &["--models", "models", "--out", "wrong.toml"]);
    assert_eq!(of_check(&disk, "disk"), ("fault".into(), 5));
}

/// MiB that a run needs, according to the budget check.
fn need_mib(json: &serde_json::Value) -> f64 {
    let findings = json["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == "budget").unwrap()["found"].as_str().unwrap();
    let (_, need) = found.split_once("a run needs ").unwrap_or_else(|| panic!("{found}"));
    need.split_once(" MiB").unwrap().0.parse().unwrap()
}

#[test]
fn budget_depends_on_frames_of_sources() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    for (name, side) in [("small", 64), ("large", 512)] {
        fs::create_dir(folder.path().join(name)).unwrap();
        image::RgbImage::new(side, side).save(folder.path().join(name).join("a.png")).unwrap();
    }
    let small = "[source.small]\nkind = \"folder\"\npath = \"small\"\n";
    let large = "[source.large]\nkind = \"folder\"\npath = \"large\"\n";
    let gone = "[source.gone]\nkind = \"folder\"\npath = \"gone\"\n";
    write("small.toml", small);
    write("both.toml", &[small, large, gone].concat());
    let of = |config: &str, more: &[&str]| {
        json(folder.path(), &[&["--config", config, "--models", "models"], more].concat()).1
    };
    let (little, much) = (need_mib(&of("small.toml", &[])), need_mib(&of("both.toml", &[])));
    assert!(much > little + 10.0, "{little} MiB, {much} MiB");
    let printed = of("both.toml", &[]).to_string();
    assert!(printed.contains("large: a run needs") && printed.contains("cannot be opened: gone"), "{printed}");
    assert!(need_mib(&of("both.toml", &["--frame", "64x64"])) < much);
    // The need of the frames is compared. Three quarters of the difference are enough, because the size of frames at
    // the scale of the models is then limited to what fits.
    let limited = format!("[budget]\ntotal_mib = {}\n{small}{large}", (little + 3.0 * much) / 4.0);
    write("half.toml", &limited);
    assert_ne!(of_check(&of("half.toml", &[]), "budget").0, "fault", "{little} {much} {}", of("half.toml", &[]));
    // Queued frames have their own size.
    let limit = format!("[budget]\ntotal_mib = {}\n", little + 2.0);
    write("tight-small.toml", &[&limit, small].concat());
    write("tight-both.toml", &[&limit, small, large].concat());
    assert_ne!(of_check(&of("tight-small.toml", &[]), "budget").0, "fault");
    assert_eq!(of_check(&of("tight-both.toml", &[]), "budget"), ("fault".into(), 6));
    write("gone.toml", gone);
    assert_eq!(of_check(&of("gone.toml", &[]), "budget").0, "skipped");
}

#[test]
fn text_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text) = call(folder.path(), &["doctor", "--config", "camera.toml", "--models", "models"]);
    assert_eq!(code, 7);
    for wanted in ["FAULT  camera   scope: no/video9", "to do: Check that the camera is plugged in", "ok     models"] {
        assert!(text.contains(wanted), "no {wanted:?} in: {text}");
    }
    assert!(text.lines().last().unwrap().starts_with("faults: "), "{text}");
}
