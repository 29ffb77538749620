//! `bloodseg report`: the command, and the page that it writes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bloodseg_clock::SystemClock;
use bloodseg_records::{
    frame_record::FrameRecord,
    keeper::{Keeper, Kept},
    run_info::{ModelInfo, RunInfo},
    store::retention::Retention,
};
use bloodseg_vision::{
    cells::{Cell, Counts, Labels, outline::Outlines},
    frame::quality::{Quality, Verdict},
    pipeline::StageTimes,
    placement::{PitchSource, Scaled},
    support::CellConsistency,
};
use image::{Luma, Rgb, RgbImage};

fn output(args: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bloodseg"));
    command.args(args).current_dir(folder).env_remove("RUST_LOG").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn done(args: &[&str], folder: &Path) -> String {
    let output = output(args, folder);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn report(folder: &Path, more: &[&str]) -> String {
    done(&[&["report", "--from", "r", "--out", "page.html", "--force"], more].concat(), folder);
    fs::read_to_string(folder.join("page.html")).unwrap()
}

/// Whether the models of the repository are missing; tests that need them are then skipped.
fn no_models() -> bool {
    let missing = !Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/unet.onnx").is_file();
    if missing {
        eprintln!("skipped: no models in models/");
    }
    missing
}

/// The value beside a name in the tables of pairs.
fn value<'a>(page: &'a str, name: &str) -> &'a str {
    let start = format!("<th scope=\"row\">{name}</th><td>");
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no {name}"));
    rest.split_once("</td>").unwrap().0
}

/// The numbers of the row with this name in the table of measures.
fn measures(page: &str, name: &str) -> Vec<f64> {
    let (_, rest) = page.split_once(&format!("<th scope=\"row\">{name}</th>")).unwrap_or_else(|| panic!("no {name}"));
    let row = rest.split_once("</tr>").unwrap().0;
    row.split("<td class=\"n\">").skip(1).map(|cell| cell.trim_end_matches("</td>").parse().unwrap()).collect()
}

/// The page is complete and loads nothing else.
fn assert_self_contained(page: &str) {
    for foreign in ["http://", "https://", "<script", "src=", "url(", "@import", "<link", "<iframe", "javascript:"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let own = page.matches("href=").count();
    assert_eq!(own, page.matches("href=\"data:image/png;base64,").count(), "pictures are in the page");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    for tag in ["table", "figure", "svg", "section", "td", "th", "details", "div", "p"] {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    // Without the base64 of the pictures.
    let words: String =
        page.split("base64,").map(|part| part.split_once('"').map_or(part, |(_, after)| after)).collect();
    assert!(!words.contains("NaN") && !words.contains(">inf"), "every number is one");
}

/// The columns of a CSV, by their names.
fn columns(csv: &str) -> BTreeMap<String, Vec<String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let mut columns: BTreeMap<String, Vec<String>> = names.iter().map(|name| (name.clone(), vec![])).collect();
    for row in reader.records() {
        for (name, value) in names.iter().zip(row.unwrap().iter()) {
            columns.get_mut(name).unwrap().push(value.to_owned());
        }
    }
    columns
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = share * (values.len() - 1) as f64;
    let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

fn near(found: f64, wanted: f64, by: f64) {
    assert!((found - wanted).abs() <= by, "{found}, expected {wanted}");
}

#[test]
fn report_agrees_with_export() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = ["run", "demo", "--frames", "4", "--fps", "4", "--save-every", "1", "--out", "r", "--quiet"];
    done(&run, folder.path());
    let page = report(folder.path(), &[]);
    assert_self_contained(&page);
    assert!(page.contains("<h1>Run 1 of demo</h1>") && page.contains("Ended "), "title and end");

    let cells = columns(&done(&["export", "--from", "r", "--format", "csv"], folder.path()));
    let frames = columns(&done(&["export", "--from", "r", "--format", "csv", "--table", "frames"], folder.path()));
    let numbers = |values: &[String]| values.iter().map(|value| value.parse().unwrap()).collect::<Vec<f64>>();
    let count = cells["cell"].len();
    assert!(count > 10);
    assert_eq!(value(&page, "Cells in all frames"), count.to_string());
    let new: f64 = numbers(&frames["new_cells"]).iter().sum();
    assert_eq!(value(&page, "Cells"), new.to_string(), "each once");
    assert_eq!(value(&page, "Frames recorded"), format!("{0}, numbers 1 to {0}", frames["frame"].len()));
    let mut a_frame = numbers(&frames["cells"]);
    near(value(&page, "Cells per counted frame, mean").parse().unwrap(), count as f64 / a_frame.len() as f64, 0.005);
    near(value(&page, "Cells per counted frame, median").parse().unwrap(), quantile(&mut a_frame, 0.5), 0.05);

    let measured: Vec<bool> = cells["touches_border"]
        .iter()
        .zip(&cells["supported"])
        .map(|(cut, supported)| cut == "false" && supported == "true")
        .collect();
    for (name, column, by) in
        [("diameter in µm", "equivalent_diameter_um", 0.006), ("circularity", "circularity", 0.0011)]
    {
        let all = numbers(&cells[column]);
        let mut values: Vec<f64> =
            all.iter().zip(&measured).filter(|(_, measured)| **measured).map(|(value, _)| *value).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let [n, found_mean, sd, median, p5, p95, least, greatest] = measures(&page, name)[..] else { panic!() };
        assert_eq!(n as usize, values.len());
        near(found_mean, mean, by);
        near(sd, (squares / (values.len() - 1) as f64).sqrt(), by);
        for (found, share) in [(median, 0.5), (p5, 0.05), (p95, 0.95), (least, 0.0), (greatest, 1.0)] {
            near(found, quantile(&mut values, share), by);
        }
    }
    assert!(page.contains("the simulation") && page.contains("super-resolution") && page.contains("segmentation"));
    assert!(page.contains("Typical: closest") && page.contains("Unusual: furthest") && page.contains(", median is "));
    assert!(page.matches("data:image/png").count() > 12);
}

#[test]
fn report_is_reproducible_and_needs_force_to_overwrite() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    done(&["run", "demo", "--frames", "2", "--fps", "4", "--out", "r", "--quiet"], folder.path());
    let printed = done(&["report", "1", "--from", "r"], folder.path());
    assert!(printed.contains("report-1.html: run 1, 2 frames"), "{printed}");
    let first = fs::read(folder.path().join("report-1.html")).unwrap();
    let again = output(&["report", "--from", "r"], folder.path());
    assert_eq!(again.status.code(), Some(5));
    assert!(text(&again.stderr).contains("--force"), "{}", text(&again.stderr));
    done(&["report", "latest", "--from", "r/records.sqlite", "--force", "--quiet"], folder.path());
    assert_eq!(fs::read(folder.path().join("report-1.html")).unwrap(), first);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "no half a file is left: {names:?}");
    let folder_there = output(&["report", "--from", "r", "--out", "r", "--force"], folder.path());
    assert_eq!(folder_there.status.code(), Some(5));
}

/// A run in the records, without an analysis.
struct Made {
    keeper: Keeper,
    um_per_px: Option<f64>,
    folder: tempfile::TempDir,
}

fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_368_600)
}

impl Made {
    fn begin(name: &str, um_per_px: Option<f64>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keeper = keeper(folder.path(), name, um_per_px);
        Self { keeper, um_per_px, folder }
    }

    /// Records a frame with `cells` square cells of 4 x 4 pixels, the last of 8 x 8; with its pictures if `pictures`.
    fn frame(&mut self, number: u64, name: &str, cells: u16, pictures: bool) {
        let labels = Labels::from_fn(120, 40, |x, y| {
            let label = y / 10 * 12 + x / 10 + 1;
            let side = if label == u32::from(cells) { 8 } else { 4 };
            let inside = (1..=side).contains(&(x % 10)) && (1..=side).contains(&(y % 10));
            Luma([if inside && label <= u32::from(cells) { label as u16 } else { 0 }])
        });
        let consistency = CellConsistency { levels: 1.0, offset_levels: 0.0, input_px: 4.0 };
        let cell = |label: u16| {
            let side = if label == cells { 8.0 } else { 4.0 };
            Cell {
                label,
                x_px: f64::from((label - 1) % 12) * 10.0 + 1.0 + side / 2.0,
                y_px: f64::from((label - 1) / 12) * 10.0 + 1.0 + side / 2.0,
                area_px: (side * side) as u32,
                equivalent_diameter_px: (4.0 * side * side / std::f64::consts::PI).sqrt(),
                perimeter_px: 4.0 * side,
                circularity: std::f64::consts::FRAC_PI_4,
                eccentricity: 0.0,
                touches_border: label == 1,
                confidence: 0.75,
                consistency,
                kind: Default::default(),
                kind_thousandths: 0,
            }
        };
        let cells: Vec<Cell> = (1..=cells).map(cell).collect();
        let mut outlines = Outlines::default();
        outlines.trace(&labels, &cells);
        let verdict = if cells.is_empty() { Verdict::Empty } else { Verdict::Good };
        let record = FrameRecord {
            number,
            name: name.to_owned().into(),
            stem: name.to_owned(),
            at: noon() + Duration::from_secs(number),
            quality: Quality { verdict, sharpness: Some(0.5), contrast_levels: 4.5, ..Quality::default() },
            counted: !cells.is_empty(),
            times: StageTimes::default(),
            tiles: 1,
            dropped: 3,
            size_px: labels.dimensions(),
            scaled: Scaled::as_it_is(self.um_per_px, PitchSource::Given),
            analysed_px: u64::from(labels.width() / 4 * (labels.height() / 4)),
            counts: Counts::of(&cells, false),
            sample: None,
            field: None,
            seen: vec![],
            cells,
            outlines,
        };
        assert_eq!(self.keeper.keep(&record), Kept::Durable);
        if pictures {
            let at = |suffix: &str| self.folder.path().join(format!("r/{name}{suffix}"));
            labels.save(at(".labels.png")).unwrap();
            RgbImage::from_pixel(120, 40, Rgb([200, 150, 150])).save(at(".sr.png")).unwrap();
        }
    }
}

fn keeper(folder: &Path, name: &str, um_per_px: Option<f64>) -> Keeper {
    let model = ModelInfo { role: "unet".into(), name: name.into(), version: name.into(), sha256: "ab12".into() };
    let run = RunInfo {
        mark: RunInfo::new_mark(),
        source: name.into(),
        description: name.into(),
        started: noon(),
        um_per_px,
        pitch_from: if um_per_px.is_some() { name.into() } else { String::new() },
        software: name.into(),
        models: vec![model],
        notes: name.into(),
    };
    let retention = Retention { most_bytes: 64 << 20, most_age_ms: None, oldest_make_room: false };
    Keeper::open(&folder.join("r"), &run, &retention, Arc::new(SystemClock::start())).unwrap()
}

#[test]
fn hostile_names_are_escaped() {
    let hostile = "<script src=\"//evil\">alert('1')</script>&\u{202e}\u{7}";
    let mut made = Made::begin(hostile, Some(2.0));
    made.keeper.event(hostile, hostile);
    made.frame(1, "../../<b>", 5, false);
    made.frame(2, "</style><img onerror=x>", 5, false);
    made.keeper.end(hostile, 0);
    let page = report(made.folder.path(), &[]);
    for markup in ["<script", "<b>", "<img", "</style><", "evil\">", "\u{202e}", "\u{7}", "src=\""] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.matches("&lt;script src=&quot;//evil&quot;&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;").count() >= 8);
    assert_eq!(page.matches("default-src 'none'").count(), 1);
}

#[test]
fn empty_and_ongoing_runs_have_a_report() {
    let mut made = Made::begin("camera0", None);
    let page = report(made.folder.path(), &[]);
    assert_self_contained(&page);
    assert!(
        page.contains("No frame of this run was recorded")
            && page.contains("the run is still going, or was interrupted")
    );
    assert!(page.contains("No frame was recorded") && page.contains("No such cell was recorded"));
    assert_eq!(value(&page, "Cells in all frames"), "0");
    // A frame without cells and then one with cells, while the keeper has the records open.
    made.frame(1, "a", 0, false);
    let page = report(made.folder.path(), &[]);
    assert!(page.contains("contrast 4.5 to 4.5") && page.contains("contrast below 5.5 levels"), "a reason");
    made.frame(2, "b", 12, false);
    let page = report(made.folder.path(), &[]);
    assert_self_contained(&page);
    assert_eq!((value(&page, "Cells"), value(&page, "Frames dropped before analysis")), ("12", "3"));
    assert_eq!(value(&page, "Frames whose cells were counted"), "1 (50.0 %)");
}

#[test]
fn missing_calibration_and_pictures_are_stated() {
    let mut made = Made::begin("camera0", None);
    made.frame(1, "a", 12, false);
    made.keeper.end("enough frames", 0);
    let page = report(made.folder.path(), &[]);
    assert_self_contained(&page);
    assert!(page.contains("The pitch is unknown: lengths are in pixels") && !page.contains("µm</"), "said plainly");
    assert_eq!(measures(&page, "diameter in px")[..1], [11.0], "the one at the edge is not measured");
    assert!(page.contains("No pictures of this run's 1 frame were kept"));
    assert!(!page.contains("data:image"));
    assert!(page.contains(": enough frames.</p>"));
}

#[test]
fn cells_are_only_cut_from_pictures_of_the_run() {
    let mut made = Made::begin("camera0", Some(2.0));
    made.frame(1, "a", 30, true);
    made.frame(2, "b", 30, false);
    let page = report(made.folder.path(), &[]);
    assert_self_contained(&page);
    assert_eq!(page.matches("data:image/png").count(), 24 + 1, "cells, and a row with its picture");
    assert!(page.contains("Chosen from the 1 frame of 2 frames"));
    // 9.03 px of half a micrometre among many of 4.51 px.
    assert!(page.contains("diameter 4.5 µm, median is 2.3"), "the odd one has its reason");
    // The pictures are replaced by those of another run, and then by an invalid file.
    Labels::new(120, 40).save(made.folder.path().join("r/a.labels.png")).unwrap();
    let page = report(made.folder.path(), &[]);
    assert!(page.contains("24 cells are not shown") && !page.contains("data:image"));
    fs::write(made.folder.path().join("r/a.sr.png"), "no picture").unwrap();
    assert!(report(made.folder.path(), &["--quiet"]).contains("24 cells are not shown"));
}

#[test]
fn recurring_cell_is_shown_once() {
    // Frame and cell numbers of the cells that are shown.
    let shown = |page: &str| -> Vec<(String, String)> {
        let rest = page.split("<small>frame ").skip(1);
        rest.map(|rest| {
            let (frame, rest) = rest.split_once(", cell ").unwrap();
            (frame.to_owned(), rest.split_once(';').unwrap().0.to_owned())
        })
        .collect()
    };
    // A folder that is replayed: each time the pictures replace the earlier ones.
    let mut made = Made::begin("folder", Some(2.0));
    for number in 1..=6 {
        made.frame(number, "a", 30, true);
    }
    let page = report(made.folder.path(), &[]);
    assert!(page.contains("Chosen from the 1 frame of 6 frames"), "the pictures are of one frame");
    let cells = shown(&page);
    assert!(cells.len() == 24 && cells.iter().all(|(frame, _)| frame == "6"), "{cells:?}");
    // Copies of a picture under other names.
    for (number, name) in [(7, "b"), (8, "c")] {
        made.frame(number, name, 30, true);
    }
    let page = report(made.folder.path(), &[]);
    assert!(page.contains("Chosen from the 3 frames of 8 frames"));
    let cells = shown(&page).into_iter().map(|(_, cell)| cell).collect::<Vec<_>>();
    let different = cells.iter().collect::<std::collections::BTreeSet<_>>();
    assert!(cells.len() > 12 && different.len() == cells.len(), "{cells:?}");
}

#[test]
fn events_are_capped_and_the_rest_is_counted() {
    let mut made = Made::begin("camera0", None);
    for number in 0..205 {
        made.keeper.event("state", &format!("degraded, number {number}."));
    }
    let page = report(made.folder.path(), &[]);
    assert!(page.contains("The latest 200 of 205: 5 earlier events are not listed."));
    assert!(!page.contains("number 4.") && page.contains("number 5.") && page.contains("number 204."));
}

#[test]
fn missing_run_is_reported_with_existing_ones() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |args: &[&str], code: i32, wanted: &str| {
        let output = output(&[&["report"], args].concat(), folder.path());
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert!(text(&output.stderr).contains(wanted), "{}", text(&output.stderr));
    };
    refused(&[], 3, "no folder with records");
    refused(&["--from", "none"], 3, "no such file or folder");
    for _ in 0..2 {
        keeper(folder.path(), "camera0", None).end("enough frames", 0);
    }
    refused(&["9", "--from", "r"], 3, "no run 9; expected one of 1, 2");
    refused(&["0", "--from", "r"], 2, "the number of a run, or `latest`");
    refused(&["--from", "r", "--out", "none/page.html"], 5, "none/page.html");
    assert!(report(folder.path(), &[]).contains("<h1>Run 2 of camera0</h1>"));
    assert!(report(folder.path(), &["1"]).contains("<h1>Run 1 of camera0</h1>"));
    assert!(report(folder.path(), &["last"]).contains("<h1>Run 2 of camera0</h1>"));
}
