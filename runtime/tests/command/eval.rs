//! `bloodseg eval` and the evaluation behind it, on small fields made here and on the rendered fields of `data/`.
//! Where an answer must be known, the models are the fixture's: the foreground is where red is dark.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use bloodseg_tiny_models as fixture;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use bloodseg_evaluate::{
    crops::{self, CellCrops},
    evaluate,
    method::{Answer, Method, Methods},
    panel,
    set::FieldSet,
    worst_cells::{self, WorstCell},
};
use bloodseg_vision::{
    cells::Labels,
    error::{ErrorKind, Result},
    frame::resize::resize_rgb,
};
use image::{Luma, Rgb, RgbImage};
use serde_json::Value;
use tempfile::TempDir;

/// Writes fields of 512x512 with four square cells of 64 px (32 px at 256) each; returns the folder of the set.
fn small_set(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in ["img", "mask"] {
        std::fs::create_dir(folder.path().join(part)).unwrap();
    }
    for name in names {
        let mask = RgbImage::from_fn(512, 512, |x, y| Rgb([if in_cell(x, y) { 255 } else { 0 }; 3]));
        let picture = RgbImage::from_fn(512, 512, |x, y| {
            if in_cell(x, y) { Rgb([40, 90, 120]) } else { Rgb([225, 215, (220 + (x + y) % 20) as u8]) }
        });
        picture.save(folder.path().join("img").join(name)).unwrap();
        mask.save(folder.path().join("mask").join(name).with_extension("png")).unwrap();
    }
    folder
}

/// The fixture's models as files in `folder`.
fn write_models(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, draft) in [("ssr", fixture::ssr()), ("unet", fixture::unet())] {
        let (text, onnx) = fixture::files(&draft);
        std::fs::write(folder.join(name).with_extension("toml"), text).unwrap();
        std::fs::write(folder.join(name).with_extension("onnx"), onnx).unwrap();
    }
}

fn in_cell(x: u32, y: u32) -> bool {
    x < 256 && y < 256 && (32..96).contains(&(x % 128)) && (32..96).contains(&(y % 128))
}

/// Finds the first `found` of the four cells, each `narrow` columns too narrow; its picture is the enlarged input.
struct Fake {
    found: u16,
    narrow: u32,
}

impl Method for Fake {
    fn answer(&mut self, lr: &RgbImage) -> Result<Answer> {
        let labels = Labels::from_fn(256, 256, |x, y| {
            let number = (y / 64 * 2 + x / 64 + 1) as u16;
            let here = in_cell(2 * x, 2 * y) && in_cell(2 * (x + self.narrow), 2 * y);
            Luma([if here && number <= self.found { number } else { 0 }])
        });
        Ok(Answer { sr: resize_rgb(lr, 256, 256)?, labels })
    }
}

fn fakes(found: u16, float: Option<Fake>) -> Methods<'static> {
    Methods {
        model: Box::new(Fake { found, narrow: 0 }),
        bicubic: Box::new(Fake { found: 0, narrow: 0 }),
        float: float.map(|fake| Box::new(fake) as Box<dyn Method>),
    }
}

#[test]
fn finding_three_of_four_cells_scores_three_quarters() {
    let folder = small_set(&["b.png", "a.png"]);
    let set = FieldSet::open(folder.path()).unwrap();
    let mut seen = Vec::new();
    let report = evaluate(&set, &mut fakes(3, None), &mut |field, answers| {
        assert!(answers.float.is_none());
        seen.push((field.name.clone(), answers.model.sr.dimensions()));
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, [("a".to_owned(), (256, 256)), ("b".to_owned(), (256, 256))]);
    assert_eq!((report.fields, report.annotated_cells), (2, 8));
    assert_eq!((report.figures.true_cells, report.figures.predicted_cells), (8, 6));
    assert_eq!((report.figures.ap50, report.figures.count_error), (Some(0.75), Some(0.25)));
    assert_eq!((report.figures.recall, report.figures.precision), (Some(0.75), Some(1.0)));
    assert_eq!((report.bicubic.ap50, report.bicubic.recall), (Some(0.0), Some(0.0)));
    assert_eq!((report.perfect_mask.ap50, report.perfect_mask.psnr_db), (Some(1.0), None));
    assert_eq!(report.figures.psnr_db, report.bicubic.psnr_db);
    assert_eq!((report.float, report.drift), (None, None));
}

#[test]
fn drift_is_model_minus_float() {
    let folder = small_set(&["a.png"]);
    let set = FieldSet::open(folder.path()).unwrap();
    let float = Fake { found: 4, narrow: 2 };
    let mut float_cells = 0;
    let report = evaluate(&set, &mut fakes(3, Some(float)), &mut |_, answers| {
        let float = answers.float.as_ref().unwrap();
        float_cells = float.labels.as_raw().iter().copied().max().unwrap();
        Ok(())
    })
    .unwrap();
    assert_eq!(float_cells, 4);
    let drift = report.drift.unwrap();
    assert_eq!(report.per_field[0].drift, Some(drift), "of a set of one field");
    assert_eq!(drift.ap50, Some(-0.25));
    assert_eq!(drift.psnr_db, Some(0.0));
    assert_eq!(drift.area_px, Some(64.0)); // two columns of 32
    let dice = |both: f64, one: f64| 2.0 * both / (one + 4096.0);
    let expected = dice(3072.0, 3072.0) - dice(3840.0, 3840.0);
    assert!((drift.dice.unwrap() - expected).abs() < 1e-12);
}

/// Like [`Fake`], but paints the first cell black, which it is in no field.
struct Painter(Fake);

impl Method for Painter {
    fn answer(&mut self, lr: &RgbImage) -> Result<Answer> {
        let mut answer = self.0.answer(lr)?;
        for (pixel, label) in answer.sr.pixels_mut().zip(answer.labels.pixels()) {
            if label.0[0] == 1 {
                *pixel = Rgb([0; 3]);
            }
        }
        Ok(answer)
    }
}

#[test]
fn unsupported_cells_and_area_drift_are_reported() {
    let (folder, out) = (small_set(&["a.png", "b.png"]), tempfile::tempdir().unwrap());
    let set = FieldSet::open(folder.path()).unwrap();
    let mut methods = fakes(3, Some(Fake { found: 2, narrow: 2 }));
    methods.model = Box::new(Painter(Fake { found: 3, narrow: 0 }));
    let mut crops = CellCrops::begin(out.path().to_owned()).unwrap();
    let report = evaluate(&set, &mut methods, &mut |field, answers| crops.add(field, answers)).unwrap();
    crops.end().unwrap();

    for field in &report.per_field {
        assert_eq!(field.model.unsupported_cells, Some(1));
        assert_eq!(field.float.unwrap().unsupported_cells, Some(0));
        let drift = field.drift.unwrap();
        assert_eq!((drift.ap50, drift.area_px), (Some(0.25), Some(64.0)));
        assert!(drift.psnr_db.unwrap() < 0.0, "{drift:?}");
    }
    assert_eq!((report.figures.unsupported_cells, report.perfect_mask.unsupported_cells), (Some(2), None));

    let mut table = csv::Reader::from_path(out.path().join("cells.csv")).unwrap();
    assert_eq!(table.headers().unwrap().iter().collect::<Vec<_>>(), crops::COLUMNS);
    let rows: Vec<csv::StringRecord> = table.records().map(|row| row.unwrap()).collect();
    let listed = |at: usize| (&rows[at][1], &rows[at][9], &rows[at][10], rows[at][8].parse::<f64>().ok());
    // Columns 8 to 10: consistency_levels, supported, area_drift_px; 64 px are two columns of 32.
    for field in [0, 4] {
        assert!(matches!(listed(field), ("1", "false", "64", Some(levels)) if levels > 50.0), "{:?}", listed(field));
        assert!(
            matches!(listed(field + 1), ("2", "true", "64", Some(levels)) if levels < 10.0),
            "{:?}",
            listed(field + 1)
        );
        assert!(matches!(listed(field + 2), ("3", "true", "", Some(_))), "the twin does not find it");
        assert!(matches!(listed(field + 3), ("4", "", "", None)), "nobody finds it");
    }
}

#[test]
fn worst_cells_are_missed_ones_and_can_be_drawn() {
    let (folder, out) = (small_set(&["a.png", "b.png"]), tempfile::tempdir().unwrap());
    let set = FieldSet::open(folder.path()).unwrap();
    let mut methods = fakes(3, None);
    let report = evaluate(&set, &mut methods, &mut |_, _| Ok(())).unwrap();
    let listed: Vec<_> = report.worst_cells.iter().map(|cell| (cell.field.as_str(), cell.cell, cell.iou)).collect();
    assert_eq!(listed[..3], [("a", 4, 0.0), ("b", 4, 0.0), ("a", 1, 1.0)]);
    assert_eq!(listed.len(), 8, "there are no more");

    let folder = out.path().join("made");
    worst_cells::write(&set, methods.model.as_mut(), &report.worst_cells[..2], &folder).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["worst_cell_01.png", "worst_cell_02.png"]);
    let panel = image::open(folder.join("worst_cell_01.png")).unwrap().into_rgb8();
    let has = |colour: Rgb<u8>| panel.pixels().any(|pixel| *pixel == colour);
    assert!(has(panel::TRUE_OUTLINE) && !has(panel::PREDICTED_OUTLINE), "a missed cell has no prediction");

    let stranger = WorstCell { cell: 99, ..report.worst_cells[0].clone() };
    assert_eq!(
        worst_cells::write(&set, methods.model.as_mut(), &[stranger], &folder).unwrap_err().kind(),
        ErrorKind::Internal
    );
}

fn bloodseg(args: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bloodseg")).args(args.iter().map(|arg| arg.as_ref())).output().unwrap()
}

/// Runs `eval` with the fixture's models.
fn eval(folder: &Path, args: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    let models = tempfile::tempdir().unwrap();
    write_models(models.path());
    let fixed: [&dyn AsRef<std::ffi::OsStr>; 4] = [&"eval", &folder, &"--models", &models.path()];
    bloodseg(&[&fixed, args].concat())
}

fn report(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs `eval` on a folder that it must refuse; returns its message.
fn refusal(folder: &Path) -> String {
    let output = eval(folder, &[]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(output.stdout.is_empty() && !message.contains("panicked"), "{message}");
    message
}

#[test]
fn unusable_sets_are_refused_with_reason() {
    let set = small_set(&["a.png", "b.jpg"]);
    let at = |name: &str| set.path().join(name);
    assert!(refusal(&at("none")).contains("no such folder"));
    assert!(refusal(&at("img/a.png")).contains("a file"));
    assert!(refusal(&at("img")).contains("img/NAME.png"));

    std::fs::rename(at("mask/b.png"), at("b.png")).unwrap();
    let message = refusal(set.path());
    assert!(message.contains("mask/b.png") && message.contains("b.jpg"), "{message}");

    std::fs::write(at("mask/b.png"), &std::fs::read(at("b.png")).unwrap()[..40]).unwrap();
    assert!(refusal(set.path()).contains("mask/b.png"));

    RgbImage::new(511, 512).save(at("mask/b.png")).unwrap();
    let message = refusal(set.path());
    assert!(message.contains("511x512") && message.contains("512x512"), "{message}");

    std::fs::copy(at("img/a.png"), at("img/a.bmp")).unwrap();
    assert!(refusal(set.path()).contains("the same name"));

    for name in ["img/a.png", "img/a.bmp", "img/b.jpg"] {
        std::fs::remove_file(at(name)).unwrap();
    }
    std::fs::write(at("img/notes.txt"), "no picture").unwrap();
    assert!(refusal(set.path()).contains("without pictures"));

    RgbImage::new(255, 400).save(at("img/a.png")).unwrap();
    RgbImage::new(255, 400).save(at("mask/a.png")).unwrap();
    assert!(refusal(set.path()).contains("255x400"));
}

#[test]
fn folder_above_splits_is_refused_with_hint() {
    let above = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(above.path().join("val_tmp/img")).unwrap();
    assert!(refusal(above.path()).contains("val_tmp"));
}

#[test]
fn all_visible_cells_are_found() {
    let set = small_set(&["a.png", "b.png"]);
    let report = report(&eval(set.path(), &[&"--json"]));
    let figures = &report["figures"];
    assert_eq!((&figures["true_cells"], &figures["predicted_cells"]), (&8.into(), &8.into()));
    assert_eq!((&figures["ap50"], &figures["count_error"]), (&1.0.into(), &0.0.into()));
    assert_eq!((&figures["dice"], &figures["iou"]), (&1.0.into(), &1.0.into()));
    assert_eq!((&report["fields"], &report["annotated_cells"]), (&2.into(), &8.into()));
    assert!(report["float"].is_null() && report["drift"].is_null());
    // Repeating pixels adds nothing that the camera did not see.
    assert_eq!(figures["consistency_levels"], 0.0);
    assert_eq!(figures["cell_consistency_levels"], 0.0);
}

#[test]
fn pictures_and_cell_table_agree_with_figures() {
    let (set, out) = (small_set(&["a.png", "b.jpg", "c.png"]), tempfile::tempdir().unwrap());
    // A cell that the picture does not show, and one that the mask lacks.
    let mut mask = image::open(set.path().join("mask/a.png")).unwrap().to_rgb8();
    for (x, y) in (300..360).flat_map(|x| (300..360).map(move |y| (x, y))) {
        mask.put_pixel(x, y, Rgb([255; 3]));
    }
    for (x, y) in (32..96).flat_map(|x| (32..96).map(move |y| (x, y))) {
        mask.put_pixel(x, y, Rgb([0; 3]));
    }
    mask.save(set.path().join("mask/a.png")).unwrap();

    let (worst, cells) = (out.path().join("worst"), out.path().join("cells"));
    let report = report(&eval(set.path(), &[&"--json", &"--out", &worst, &"--worst", &"2", &"--cells", &cells]));
    assert_eq!(report["per_field"][0]["model"]["ap50"], 0.6);
    assert_eq!(report["figures"]["ap50"], 11.0 / 13.0);

    let pictures: Vec<PathBuf> = std::fs::read_dir(&worst).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(pictures.len(), 2 + 10);
    let found = &report["worst_cells"][0];
    assert_eq!((&found["field"], &found["cell"], &found["iou"]), (&"a".into(), &4.into(), &0.0.into()));
    assert_eq!((&found["true_area_px"], &found["matched"]), (&900.into(), &false.into()));
    for place in 1..=10 {
        let picture = image::open(worst.join(format!("worst_cell_{place:02}.png"))).unwrap();
        let edge_px = if place == 1 { 30 + 12 } else { 32 + 12 };
        assert_eq!((picture.width(), picture.height()), (4 * 8 * edge_px, 8 * edge_px), "{place}");
    }
    assert_eq!(image::image_dimensions(worst.join("worst_01_a.png")).unwrap(), (2048, 512));

    let mut table = csv::Reader::from_path(cells.join("cells.csv")).unwrap();
    let headers = table.headers().unwrap().clone();
    let at = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let rows: Vec<csv::StringRecord> = table.records().map(|row| row.unwrap()).collect();
    assert_eq!(rows.len(), 12);
    for row in &rows {
        assert!(cells.join(&row[at("picture")]).is_file());
        let hidden = &row[at("field")] == "a" && &row[at("cell")] == "4";
        assert_eq!(&row[at("matched")] == "true", !hidden, "{row:?}");
        let (area, found) = if hidden { ("900", "0") } else { ("1024", "1024") };
        assert_eq!(&row[at("true_area_px")], area, "{row:?}");
        if &row[at("field")] != "b" {
            assert_eq!(&row[at("predicted_area_px")], found, "{row:?}");
        }
        assert_eq!(&row[at("true_diameter_px")], if hidden { "33.85" } else { "36.11" });
        let own = if hidden { ("", "") } else { ("0.00", "true") };
        assert_eq!((&row[at("consistency_levels")], &row[at("supported")]), own, "{row:?}");
        assert_eq!(&row[at("area_drift_px")], "", "there are no float twins");
    }
}

#[test]
fn float_twins_beside_the_models_are_found() {
    let (set, models) = (small_set(&["a.png"]), tempfile::tempdir().unwrap());
    write_models(models.path());
    write_models(&models.path().join("float"));
    let report = report(&bloodseg(&[&"eval", &set.path(), &"--models", &models.path(), &"--json"]));
    assert_eq!(report["float"], report["figures"]);
    for name in ["psnr_db", "dice", "ap50", "area_px"] {
        assert_eq!(report["drift"][name], 0.0, "{name}");
        assert_eq!(report["per_field"][0]["drift"][name], 0.0, "{name}");
    }
}

#[test]
fn table_has_fields_and_baselines() {
    let set = small_set(&["first.png", "second.jpg"]);
    let output = eval(set.path(), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in ["first", "second"] {
        let lines = text.lines().filter(|line| line.split("  ").next().unwrap().trim() == name);
        assert_eq!(lines.count(), 2, "{name}: its figures, and its honesty, in\n{text}");
    }
    for start in ["honesty", "all", "mean", "PSNR dB", "SSIM", "AP50", "PQ", "count error"] {
        let lines = text.lines().filter(|line| line.split("  ").next() == Some(start));
        assert_eq!(lines.count(), 1, "{start} in\n{text}");
    }
    assert!(text.contains("bicubic") && text.contains("perfect mask"), "{text}");
}

#[test]
fn blurred_field_is_not_counted_without_any_quality() {
    let set = small_set(&["a.png", "b.png"]);
    let blurred = image::imageops::blur(&image::open(set.path().join("img/b.png")).unwrap().to_rgb8(), 24.0);
    blurred.save(set.path().join("img/b.png")).unwrap();
    let gated = report(&eval(set.path(), &[&"--json"]));
    let verdicts = [0, 1].map(|field| gated["per_field"][field]["quality"]["verdict"].clone());
    assert_eq!(verdicts, ["good", "out_of_focus"]);
    assert_eq!(gated["per_field"][1]["model"]["predicted_cells"], 0);
    assert_eq!(gated["figures"]["count_error"], 0.5);
    let any = report(&eval(set.path(), &[&"--json", &"--any-quality"]));
    assert!(any["per_field"][1]["model"]["predicted_cells"].as_u64() > Some(0));
    assert_eq!(any["per_field"][1]["quality"], gated["per_field"][1]["quality"]);
    let text = String::from_utf8(eval(set.path(), &[]).stdout).unwrap();
    assert!(text.lines().any(|line| line.starts_with("b ") && line.ends_with("out of focus")), "{text}");
    assert!(text.lines().any(|line| line.starts_with("mean") && line.ends_with("1 good")), "{text}");
}

#[test]
fn robustness_has_table_and_json_rows() {
    let set = small_set(&["a.png"]);
    let text = String::from_utf8(eval(set.path(), &[&"--robustness"]).stdout).unwrap();
    for start in ["none", "blur", "noise", "under-exposure", "over-exposure", "JPEG", "colour cast", "pale stain"] {
        assert_eq!(text.lines().filter(|line| line.starts_with(start)).count(), 1, "{start} in\n{text}");
    }
    let plain = report(&eval(set.path(), &[&"--json"]));
    let report = report(&eval(set.path(), &[&"--json", &"--robustness"]));
    let rows = report["robustness"].as_array().unwrap();
    assert_eq!(rows.len(), 33);
    assert!(rows[0]["disturbance"].is_null());
    assert_eq!((&rows[4]["disturbance"], &rows[4]["strength"]), (&"blur".into(), &2.0.into()));
    assert_eq!(rows[32]["disturbance"], "magnification");
    for name in ["dice", "ap50", "pq", "count_error"] {
        assert_eq!(rows[0]["gated"][name], report["figures"][name], "{name}");
    }
    assert_eq!(plain["figures"], report["figures"]);
    assert!(plain.get("robustness").is_none());
}

#[test]
fn pans_have_table_and_json_and_exclude_robustness() {
    let set = small_set(&["a.png"]);
    let text = String::from_utf8(eval(set.path(), &[&"--pans"]).stdout).unwrap();
    for start in ["pans", "cells counted", "counted twice", "left out", "new frames taken for old", "wrongly placed"] {
        assert_eq!(text.lines().filter(|line| line.starts_with(start)).count(), 1, "{start} in\n{text}");
    }
    // A window as large as the only field stands still.
    let pans = report(&eval(set.path(), &[&"--json", &"--pans"]));
    assert_eq!((&pans["fields"], &pans["frames"], &pans["new_frames"]), (&1.into(), &30.into(), &1.into()));
    assert_eq!((&pans["counted_twice"], &pans["new_called_old"]), (&0.into(), &0.into()));
    assert_eq!(pans["overlaps"][3]["found"], 29);
    assert!(pans["counted"].as_u64() > Some(0) && pans["cells"].as_u64() > pans["counted"].as_u64());
    let both = eval(set.path(), &[&"--pans", &"--robustness"]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn missing_float_models_are_a_model_error() {
    let set = small_set(&["a.png"]);
    let output = eval(set.path(), &[&"--float-models", &set.path().join("none")]);
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn unwritable_results_are_an_output_error() {
    let set = small_set(&["a.png"]);
    let file = set.path().join("img/a.png");
    for flag in ["--out", "--cells"] {
        let output = eval(set.path(), &[&flag, &file.join("inside")]);
        assert_eq!(output.status.code(), Some(5), "{flag}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Only trained models can pass this; skipped in a tree without them.
#[test]
fn trained_models_beat_bicubic_on_rendered_fields() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if !root.join("models/ssr.onnx").is_file() {
        println!("skipped: no trained models in models/");
        return;
    }
    let report = report(&bloodseg(&[&"eval", &root.join("data/synth"), &"--json"]));
    let figure = |of: &str, name: &str| report[of][name].as_f64().unwrap_or_else(|| panic!("{of}.{name} in {report}"));
    let fields = report["per_field"].as_array().unwrap();
    assert_eq!(fields.len(), 10);
    let mean = |name: &str| {
        fields.iter().map(|field| field["model"][name].as_f64().unwrap()).sum::<f64>() / fields.len() as f64
    };
    for name in ["psnr_db", "ssim", "precision", "recall", "dice", "iou", "count_error", "consistency_levels"] {
        assert!((figure("figures", name) - mean(name)).abs() < 1e-9, "{name}");
    }
    for name in ["psnr_db", "ssim"] {
        assert!(figure("figures", name) > figure("bicubic", name), "{name} in {report}");
    }
    for name in ["reference_cell_dice", "reference_cell_iou", "ap50", "pq", "cell_consistency_levels"] {
        figure("figures", name);
    }
}
