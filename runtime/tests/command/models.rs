//! `bloodseg models` through the command line, from a key pair to automatic rollback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use bloodseg_tiny_models as fixture;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use bloodseg_bundles::{
    bundle::{accept::accept, file, signature::Keys},
    slots::Slots,
};
use image::{Rgb, RgbImage};

struct Bench(tempfile::TempDir);

impl Bench {
    /// A folder with the models of the fixture in `models/`, and keys `a` and `b`.
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.put_models("models", "1", &fixture::unet());
        for key in ["a", "b"] {
            bench.succeed(&["models", "keygen", "--out", key]);
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put_models(&self, folder: &str, version: &str, unet: &fixture::Draft) {
        fs::create_dir_all(self.path(folder)).unwrap();
        for (name, draft) in [("ssr", &fixture::ssr()), ("unet", unet)] {
            let mut draft = draft.clone();
            draft.manifest.version = version.into();
            let (text, onnx) = fixture::files(&draft);
            fs::write(self.path(folder).join(name).with_extension("toml"), text).unwrap();
            fs::write(self.path(folder).join(name).with_extension("onnx"), onnx).unwrap();
        }
    }

    /// Packs models of a version, signed with the key `a`, and returns the bundle's name.
    fn pack(&self, version: &str) -> String {
        self.put_models("models", version, &fixture::unet());
        let bundle = format!("{version}.bloodseg");
        self.succeed(&["models", "pack", "models", "--out", &bundle, "--key", "a.key"]);
        bundle
    }

    fn call(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bloodseg"));
        command.current_dir(self.0.path()).env_remove("RUST_LOG").args(args).output().unwrap()
    }

    fn succeed(&self, args: &[&str]) -> String {
        let output = self.call(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// The message of a call that must fail with this exit code.
    fn refuse(&self, code: i32, args: &[&str]) -> String {
        let output = self.call(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stderr)
    }

    fn install(&self, version: &str) {
        let bundle = self.pack(version);
        self.succeed(&["models", "install", &bundle, "--slots", "slots", "--key", "a.pub"]);
    }

    fn list(&self) -> serde_json::Value {
        serde_json::from_str(&self.succeed(&["models", "list", "--slots", "slots", "--json"])).unwrap()
    }

    /// State of each place in words.
    fn states(&self) -> [String; 3] {
        let list = self.list();
        [0, 1, 2].map(|at| list["slots"][at]["state"].as_str().unwrap().to_owned())
    }

    /// A folder of frames that can be counted.
    fn frames(&self, count: usize) {
        fs::create_dir_all(self.path("frames")).unwrap();
        for at in 0..count {
            self.smear(at).save(self.path(&format!("frames/{at:03}.png"))).unwrap();
        }
    }

    fn smear(&self, at: usize) -> RgbImage {
        RgbImage::from_fn(64, 64, |x, y| {
            let far = [(16.0, 16.0), (44.0, 20.0), (28.0 + at as f64 / 10.0, 46.0)]
                .map(|(cx, cy): (f64, f64)| (f64::from(x) + 0.5 - cx).hypot(f64::from(y) + 0.5 - cy));
            let nearest = far.into_iter().fold(f64::INFINITY, f64::min);
            Rgb([if nearest < 6.0 { (nearest / 6.0 * 100.0) as u8 } else { 240 }, 200, 220])
        })
    }

    fn run(&self) -> Output {
        self.call(&["run", "frames", "--slots", "slots", "--out", "out", "--as-is"])
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn bundle_lifecycle_from_pack_to_rollback() {
    let bench = Bench::new();
    bench.install("1");
    bench.install("2");
    let list = bench.list();
    assert_eq!((list["active"].as_str(), list["trial_starts"].as_u64()), (Some("a"), Some(0)));
    assert_eq!(list["slots"][0]["unet_version"], "2");
    let public = fs::read_to_string(bench.path("a.pub")).unwrap();
    assert!(public.contains(list["slots"][0]["key_id"].as_str().unwrap()));
    let table = bench.succeed(&["models", "list", "--slots", "slots"]);
    assert!(table.contains("on trial (0 of 3 starts)") && table.contains("empty"), "{table}");

    let verified = bench.succeed(&["models", "verify", "--slots", "slots", "--key", "a.pub"]);
    assert!(verified.contains("a         ok, signed by key"), "{verified}");
    assert!(bench.refuse(4, &["models", "verify", "--slots", "slots", "--key", "b.pub"]).contains("not among"));
    bench.succeed(&["models", "verify", "1.bloodseg", "--key", "a.pub"]);

    assert!(bench.succeed(&["models", "rollback", "--slots", "slots"]).contains("built-in"));
    assert!(bench.states()[0].contains("rolled back by hand"), "{:?}", bench.states());
    assert!(bench.refuse(4, &["models", "rollback", "--slots", "slots"]).contains("built-in"));
}

#[test]
fn bundle_without_trusted_signature_needs_unsigned_flag() {
    let bench = Bench::new();
    let bundle = bench.pack("1");
    let refuse = |code, more: &[&str]| {
        let message = bench.refuse(code, &[&["models", "install", &bundle, "--slots", "slots"], more].concat());
        assert!(!bench.path("slots").exists(), "{message}");
        message
    };
    assert!(refuse(4, &[]).contains("no trusted keys"));
    assert!(refuse(4, &["--key", "b.pub"]).contains("not among the trusted keys"));
    assert!(refuse(6, &["--key", "a.key"]).contains("not a minisign public key"));
    assert!(refuse(3, &["--key", "none.pub"]).contains("none.pub"));
    fs::remove_file(bench.path("1.bloodseg.minisig")).unwrap();
    assert!(refuse(4, &["--key", "a.pub"]).contains("no signature"));
    bench.succeed(&["models", "install", &bundle, "--slots", "slots", "--unsigned"]);
    assert_eq!(bench.list()["slots"][0]["key_id"], serde_json::Value::Null);
    assert!(bench.succeed(&["models", "verify", "--slots", "slots"]).contains("ok, unsigned"));
}

#[test]
fn keys_and_slots_can_come_from_config() {
    let bench = Bench::new();
    let bundle = bench.pack("1");
    let public = fs::read_to_string(bench.path("a.pub")).unwrap();
    let key = public.lines().nth(1).unwrap();
    fs::write(bench.path("keys.toml"), format!("[models]\nslots = \"slots\"\nkeys = [\"{key}\"]\n")).unwrap();
    bench.succeed(&["models", "install", &bundle, "--config", "keys.toml"]);
    fs::write(bench.path("file.toml"), "[models]\nslots = \"slots\"\nkey_file = \"a.pub\"\n").unwrap();
    bench.succeed(&["models", "verify", "--config", "file.toml"]);
    fs::write(bench.path("bad.toml"), "[models]\nslots = \"slots\"\nkeys = [\"RWx\"]\n").unwrap();
    assert!(bench.refuse(6, &["models", "verify", "--config", "bad.toml"]).contains("models.keys"));
    assert!(bench.refuse(2, &["models", "list"]).contains("--slots"));
}

#[test]
fn keys_are_never_replaced_and_secret_is_private() {
    let bench = Bench::new();
    let before = fs::read(bench.path("a.key")).unwrap();
    assert!(bench.refuse(5, &["models", "keygen", "--out", "a"]).contains("never overwritten"));
    fs::remove_file(bench.path("a.pub")).unwrap();
    assert!(bench.refuse(5, &["models", "keygen", "--out", "a"]).contains("never overwritten"));
    assert_eq!(fs::read(bench.path("a.key")).unwrap(), before);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(bench.path("a.key")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn wrong_large_or_damaged_models_are_not_installed() {
    let bench = Bench::new();
    bench.install("1");
    let before = bench.list();
    let mut other = fixture::unet();
    other.manifest.golden.seed += 1;
    bench.put_models("models", "2", &other);
    bench.succeed(&["models", "pack", "models", "--out", "2.bloodseg", "--key", "a.key"]);
    let install = ["models", "install", "2.bloodseg", "--slots", "slots", "--key", "a.pub"];
    assert!(bench.refuse(4, &install).contains("golden output"));

    let bundle = bench.pack("3");
    for (total_mib, code, wanted) in [(0.25, 4, "for weights and maps"), (2.0, 6, "packed weights")] {
        fs::write(bench.path("small.toml"), format!("[budget]\ntotal_mib = {total_mib}\n")).unwrap();
        let config = ["--config", "small.toml", "--slots", "slots", "--key", "a.pub"];
        let message = bench.refuse(code, &[&["models", "install", bundle.as_str()], config.as_slice()].concat());
        assert!(message.contains(wanted), "{message}");
    }
    let mut spoiled = fs::read(bench.path(&bundle)).unwrap();
    spoiled[300] ^= 1;
    fs::write(bench.path("4.bloodseg"), spoiled).unwrap();
    let message = bench.refuse(4, &["models", "install", "4.bloodseg", "--slots", "slots", "--unsigned"]);
    assert!(message.contains("SHA-256"), "{message}");
    assert_eq!(bench.list(), before);
}

#[test]
fn run_confirms_models_and_rolls_back_damaged_ones() {
    let bench = Bench::new();
    bench.frames(22);
    bench.install("1");
    let output = bench.run();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(bench.states()[0], "active", "{}", text(&output.stdout));

    // The second is damaged in its slot after it was installed: the run starts with the first, and reports it.
    bench.install("2");
    let mut bytes = fs::read(bench.path("slots/b.bloodseg")).unwrap();
    bytes[300] ^= 1;
    fs::write(bench.path("slots/b.bloodseg"), bytes).unwrap();
    let output = bench.run();
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("rolled back from the installed models"), "{}", text(&output.stderr));
    let states = bench.states();
    assert!(states[0] == "active" && states[1].contains("damaged"), "{states:?}");
}

#[test]
fn wrong_golden_outputs_are_rolled_back_at_start() {
    let bench = Bench::new();
    bench.frames(1);
    bench.install("1");
    bench.succeed(&["run", "frames", "--slots", "slots", "--out", "out"]);
    // Directly into the slot, bypassing the command, which would have run the golden inputs.
    let mut other = fixture::unet();
    other.manifest.golden.seed += 1;
    bench.put_models("models", "2", &other);
    bench.succeed(&["models", "pack", "models", "--out", "2.bloodseg"]);
    let bytes = file::read(&bench.path("2.bloodseg")).unwrap();
    let accepted = accept(bytes, None, &Keys::default(), true, "test").unwrap();
    Slots::open(&bench.path("slots")).install(&accepted).unwrap();
    let output = bench.run();
    assert!(output.status.success(), "{}", text(&output.stderr));
    // The first was never confirmed: one frame is too few.
    let states = bench.states();
    assert!(states[0].contains("golden output") && states[2] == "active", "{states:?}");
    assert!(bench.succeed(&["models", "list", "--slots", "slots"]).contains("rolled back "));
}

#[test]
fn bundle_carries_only_a_validation_of_its_models() {
    let bench = Bench::new();
    bench.frames(22);
    bench.put_models("models", "1", &fixture::unet());
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/validation/whole.json");
    let mut validation: serde_json::Value = serde_json::from_slice(&fs::read(corpus).unwrap()).unwrap();
    let sha256 = |name: &str| bloodseg_vision::digest::sha256(&fs::read(bench.path("models").join(name)).unwrap());
    validation["agreement"]["validated"] = serde_json::json!({ "low": 0.0, "high": 1000.0 });
    let write =
        |name: &str, validation: &serde_json::Value| fs::write(bench.path(name), validation.to_string()).unwrap();
    validation["models_sha256"] = vec!["0"; 2].into();
    write("other.json", &validation);
    validation["models_sha256"] = [sha256("ssr.onnx"), sha256("unet.onnx")].to_vec().into();
    write("own.json", &validation);
    write("none.json", &serde_json::json!({}));

    let pack = ["models", "pack", "models", "--key", "a.key", "--out", "1.bloodseg"];
    let pack_with = |file| [pack.as_slice(), &["--validation", file]].concat();
    assert!(bench.refuse(4, &pack_with("other.json")).contains("a validation of other models"));
    bench.refuse(4, &pack_with("none.json"));
    bench.refuse(3, &pack_with("missing.json"));
    assert!(!bench.path("1.bloodseg").exists());
    // Bypasses the command, which would have refused it.
    let forged = file::pack_folder(&bench.path("models"), Some(&fs::read_to_string(bench.path("other.json")).unwrap()));
    fs::write(bench.path("forged.bloodseg"), forged.unwrap().0).unwrap();
    let install = ["models", "install", "--slots", "slots", "--key", "a.pub"];
    let message = bench.refuse(4, &[install.as_slice(), &["forged.bloodseg", "--unsigned"]].concat());
    assert!(message.contains("a validation of other models"), "{message}");

    bench.succeed(&pack_with("own.json"));
    let installed = bench.succeed(&[install.as_slice(), &["1.bloodseg"]].concat());
    assert!(installed.contains("counts   corrected by a validation on "), "{installed}");
    let ran = text(&bench.run().stdout);
    assert!(ran.contains("count    corrected: "), "{ran}");
    let segment = ["segment", "frames", "--slots", "slots", "--as-is", "--no-pictures", "--force", "--out", "s"];
    assert!(bench.succeed(&segment).contains("\ncorrected: "));
    // What the user names takes precedence.
    let named = bench.succeed(&[segment.as_slice(), &["--correct", "other.json"]].concat());
    assert!(named.contains("not corrected: the validation is for other models"), "{named}");
    let summary: serde_json::Value = serde_json::from_slice(&fs::read(bench.path("s/summary.json")).unwrap()).unwrap();
    assert!(summary["corrected"]["refused"].is_string(), "{summary}");
}

#[test]
fn three_killed_runs_end_the_trial() {
    let bench = Bench::new();
    bench.frames(2);
    bench.install("1");
    // A run that ends normally, with too few frames, does not change the trial.
    assert!(bench.run().status.success());
    assert!(bench.states()[0].contains("0 of 3"), "{:?}", bench.states());
    for _ in 0..3 {
        // It never ends by itself.
        let mut run = Command::new(env!("CARGO_BIN_EXE_bloodseg"))
            .current_dir(bench.0.path())
            .args(["run", "frames", "--repeat", "--fps", "1", "--slots", "slots", "--out", "out"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Its first line is printed once the models are loaded.
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(run.stdout.as_mut().unwrap()), &mut line).unwrap();
        run.kill().unwrap();
        run.wait().unwrap();
    }
    assert!(bench.states()[0].contains("3 of 3"), "{:?}", bench.states());
    let output = bench.run();
    let states = bench.states();
    assert!(states[0].contains("3 starts without") && states[2] == "active", "{states:?}");
    assert!(text(&output.stderr).contains("built-in"), "{}", text(&output.stderr));
}

#[test]
fn keys_and_signatures_interoperate_with_minisign() {
    let Ok(version) = Command::new("minisign").arg("-v").output() else {
        eprintln!("skipped: the tool minisign is not installed");
        return;
    };
    assert!(version.status.success());
    let bench = Bench::new();
    let bundle = bench.pack("1");
    let minisign = |args: &[&str]| {
        let output = Command::new("minisign").current_dir(bench.0.path()).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    };
    let install = |key: &str| bench.succeed(&["models", "install", &bundle, "--slots", "slots", "--key", key]);
    // Ours, by the tool.
    minisign(&["-V", "-m", &bundle, "-p", "a.pub"]);
    fs::remove_file(bench.path("1.bloodseg.minisig")).unwrap();
    // The tool's signature with our key, and with its own.
    minisign(&["-S", "-m", &bundle, "-s", "a.key"]);
    install("a.pub");
    minisign(&["-G", "-W", "-p", "tool.pub", "-s", "tool.key"]);
    minisign(&["-S", "-m", &bundle, "-s", "tool.key"]);
    install("tool.pub");
    // Ours with the tool's key.
    bench.succeed(&["models", "pack", "models", "--out", &bundle, "--key", "tool.key"]);
    minisign(&["-V", "-m", &bundle, "-p", "tool.pub"]);
    assert!(Path::new(&bench.path("1.bloodseg.minisig")).is_file());
}
