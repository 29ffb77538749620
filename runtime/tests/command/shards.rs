//! An archive in shards: the merged tables equal those of one call byte for byte, however it is split.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use bloodseg_tiny_models as fixture;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use image::{Rgb, RgbImage};

/// Models, an archive with good and unreadable pictures, and places for results.
struct Archive(tempfile::TempDir);

impl Archive {
    fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(this.path("models")).unwrap();
        for (name, draft) in [("ssr", fixture::ssr()), ("unet", fixture::unet())] {
            let (text, onnx) = fixture::files(&draft);
            fs::write(this.path(&format!("models/{name}.toml")), text).unwrap();
            fs::write(this.path(&format!("models/{name}.onnx")), onnx).unwrap();
        }
        fs::create_dir_all(this.path("archive/inner")).unwrap();
        for (index, name) in ["a, b", "c", "d", "e \"f\"", "inner/g", "inner/h"].iter().enumerate() {
            smear(index as u32 + 1).save(this.path(&format!("archive/{name}.png"))).unwrap();
        }
        fs::write(this.path("archive/broken.png"), "no picture").unwrap();
        fs::write(this.path("archive/inner/z.png"), "").unwrap();
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn call(&self, args: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_bloodseg"))
            .current_dir(self.0.path())
            .env_remove("RUST_LOG")
            .args(args)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!stderr.contains("panicked"), "{stderr}");
        (output.status.code().unwrap(), stderr)
    }

    /// Segments the archive; the code is 3 if a picture was unreadable.
    fn segment(&self, out: &str, flags: &[&str]) -> i32 {
        let fixed = ["segment", "archive", "--as-is", "--recursive", "--models", "models", "--out", out];
        let (code, stderr) = self.call(&[&fixed, flags].concat());
        assert!(code == 0 || code == 3, "{stderr}");
        code
    }

    fn tables(&self, out: &str) -> [String; 2] {
        ["cells.csv", "frames.csv"].map(|name| fs::read_to_string(self.path(out).join(name)).unwrap())
    }

    /// Names of the pictures in a folder of results.
    fn pictures(&self, out: &str) -> Vec<OsString> {
        let entries = fs::read_dir(self.path(out)).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<_> = entries
            .filter(|p| p.extension().is_some_and(|e| e == "png"))
            .map(|p| p.file_name().unwrap().into())
            .collect();
        names.sort();
        names
    }
}

/// Dark disks on a light ground, as many as `count`.
fn smear(count: u32) -> RgbImage {
    RgbImage::from_fn(96, 64, |x, y| {
        let far = |index: u32| {
            let (cx, cy) = (f64::from(12 + index % 4 * 22), f64::from(14 + index / 4 * 24));
            (f64::from(x) + 0.5 - cx).hypot(f64::from(y) + 0.5 - cy)
        };
        let nearest = (0..count).map(far).fold(f64::INFINITY, f64::min);
        Rgb([if nearest < 6.0 { (nearest / 6.0 * 100.0) as u8 } else { 240 }, 200, 220])
    })
}

#[test]
fn merged_shards_equal_one_call_byte_for_byte() {
    let archive = Archive::new();
    for (pitch, flags) in [("px", vec![]), ("um", vec!["--um-per-px", "2"])] {
        let one = format!("one-{pitch}");
        assert_eq!(archive.segment(&one, &flags), 3);
        assert!(archive.tables(&one)[0].lines().count() > 6);
        for of in [1, 2, 3, 7] {
            let out = format!("{pitch}-{of}");
            let codes: Vec<i32> = (0..of)
                .map(|index| archive.segment(&out, &[&flags[..], &["--shard", &format!("{index}/{of}")]].concat()))
                .collect();
            assert!(codes.contains(&3), "{codes:?}");
            let (code, stderr) = archive.call(&["merge", &out]);
            assert_eq!(code, 3, "{stderr}");
            assert!(stderr.contains("2 of 8 pictures could not be used"), "{stderr}");
            assert_eq!(archive.tables(&one), archive.tables(&out), "{of} shards");
            assert_eq!(archive.pictures(&one), archive.pictures(&out));
        }
    }
}

#[test]
fn more_shards_than_pictures_in_separate_folders_merge() {
    let archive = Archive::new();
    for name in ["archive/broken.png", "archive/inner/z.png"] {
        fs::remove_file(archive.path(name)).unwrap();
    }
    assert_eq!(archive.segment("one", &[]), 0);
    let outs: Vec<String> = (0..9).map(|index| format!("machine-{index}")).collect();
    for (index, out) in outs.iter().enumerate() {
        assert_eq!(archive.segment(out, &["--shard", &format!("{index}/9")]), 0);
    }
    let named: Vec<&str> = outs.iter().map(String::as_str).rev().collect();
    let (code, stderr) = archive.call(&[&["merge"], &named[..]].concat());
    assert!(code == 2 && stderr.contains("--out"), "{stderr}");
    let (code, stderr) = archive.call(&[&["merge", "--out", "new/whole"], &named[..]].concat());
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(archive.tables("one"), archive.tables("new/whole"));
}

#[test]
fn archive_without_usable_pictures_has_no_tables() {
    let archive = Archive::new();
    let bad = ["archive/broken.png", "archive/inner/z.png", "--models", "models"];
    let segment = |more: &[&str]| archive.call(&[&["segment"], &bad[..], more].concat()).0;
    assert_eq!(segment(&["--out", "one"]), 3);
    assert_eq!([segment(&["--out", "cut", "--shard", "0/2"]), segment(&["--out", "cut", "--shard", "1/2"])], [3, 3]);
    assert_eq!(archive.call(&["merge", "cut"]).0, 3);
    assert!(!archive.path("one/cells.csv").exists() && !archive.path("cut/cells.csv").exists());
}

#[test]
fn shards_with_other_pictures_flags_or_models_are_refused() {
    let archive = Archive::new();
    archive.segment("out", &["--shard", "0/2"]);
    let refused = |words: &[&str]| {
        let (code, stderr) = archive.call(&["merge", "out"]);
        assert!(code == 3 && words.iter().all(|word| stderr.contains(word)), "{code}, {words:?}: {stderr}");
        assert!(!archive.path("out/cells.csv").exists());
    };
    refused(&["1/2", "missing"]);
    archive.segment("out", &["--shard", "1/2", "--any-quality"]);
    refused(&["--any-quality", "1-of-2"]);
    smear(3).save(archive.path("archive/x.png")).unwrap();
    archive.segment("out", &["--shard", "1/2"]);
    refused(&["list of pictures", "8 pictures", "9 pictures"]);
    fs::remove_file(archive.path("archive/x.png")).unwrap();
    let mut other = fixture::unet();
    other.manifest.cells.as_mut().unwrap().least_area_px += 1;
    let (text, _) = fixture::files(&other);
    let before = fs::read(archive.path("models/unet.toml")).unwrap();
    fs::write(archive.path("models/unet.toml"), text).unwrap();
    archive.segment("out", &["--shard", "1/2"]);
    refused(&["segmentation model"]);
    fs::write(archive.path("models/unet.toml"), before).unwrap();
    archive.segment("out", &["--shard", "1/2"]);
    // Another build of the same version.
    let mark = archive.path("out/shards/1-of-2/shard.json");
    let text = fs::read_to_string(&mark).unwrap();
    let version = concat!(env!("CARGO_PKG_VERSION"), "+");
    let (start, end) = text.split_once(version).unwrap();
    let (build, end) = end.split_at(16);
    assert!(build.bytes().all(|byte| byte.is_ascii_hexdigit()), "{build}");
    fs::write(&mark, format!("{start}{version}{}{end}", build.chars().rev().collect::<String>())).unwrap();
    refused(&["version of bloodseg", build]);
    fs::write(&mark, text).unwrap();
    let (_, stderr) = archive.call(&["merge", "out"]);
    assert!(stderr.contains("2 of 8 pictures"), "{stderr}");
}

#[test]
fn invalid_shard_arguments_are_refused() {
    let archive = Archive::new();
    for bad in ["2/2", "0/0", "-1/2", "1", "one/two"] {
        let (code, stderr) = archive.call(&["segment", "archive", "--out", "out", "--shard", bad]);
        assert!(code == 2 && stderr.contains("0/4 to 3/4"), "{bad}: {stderr}");
    }
    assert!(!archive.path("out").exists());
}

#[test]
fn rerun_shard_loses_its_mark_first() {
    let archive = Archive::new();
    archive.segment("out", &["--shard", "0/1"]);
    let folder = archive.path("out/shards/0-of-1");
    let again =
        ["segment", "archive", "--as-is", "--recursive", "--models", "models", "--out", "out", "--shard", "0/1"];
    // A refused list of pictures, and a missing model.
    fs::create_dir(archive.path("empty")).unwrap();
    assert_eq!(archive.call(&[&again[..], &["empty"]].concat()).0, 3);
    assert!(!folder.join("shard.json").exists() && folder.join("cells.csv").exists());
    archive.segment("out", &["--shard", "0/1"]);
    fs::rename(archive.path("models/ssr.onnx"), archive.path("ssr.onnx")).unwrap();
    assert_eq!(archive.call(&again).0, 4);
    assert!(!folder.join("shard.json").exists());
    fs::rename(archive.path("ssr.onnx"), archive.path("models/ssr.onnx")).unwrap();
    archive.segment("out", &["--shard", "0/1"]);
    // A table that cannot be moved into place.
    fs::remove_file(folder.join("cells.csv")).unwrap();
    fs::create_dir_all(folder.join("cells.csv/in-the-way")).unwrap();
    assert_eq!(archive.call(&again).0, 5);
    assert!(!folder.join("shard.json").exists());
    let (code, stderr) = archive.call(&["merge", "out"]);
    assert!(code == 3 && stderr.contains("not finished"), "{stderr}");
}

/// A file of the examples.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples").join(name)
}

/// A PATH where the examples find `bloodseg`: a wrapper that passes the models of the test, which know no scale.
fn path_with_bloodseg(archive: &Archive) -> OsString {
    let folder = archive.path("bin");
    fs::create_dir_all(&folder).unwrap();
    let wrapper = folder.join("bloodseg");
    let (binary, models) = (env!("CARGO_BIN_EXE_bloodseg"), archive.path("models"));
    let script = format!(
        "#!/bin/sh\nas_is=\nfor word; do [ \"$word\" = segment ] && as_is=--as-is; done\n\
         exec '{binary}' --models '{}' \"$@\" $as_is\n",
        models.display()
    );
    fs::write(&wrapper, script).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&wrapper).status().unwrap().success());
    let mut path = folder.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

#[test]
fn slurm_script_makes_the_tables_of_one_call() {
    let archive = Archive::new();
    archive.segment("one", &[]);
    let script = example("slurm/segment.sbatch");
    let text = fs::read_to_string(&script).unwrap();
    assert!(
        text.contains("#SBATCH --array=0-63\n") && text.contains("shards=${SHARDS:-64}\n"),
        "one number, two places"
    );
    let task = |index: &str, input: &str| {
        Command::new("bash")
            .arg(&script)
            .args([input, "out"])
            .current_dir(archive.0.path())
            .env("PATH", path_with_bloodseg(&archive))
            .envs([("SLURM_ARRAY_TASK_ID", index), ("SHARDS", "3")])
            .output()
            .unwrap()
    };
    for index in ["2", "0", "1"] {
        let output = task(index, "archive");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(archive.call(&["merge", "out"]).0, 3);
    assert_eq!(archive.tables("one"), archive.tables("out"));
    fs::create_dir(archive.path("empty")).unwrap();
    assert_eq!(task("0", "empty").status.code(), Some(3), "a task that does nothing fails, whatever was done before");
    fs::remove_dir_all(archive.path("out")).unwrap();
    assert_eq!(task("0", "nowhere").status.code(), Some(3), "a task without its archive fails");
}

/// Checks the job, including its number of shards, and prints the command of the pod with NUL after each word.
const READ_JOB: &str = r#"
import sys, yaml
job = yaml.safe_load(open(sys.argv[1]))
spec = job["spec"]
assert (job["apiVersion"], job["kind"], spec["completionMode"]) == ("batch/v1", "Job", "Indexed")
pod = spec["template"]["spec"]
(container,) = pod["containers"]
env = {e["name"]: e["value"] for e in container["env"]}
assert int(env["SHARDS"]) == spec["completions"], env
assert pod["restartPolicy"] == "Never"
names = {rule["onExitCodes"]["containerName"] for rule in spec["podFailurePolicy"]["rules"] if "onExitCodes" in rule}
assert names == {container["name"]}
assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
sys.stdout.write("".join(word + "\0" for word in container["command"]))
"#;

#[test]
fn kubernetes_job_makes_the_tables_of_one_call() {
    let pythons = [std::env::var_os("BLOODSEG_REFEREE_PYTHON"), Some("python3".into())];
    let has_yaml =
        |python: &OsString| Command::new(python).args(["-c", "import yaml"]).output().is_ok_and(|o| o.status.success());
    let Some(python) = pythons.into_iter().flatten().find(has_yaml) else {
        eprintln!("left out: no python here has the module yaml");
        return;
    };
    let archive = Archive::new();
    archive.segment("one", &[]);
    let read = Command::new(&python).args(["-c", READ_JOB]).arg(example("kubernetes/segment.yaml")).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let command = String::from_utf8(read.stdout).unwrap();
    let command: Vec<&str> = command.trim_end_matches('\0').split('\0').collect();
    let pod = |index: &str, input: &str| {
        Command::new(command[0])
            .args(&command[1..])
            .current_dir(archive.0.path())
            .env("PATH", path_with_bloodseg(&archive))
            .envs([("JOB_COMPLETION_INDEX", index), ("SHARDS", "3"), ("ARCHIVE", input), ("RESULTS", "out")])
            .output()
            .unwrap()
    };
    for index in ["1", "2", "0"] {
        let output = pod(index, "archive");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(archive.call(&["merge", "out"]).0, 3);
    assert_eq!(archive.tables("one"), archive.tables("out"));
    fs::create_dir(archive.path("empty")).unwrap();
    assert_eq!(pod("0", "empty").status.code(), Some(3), "a pod that does nothing fails, whatever was done before");
    assert_eq!(pod("0", "nowhere").status.code(), Some(3), "a pod without its archive fails");
}
