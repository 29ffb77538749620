//! The heap limit, and the budget that it is computed from.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::{env, hint::black_box, path::Path, process::Command};

use bloodseg::memory::{
    budget::{Budget, Outside},
    counting::{self, Counting, heap},
};
use bloodseg_vision::{engine::Setup, model::store::Models, overlay::Base, pictures, pipeline::Pipeline};
use image::imageops;

#[global_allocator]
static HEAP: Counting = Counting;

/// Set only in the child processes.
const CHILD: &str = "BLOODSEG_TEST_HEAP_LIMIT";

/// Largest accepted ratio of the estimated to the actual heap of a run.
const TOLERANCE: f64 = 1.5;

fn child(what: &str) -> Option<std::process::Output> {
    if env::var(CHILD).is_ok_and(|value| value == what) {
        return None;
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([what, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, what);
    Some(command.output().unwrap())
}

#[test]
fn overrun_aborts_with_message() {
    let Some(done) = child("overrun_aborts_with_message") else {
        counting::limit(heap().unwrap().live_bytes + (4 << 20));
        let within = black_box(vec![1_u8; 3 << 20]);
        eprintln!("within the limit");
        let beyond = black_box(vec![1_u8; 2 << 20]);
        panic!("{} bytes were given", within.len() + beyond.len());
    };
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(stderr.contains("within the limit"), "{stderr}");
    let line = stderr.lines().find(|line| line.starts_with("bloodseg: out of memory: ")).expect(&stderr);
    assert!(line.contains("2097152 bytes wanted") && line.contains("budget.total_mib"), "{line}");
    #[cfg(unix)]
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&done.status), Some(6), "SIGABRT: {stderr}");
}

#[test]
fn budget_bounds_peak_heap_closely() {
    let name = "budget_bounds_peak_heap_closely";
    // In a separate process, because the heap is counted per process.
    if let Some(done) = child(name) {
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(
            done.status.success() && stderr.contains("reckoned"),
            "{stderr}{}",
            String::from_utf8_lossy(&done.stdout)
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let models = Models::embedded().unwrap();
    let field = bloodseg_smear::set::field(1, 1, 512).picture;
    for ((width, height), threads) in [((64, 64), 1), ((100, 66), 2)] {
        let frames: Vec<_> = (0..3).map(|_| imageops::thumbnail(&field, width, height)).collect();
        let mut pipeline = Pipeline::load_with(&models, &Setup::default(), threads).unwrap();
        let budget = Budget::of(&mut pipeline, [width, height], Outside::default()).unwrap();
        // The tightest limit: a run that takes more aborts here.
        let before = heap().unwrap();
        counting::limit(budget.heap_bytes() as usize);
        counting::restart_peak();
        for frame in &frames {
            let analysis = pipeline.analyse(frame).unwrap();
            pictures::write(folder.path(), "a", analysis, Base::default()).unwrap();
        }
        let peak = heap().unwrap().peak_bytes as f64;
        counting::limit(usize::MAX);
        let reckoned = budget.heap_bytes() as f64;
        eprintln!("{width}x{height}: reckoned {reckoned}, taken {peak}, before {}\n{budget}", before.live_bytes);
        assert!(peak <= reckoned && reckoned <= TOLERANCE * peak, "{reckoned} and {peak}");
        let line = |what: &str| budget.lines.iter().find(|line| line.what == what).expect(what).bytes;
        assert_eq!(line("analysis while it runs"), 0);
        assert!(line("everything else that is kept") > 0 && line("steps of an analysis") > 0, "{budget}");
    }
}

#[test]
fn run_over_budget_is_refused_with_table() {
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/unet.onnx").is_file() {
        eprintln!("skipped: no models in models/");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |total_mib: u32| {
        std::fs::write(folder.path().join("c.toml"), format!("[budget]\ntotal_mib = {total_mib}\n")).unwrap();
        let args = ["--config", "c.toml", "run", "demo", "--frames", "2", "--out", "r"];
        Command::new(env!("CARGO_BIN_EXE_bloodseg")).args(args).current_dir(folder.path()).output().unwrap()
    };
    let refused = run(9);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(6), "{stderr}");
    for line in ["budget.total_mib = 9", "packed weights", "source of frames", "records (SQLite)", "total "] {
        assert!(stderr.contains(line), "{line}: {stderr}");
    }
    assert!(refused.stdout.is_empty() && !folder.path().join("r").exists(), "something was started");
    // A debug binary is large; the limit applies anyway, and the run stays below it.
    let done = run(1000);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn run_fits_into_its_reported_budget() {
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/unet.onnx").is_file() {
        eprintln!("skipped: no models in models/");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |total_mib: f64| {
        std::fs::write(folder.path().join("c.toml"), format!("[budget]\ntotal_mib = {total_mib}\n")).unwrap();
        // No more frames than the queue of the records holds: a slow disk loses none.
        let args =
            ["--config", "c.toml", "run", "demo", "--frames", "8", "--fps", "5", "--save-every", "5", "--out", "r"];
        Command::new(env!("CARGO_BIN_EXE_bloodseg")).args(args).current_dir(folder.path()).output().unwrap()
    };
    let refusal = String::from_utf8_lossy(&run(1.0).stderr).into_owned();
    let needed = refusal.split("the run needs ").nth(1).and_then(|rest| rest.split(' ').next()).expect("the need");
    // Reported to a tenth of a MiB.
    let done = run(needed.parse::<f64>().unwrap() + 0.1);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("8 frames captured"));
}

#[test]
fn folder_budget_uses_largest_picture() {
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/unet.onnx").is_file() {
        eprintln!("skipped: no models in models/");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let field = bloodseg_smear::set::field(1, 1, 512).picture;
    std::fs::create_dir(folder.path().join("frames")).unwrap();
    let save = |name: &str, width, height| {
        imageops::thumbnail(&field, width, height).save(folder.path().join("frames").join(name)).unwrap();
    };
    let run = |total_mib: f64| {
        std::fs::write(folder.path().join("c.toml"), format!("[budget]\ntotal_mib = {total_mib}\n")).unwrap();
        let args = ["--config", "c.toml", "run", "frames", "--as-is", "--any-quality", "--http", "off", "--out", "r"];
        Command::new(env!("CARGO_BIN_EXE_bloodseg")).args(args).current_dir(folder.path()).output().unwrap()
    };
    let need = || -> f64 {
        let refusal = String::from_utf8_lossy(&run(1.0).stderr).into_owned();
        let need = refusal.split("the run needs ").nth(1).and_then(|rest| rest.split(' ').next()).expect(&refusal);
        need.parse().unwrap()
    };
    save("a.png", 64, 64);
    let of_tiles = need();
    save("b.jpg", 300, 200);
    save("c.png", 80, 80);
    let of_largest = need();
    assert!(of_largest > of_tiles + 4.0, "{of_tiles} and {of_largest} MiB");
    assert_eq!(run(of_tiles + 0.1).status.code(), Some(6));
    assert!(!folder.path().join("r").exists(), "something was started");
    let done = run(of_largest + 0.1);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("3 frames captured = 3 analysed"));
}
