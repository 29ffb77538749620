//! `bloodseg bench`: its keys and what must be true of its figures on any machine. No time is judged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fixture;

use std::process::{Command, Output};

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
fn json_has_every_key_and_its_figures_agree() {
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
    // The binary counts its heap: what lives is no more than the peak, and a tile needs tensors.
    assert!(of("live_heap_bytes") <= of("peak_heap_bytes"));
    assert!(of("peak_heap_bytes") > 256.0 * 256.0 * 3.0);
    assert!(of("allocations_per_tile") >= 1.0);
    if cfg!(target_os = "linux") {
        assert!(of("peak_rss_kib") > 1024.0);
    }
}

#[test]
fn the_table_names_every_stage() {
    let output = bench(&["--tiles", "1", "--seconds", "1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["ssr", "unet", "cells", "pipeline", "tiles per second", "peak heap", "allocations per tile"] {
        assert!(text.contains(word), "{word} in\n{text}");
    }
    assert!(!text.contains("unknown") || !cfg!(target_os = "linux"), "{text}");
}

#[test]
fn senseless_efforts_are_refused() {
    for args in [["--tiles", "0"], ["--seconds", "0"], ["--tiles", "many"]] {
        assert_eq!(bench(&args).status.code(), Some(2));
    }
}
