//! `bloodseg bench`: its keys, and what holds for its figures on any machine. Times are not judged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bloodseg_tiny_models as fixture;

use std::{
    collections::BTreeSet,
    process::{Command, Output},
};

use serde_json::Value;

/// Runs `bench` with the fixture's models.
fn bench(args: &[&str]) -> Output {
    let models = tempfile::tempdir().unwrap();
    for (name, draft) in [("ssr", fixture::ssr()), ("unet", fixture::unet())] {
        let (text, onnx) = fixture::files(&draft);
        std::fs::write(models.path().join(name).with_extension("toml"), text).unwrap();
        std::fs::write(models.path().join(name).with_extension("onnx"), onnx).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_bloodseg"));
    command.args(["bench", "--models"]).arg(models.path()).args(args).output().unwrap()
}

#[test]
fn json_has_all_keys_and_consistent_figures() {
    let output = bench(&["--json", "--tiles", "4", "--seconds", "600"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let figure = |value: &Value, name: &str| value[name].as_f64().unwrap_or_else(|| panic!("{name} in {report}"));
    let of = |name: &str| figure(&report, name);
    for stage in ["ssr", "unet", "cells", "pipeline"] {
        let times = &report["stages"][stage];
        let (median, p95, max) = (figure(times, "median_ms"), figure(times, "p95_ms"), figure(times, "max_ms"));
        assert!(0.0 < median && median <= p95 && p95 <= max && max <= figure(times, "total_ms"), "{times}");
        assert_eq!(times["runs"], 4);
    }
    for (key, stage) in [("ssr_ms", "ssr"), ("unet_ms", "unet"), ("cells_ms", "cells")] {
        assert_eq!(report[key], report["stages"][stage]["median_ms"]);
    }
    let pipeline_ms = figure(&report["stages"]["pipeline"], "total_ms");
    assert!((of("tiles_per_s") - 4e3 / pipeline_ms).abs() < 1e-6);
    let steps = report["stages"]["steps"].as_object().unwrap();
    let names = ["specimen", "judge", "ssr", "normalise", "unet", "tiling", "split", "consistency", "measure", "rest"];
    assert_eq!(steps.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(names));
    let steps_ms: f64 = steps.values().map(|times| figure(times, "total_ms")).sum();
    assert!(steps_ms <= pipeline_ms && steps_ms > 0.5 * pipeline_ms, "{steps_ms} of {pipeline_ms}");
    // The binary counts its heap: live bytes are at most the peak, and a tile needs tensors.
    assert!(of("live_heap_bytes") <= of("peak_heap_bytes"));
    assert!(of("peak_heap_bytes") > 256.0 * 256.0 * 3.0);
    assert!(of("allocations_per_tile") >= 1.0);
    assert!(of("arena_bytes") > 0.0 && of("arena_bytes") < 3.0 * 1048576.0 && of("weight_bytes") > 0.0);
    assert!(of("ssr_body_ms") > 0.0 && report["kernel"].is_string());
    assert_eq!(report["stock_nodes"], serde_json::json!([]));
    if cfg!(target_os = "linux") {
        assert!(of("peak_rss_kib") > 1024.0);
    }
}

#[test]
fn table_names_every_stage() {
    let output = bench(&["--tiles", "1", "--seconds", "1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["ssr", "unet", "cells", "pipeline", "tiles per second", "peak heap", "allocations per tile"] {
        assert!(text.contains(word), "{word} in\n{text}");
    }
    assert!(!text.contains("unknown") || !cfg!(target_os = "linux"), "{text}");
}

#[test]
fn invalid_limits_are_refused() {
    for args in [["--tiles", "0"], ["--seconds", "0"], ["--tiles", "many"]] {
        assert_eq!(bench(&args).status.code(), Some(2));
    }
}

#[test]
fn kernel_can_be_chosen_and_unknown_ones_are_refused() {
    let effort = ["--json", "--tiles", "1", "--seconds", "1", "--kernel"];
    let run = |kernel: &str| bench(&[&effort[..], &[kernel]].concat());
    let report: Value = serde_json::from_slice(&run("portable").stdout).unwrap();
    assert_eq!((&report["kernel"], &report["stock_nodes"]), (&"portable".into(), &serde_json::json!([])));
    let unknown = run("abacus");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("portable"));
    let stock: Value = serde_json::from_slice(&run("stock").stdout).unwrap();
    assert!(stock["stock_nodes"].as_array().is_some_and(|nodes| !nodes.is_empty()) && stock["kernel"] == "stock");
}

/// `bloodseg` with a config file of this text.
fn with_config(text: &str, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("c.toml");
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bloodseg"));
    command.arg("--config").arg(config).args(args).current_dir(folder.path()).output().unwrap()
}

#[test]
fn budget_is_sum_of_its_lines_and_refuses_runs_that_exceed_it() {
    let output = with_config("", &["budget", "--json", "--frame", "100x70"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let lines = report["lines"].as_array().unwrap();
    for what in ["packed weights", "arenas", "queued frames", "steps of an analysis", "program and built-in models"] {
        let line = lines.iter().find(|line| line["what"] == what).unwrap_or_else(|| panic!("{what} in {report}"));
        assert!(line["bytes"].as_u64().unwrap() > 0, "{line}");
    }
    let table = with_config("", &["budget"]);
    let table = lines_of(&table.stdout);
    let (total, parts) = table.split_last().unwrap();
    assert_eq!(total.0, "total", "{table:?}");
    // Each line is rounded down or up.
    let sum: u64 = parts.iter().map(|(_, kib)| kib).sum();
    assert!(parts.len() > 10 && sum.abs_diff(total.1) <= parts.len() as u64, "{table:?}");

    let refused = with_config("[budget]\ntotal_mib = 2.5", &["run", "demo", "--frames", "1"]);
    assert_eq!(refused.status.code(), Some(6));
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.contains("total_mib = 2.5") && message.contains("program and built-in models"), "{message}");
    let enough = with_config("[budget]\ntotal_mib = 900.0\nthreads = 1", &["run", "demo", "--frames", "1"]);
    assert!(enough.status.success(), "{}", String::from_utf8_lossy(&enough.stderr));
}

/// Lines of a memory table: name and KiB.
fn lines_of(text: &[u8]) -> Vec<(String, u64)> {
    let text = String::from_utf8_lossy(text);
    let line = |line: &str| {
        let (what, _) = line.split_once(" KiB  ")?;
        let (what, kib) = what.rsplit_once(' ')?;
        Some((what.trim_end().to_owned(), kib.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

#[test]
fn budget_doctor_and_run_agree_on_memory() {
    // Commands hold slightly different bytes, such as their arguments: a measured line may round to another KiB.
    const SLACK_KIB: u64 = 2;
    let pictures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/synth/img");
    let sources =
        [("plain", String::from("kind = \"demo\"")), ("folder", format!("kind = \"folder\"\npath = {pictures:?}"))];
    for mib in ["2.5", "130.0"] {
        for (name, source) in &sources {
            let config = format!("[budget]\ntotal_mib = {mib}\n[source.{name}]\n{source}\n");
            let budget = with_config(&config, &["budget", name]);
            let of_budget = lines_of(&budget.stdout);
            let (last, total_kib) =
                of_budget.last().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&budget.stderr)));
            assert_eq!(last, "total", "{of_budget:?}");
            let doctor = with_config(&config, &["doctor"]);
            let doctor = String::from_utf8([doctor.stdout, doctor.stderr].concat()).unwrap();
            let (named, other) = (format!("{name}: a run needs "), "a run needs ");
            let need =
                doctor.split_once(&named).or_else(|| doctor.split_once(other)).unwrap_or_else(|| panic!("{doctor}"));
            let need_mib: f64 = need.1.split(' ').next().unwrap().parse().unwrap();
            // Printed with one decimal.
            let slack_mib = 0.051 + SLACK_KIB as f64 / 1024.0;
            assert!((need_mib - *total_kib as f64 / 1024.0).abs() < slack_mib, "{total_kib} KiB, {doctor}");
            let run = with_config(&config, &["run", name, "--frames", "1"]);
            if run.status.code() == Some(6) {
                let of_run = lines_of(&run.stderr);
                assert_eq!(of_run.len(), of_budget.len(), "{of_run:?}, {of_budget:?}");
                for (run, budget) in of_run.iter().zip(&of_budget) {
                    assert_eq!(run.0, budget.0, "{name} {mib}");
                    assert!(run.1.abs_diff(budget.1) <= SLACK_KIB, "{name} {mib}: {run:?}, {budget:?}");
                }
            } else {
                assert_eq!(budget.status.code(), Some(0), "{name} {mib}");
            }
        }
    }
}
