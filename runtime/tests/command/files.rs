//! Files as found in practice: truncated, of unusual formats, of equal names, already there, left by dead processes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::segment::{Answer, Bench, smear};

fn case(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)).unwrap()
}

/// Columns `image` and `cells` of frames.csv in a folder.
fn rows(folder: &Path) -> Vec<(String, String)> {
    let mut table = csv::Reader::from_path(folder.join("frames.csv")).unwrap();
    let heads = table.headers().unwrap().clone();
    let at = |name: &str| heads.iter().position(|head| head == name).unwrap();
    let (image, cells) = (at("image"), at("cells"));
    table.records().map(|row| row.unwrap()).map(|row| (row[image].to_owned(), row[cells].to_owned())).collect()
}

fn names(folder: &Path) -> Vec<String> {
    rows(folder).into_iter().map(|(name, _)| name).collect()
}

impl Bench {
    fn case(&self, name: &str) {
        self.write(name, &case(&format!("cases/{name}")));
    }

    fn out(&self) -> PathBuf {
        self.path("out")
    }
}

#[test]
fn truncated_jpeg_is_refused_by_every_command() {
    let bench = Bench::new();
    bench.write("in/half.jpg", &case("cases/truncated-half.jpg"));
    bench.write("in/whole.jpg", &case("jpeg/baseline-420.jpg"));
    let whole = case("jpeg/baseline-420.jpg");
    bench.write("in/unended.jpg", &whole[..whole.len() - 2]);
    for flags in [&[][..], &["--whole-field"]] {
        let answer = bench.segment(&[&["in"], flags].concat());
        answer.refused(3, &["half.jpg: a truncated picture", "unended.jpg: JPEG without end marker"]);
        assert_eq!(names(&bench.out()), ["unended.jpg", "whole.jpg"]);
    }
    let run = bench.call(&["run", "in", "--models", "models", "--out", "r", "--http", "off"]);
    run.refused(3, &["half.jpg: a truncated picture", "1 of 3 pictures"]);
    assert_eq!(names(&bench.path("r")), ["unended.jpg", "whole.jpg"]);
    bench.write("set/img/a.jpg", &whole[..whole.len() / 2]);
    bench.picture("set/mask/a.png", &smear(150, 120, &[]));
    bench.call(&["eval", "set", "--models", "models"]).refused(3, &["a.jpg: a truncated picture"]);
}

#[test]
fn every_tiff_page_is_a_picture_but_thumbnails_are_not() {
    let bench = Bench::new();
    bench.case("five-pages.tif");
    bench.case("thumb-first.tif");
    let answer = bench.segment(&["five-pages.tif", "thumb-first.tif", "--any-quality"]);
    answer.done();
    let pages = ["five-pages.tif", "five-pages.tif#2", "five-pages.tif#3", "five-pages.tif#4", "five-pages.tif#5"];
    assert_eq!(names(&bench.out()), [&pages[..], &["thumb-first.tif"]].concat());
    for stem in ["five-pages", "five-pages#2", "five-pages#5", "thumb-first"] {
        let sr = image::open(bench.out().join(format!("{stem}.sr.png"))).unwrap();
        assert_eq!((sr.width(), sr.height()), (256, 256), "{stem}");
    }
    bench.write("in/five-pages.tif", &case("cases/five-pages.tif"));
    let flags = ["--models", "models", "--out", "r", "--http", "off", "--as-is", "--save-every", "1"];
    bench.call(&[&["run", "in"], &flags[..]].concat()).done();
    assert_eq!(names(&bench.path("r")), pages);
    assert!(["five-pages", "five-pages#5"].iter().all(|stem| bench.path("r").join(format!("{stem}.sr.png")).is_file()));
}

#[test]
fn unsupported_formats_are_reported_with_a_remedy() {
    let bench = Bench::new();
    for name in ["bigtiff.tif", "exif6.jpg", "f32.tif", "jpeg12.jpg", "u12in16.tif", "u14in16.tif"] {
        bench.case(name);
    }
    bench.segment(&["bigtiff.tif", "--any-quality"]).done();
    bench.segment(&["f32.tif"]).refused(3, &["floating-point samples of 32 bit", "8 or 16 bit"]);
    bench.segment(&["jpeg12.jpg"]).refused(3, &["a 12-bit JPEG"]);
    bench.segment(&["u12in16.tif"]).refused(3, &["of 65535: looks like 12 bit", "--bits 12"]);
    bench.segment(&["u14in16.tif"]).refused(3, &["of 65535: looks like 14 bit", "--bits 14"]);
    bench.segment(&["u14in16.tif", "--bits", "12"]).refused(3, &["samples reach", "at most 4095"]);
    for (name, bits) in [("u12in16.tif", "12"), ("u14in16.tif", "14"), ("u12in16.tif", "16")] {
        bench.segment(&[name, "--bits", bits, "--any-quality"]).done();
    }
    bench.write("in/a.tif", &case("cases/u12in16.tif"));
    let run = |flags: &[&str]| {
        bench.call(&[&["run", "in", "--models", "models", "--out", "r", "--http", "off"], flags].concat())
    };
    run(&[]).refused(3, &["--bits 12"]);
    run(&["--bits", "12"]).done();
}

#[test]
fn exif_orientation_is_applied() {
    let bench = Bench::new();
    let lying = image::load_from_memory(&case("cases/exif6.jpg")).unwrap();
    bench.case("exif6.jpg");
    bench.segment(&["exif6.jpg", "--any-quality"]).done();
    let sr = image::open(bench.out().join("exif6.sr.png")).unwrap();
    assert_eq!((sr.width(), sr.height()), (4 * lying.height(), 4 * lying.width()));
}

#[test]
fn pictures_with_equal_names_do_not_overwrite_each_other() {
    let bench = Bench::new();
    let (one, two) = (smear(64, 64, &[(20.0, 20.0)]), smear(64, 64, &[(20.0, 20.0), (44.0, 40.0)]));
    bench.picture("in/slide1/0001.png", &one);
    bench.picture("in/slide2/0001.png", &two);
    bench.picture("in/slide2/0001.bmp", &two);
    bench.write("in/._0001.png", b"what a Mac leaves");
    bench.segment(&["in", "--recursive"]).done();
    assert_eq!(names(&bench.out()), ["slide1/0001.png", "slide2/0001.bmp", "slide2/0001.png"]);
    for stem in ["slide1/0001", "slide2/0001.png", "slide2/0001.bmp"] {
        assert!(bench.out().join(format!("{stem}.labels.png")).is_file(), "{stem}");
    }
    let run = ["run", "in/slide2", "--models", "models", "--out", "r", "--http", "off", "--save-every", "1"];
    bench.call(&run).done();
    for stem in ["0001.png", "0001.bmp"] {
        assert!(bench.path("r").join(format!("{stem}.labels.png")).is_file(), "{stem}");
    }
    bench.write("in/._0001.png", &case("jpeg/baseline-420.jpg"));
    bench.segment(&["in/._0001.png", "--any-quality"]).done();
}

#[test]
fn second_call_never_loses_a_table() {
    let bench = Bench::new();
    for name in ["a.png", "b.png", "c.png"] {
        bench.picture(name, &smear(64, 64, &[(20.0, 20.0)]));
    }
    bench.segment_once(&["a.png"]).done();
    let before = std::fs::read(bench.out().join("cells.csv")).unwrap();
    bench.segment_once(&["b.png"]).refused(5, &["--append", "--force", "--out"]);
    assert_eq!(std::fs::read(bench.out().join("cells.csv")).unwrap(), before);
    bench.segment_once(&["b.png", "c.png", "--append"]).done();
    assert_eq!(names(&bench.out()), ["a.png", "b.png", "c.png"]);
    assert_eq!(bench.table().len(), 4, "the header and three cells");

    bench.picture("d.png", &smear(64, 64, &[]));
    bench.segment_once(&["a.png", "d.png", "--append"]).refused(3, &["a.png is already in the tables"]);
    assert_eq!(names(&bench.out()), ["a.png", "b.png", "c.png", "d.png"]);
    let printed = bench.segment_once(&["a.png", "--append", "--um-per-px", "1"]);
    printed.refused(5, &["other columns"]);
    assert_eq!(names(&bench.out()).len(), 4);
    // Its results keep the extension, because a.png has the short name.
    bench.picture("a.bmp", &smear(64, 64, &[]));
    bench.segment_once(&["a.bmp", "--append"]).done();
    assert!(bench.out().join("a.bmp.sr.png").is_file());
    bench.segment_once(&["b.png", "--force"]).done();
    assert_eq!(names(&bench.out()), ["b.png"]);
    let exported = bench.call(&["export", "--from", "out", "--format", "csv", "--table", "frames"]);
    exported.done();
    assert_eq!(exported.stdout.lines().count(), 2, "the header and b.png: {}", exported.stdout);
    // Records of a run are not overwritten.
    let run = ["run", ".", "--models", "models", "--out", "out2", "--http", "off", "--as-is"];
    bench.call(&run).done();
    let over = ["segment", "b.png", "--models", "models", "--as-is", "--force", "--out", "out2"];
    bench.call(&over).refused(5, &["it holds the records of a run"]);
}

#[test]
fn append_adds_to_tables_and_records() {
    let bench = Bench::new();
    for name in ["a.png", "b.png"] {
        bench.picture(name, &smear(64, 64, &[(20.0, 20.0)]));
    }
    let frames = || {
        let exported = bench.call(&["export", "--from", "out", "--format", "csv", "--table", "frames"]);
        exported.done();
        exported.stdout.lines().count() - 1
    };
    bench.segment_once(&["a.png"]).done();
    bench.segment_once(&["b.png", "--append"]).done();
    assert_eq!(frames(), 2);
    bench.call(&["report", "last", "--from", "out", "--out", "page.html"]).done();
    // A killed call leaves records but no tables: the next one starts over.
    for table in ["cells.csv", "frames.csv"] {
        std::fs::remove_file(bench.out().join(table)).unwrap();
    }
    bench.segment_once(&["a.png"]).done();
    assert_eq!(frames(), 1);
    // If all pictures are refused, no records are left.
    bench.write("bad/a.png", b"no picture");
    bench.call(&["segment", "bad/a.png", "--models", "models", "--out", "none"]).refused(3, &["a.png"]);
    assert!(!bench.path("none/records.sqlite").exists());
}

#[test]
fn unwritable_results_are_skipped_and_the_rest_is_done() {
    for threads in ["1", "2"] {
        let bench = Bench::new();
        bench.write("c.toml", format!("[budget]\nthreads = {threads}\n").as_bytes());
        for name in ["in/a.png", "in/b.png", "in/c.png"] {
            bench.picture(name, &smear(64, 64, &[(20.0, 20.0)]));
        }
        std::fs::create_dir_all(bench.out().join("b.mask.png/x")).unwrap();
        bench.segment(&["in", "--config", "c.toml"]).refused(5, &["b.mask.png", "1 of 3 results"]);
        assert_eq!(names(&bench.out()), ["a.png", "b.png", "c.png"]);
        assert!(bench.out().join("c.overlay.png").is_file());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn leftovers_of_dead_processes_are_removed() {
    let bench = Bench::new();
    bench.picture("a.png", &smear(64, 64, &[(20.0, 20.0)]));
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let dead = bench.write(&format!("out/a.sr.png.part-{}", child.id()), b"half");
    // Not process 1, which `/proc` may hide from other users.
    let alive = bench.write(&format!("out/a.sr.png.part-{}", std::os::unix::process::parent_id()), b"half");
    let other = bench.write(&format!("out/notes.txt.part-{}", child.id()), b"mine");
    bench.segment(&["a.png"]).done();
    assert!(!dead.exists() && alive.exists() && other.exists());
}

#[cfg(unix)]
#[test]
fn ctrl_c_writes_tables_of_finished_pictures() {
    let bench = Bench::new();
    let picture = smear(300, 300, &[(20.0, 20.0)]);
    let first = std::fs::read(bench.picture("in/000.png", &picture)).unwrap();
    (1..200).for_each(|number| drop(bench.write(&format!("in/{number:03}.png"), &first)));
    let mut child = Command::new(env!("CARGO_BIN_EXE_bloodseg"))
        .current_dir(bench.path(""))
        .args(["segment", "in", "--as-is", "--models", "models", "--out", "out"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    printed.read_line(&mut line).unwrap();
    assert!(line.starts_with("000.png"), "{line}");
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    // One line per picture; the totals follow.
    let lines = 1 + printed.lines().map_while(Result::ok).filter(|line| line.contains(".png: ")).count();
    Answer::of(&child.wait_with_output().unwrap()).refused(130, &["stopped", "--append"]);
    assert_eq!(names(&bench.out()).len(), lines);
    assert!(lines < 200, "it was over before");
    let more = bench.call(&["segment", "in/199.png", "--as-is", "--models", "models", "--out", "out", "--append"]);
    more.done();
    assert_eq!(names(&bench.out()).len(), lines + 1);
}

#[test]
fn concurrent_calls_do_not_share_a_folder() {
    let bench = Bench::new();
    let first = std::fs::read(bench.picture("in/000.png", &smear(300, 300, &[(20.0, 20.0)]))).unwrap();
    (1..200).for_each(|number| drop(bench.write(&format!("in/{number:03}.png"), &first)));
    let fixed = ["segment", "--as-is", "--models", "models", "--out", "out"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_bloodseg"))
        .current_dir(bench.path(""))
        .args([&fixed[..], &["in"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let other = |flags: &[&str]| bench.call(&[&fixed[..], &["in/000.png"], flags].concat());
    for flags in [&[][..], &["--force"], &["--append"]] {
        other(flags).refused(5, &["another call is writing to it", "--append", "--out"]);
    }
    // Shards may run concurrently.
    other(&["--shard", "0/1"]).done();
    child.kill().unwrap();
    child.wait().unwrap();
    other(&[]).done();
    assert_eq!(names(&bench.out()), ["000.png"]);
}
