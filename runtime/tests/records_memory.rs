//! Memory of records does not grow with the number of frames.
//!
//! `BLOODSEG_REPORT_FRAMES=20000` sets the number of frames of the report; the default is 1250.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bloodseg::memory::counting::{Counting, heap, restart_peak};
use bloodseg_clock::SystemClock;
use bloodseg_records::{
    export::{Coordinates, Format, Table, export},
    frame_record::FrameRecord,
    keeper::{Keeper, Kept},
    report,
    run_info::RunInfo,
    store::{
        read::{Filter, Records},
        retention::Retention,
    },
};
use bloodseg_vision::{
    cells::{Cell, Counts, Kind, Labels, outline::Outlines},
    frame::quality::Quality,
    pipeline::StageTimes,
    placement::{PitchSource, Scaled},
    support::CellConsistency,
};
use image::Luma;

#[global_allocator]
static HEAP: Counting = Counting;

/// Statements that SQLite runs per stored frame while old ones are deleted: the library's statement cache allocates
/// once each. Eight of them are for checksums. Our own code adds nothing.
const STATEMENTS_A_FRAME: f64 = 18.0;

const CELLS: u16 = 60;

fn record() -> FrameRecord {
    let labels = Labels::from_fn(256, 256, |x, y| {
        let label = y / 25 * 10 + x / 25 + 1;
        Luma([if x % 25 < 20 && y % 25 < 20 && label <= u32::from(CELLS) { label as u16 } else { 0 }])
    });
    let consistency = CellConsistency { levels: 1.0, offset_levels: 0.0, input_px: 25.0 };
    let cell = |label| Cell {
        label,
        x_px: 1.5,
        y_px: 2.5,
        area_px: 400,
        equivalent_diameter_px: 22.6,
        perimeter_px: 80.0,
        circularity: 0.8,
        eccentricity: 0.1,
        touches_border: false,
        confidence: 0.9,
        consistency,
        kind: Kind::Red,
        kind_thousandths: 900,
    };
    let cells: Vec<Cell> = (1..=CELLS).map(cell).collect();
    let mut outlines = Outlines::default();
    outlines.trace(&labels, &cells);
    FrameRecord {
        number: 1,
        name: String::from("frame.png").into(),
        stem: "frame".into(),
        at: SystemTime::now(),
        quality: Quality::default(),
        counted: true,
        times: StageTimes::default(),
        tiles: 1,
        dropped: 0,
        size_px: labels.dimensions(),
        scaled: Scaled::as_it_is(Some(2.0), PitchSource::Given),
        analysed_px: 4096,
        counts: Counts::of(&cells, true),
        sample: None,
        field: None,
        seen: vec![],
        cells,
        outlines,
    }
}

fn run() -> RunInfo {
    RunInfo {
        mark: RunInfo::new_mark(),
        source: "test".into(),
        description: String::new(),
        started: SystemTime::now(),
        um_per_px: Some(2.0),
        pitch_from: String::new(),
        software: String::new(),
        models: vec![],
        notes: String::new(),
    }
}

/// Peak growth of the heap while `work` runs.
fn peak_bytes(work: impl FnOnce()) -> usize {
    restart_peak();
    let before = heap().unwrap().live_bytes;
    work();
    heap().unwrap().peak_bytes - before
}

// Without the test harness, whose thread allocates at any time and would be counted too.
fn keeping_and_exporting_more_frames_takes_no_more_memory() {
    let folder = tempfile::tempdir().unwrap();
    let run = run();
    // So small that old frames are deleted all the time.
    let retention = Retention { most_bytes: 3 << 20, most_age_ms: None, oldest_make_room: false };
    let mut keeper = Keeper::open(folder.path(), &run, &retention, Arc::new(SystemClock::start())).unwrap();
    let mut record = record();
    let mut keep = |frames: u64| {
        for _ in 0..frames {
            record.number += 1;
            record.at += Duration::from_millis(1);
            assert_eq!(keeper.keep(&record), Kept::Durable);
        }
    };
    // Until every statement was used once, including deletion, and the log was checkpointed more than once.
    keep(2000);
    let before = heap().unwrap();
    keep(400);
    let after = heap().unwrap();
    let a_frame = (after.allocations - before.allocations) as f64 / 400.0;
    eprintln!("{a_frame:.1} allocations a frame");
    assert!(a_frame <= STATEMENTS_A_FRAME, "{a_frame} allocations a frame");
    assert_eq!(after.live_bytes, before.live_bytes, "keeping frames leaves nothing behind");

    let formats = [
        Format::Csv(Table::Cells),
        Format::Csv(Table::Frames),
        Format::Jsonl,
        Format::Coco,
        Format::GeoJson(Coordinates::Input),
        Format::ImagejRoi(Coordinates::Input),
    ];
    let records = Records::open(folder.path()).unwrap();
    let (frames, _) = records.count(&Filter::default()).unwrap();
    assert!(frames > 100, "{frames} frames");
    for format in formats {
        let peak = |filter: Filter| {
            let write = || {
                let mut count = 0;
                export(&records, &filter, format, &mut io::sink(), &mut || count += 1).unwrap();
                assert!(count > 0);
            };
            write();
            peak_bytes(write)
        };
        let first = record_at(&records, 10);
        let few = peak(Filter { until_ms: Some(first), ..Filter::default() });
        let all = peak(Filter::default());
        eprintln!("{format:?}: {few} bytes for few frames, {all} for {frames}");
        assert!(all <= few + 4096, "{format:?}: {few} bytes for few frames, {all} for {frames}");
    }
}

// With more frames than a line has points, a report takes no more memory.
fn report_of_more_frames_takes_no_more_memory() {
    let folder = tempfile::tempdir().unwrap();
    let retention = Retention { most_bytes: 1 << 30, most_age_ms: None, oldest_make_room: false };
    let mut record = record();
    let frames = std::env::var("BLOODSEG_REPORT_FRAMES").ok().map(|frames| frames.parse().expect("a number of frames"));
    let wanted: [u64; 2] = [250, frames.unwrap_or(1250)];
    for frames in wanted {
        let run = RunInfo { mark: RunInfo::new_mark(), ..run() };
        let mut keeper = Keeper::open(folder.path(), &run, &retention, Arc::new(SystemClock::start())).unwrap();
        for number in 1..=frames {
            record.number = number;
            assert_eq!(keeper.keep(&record), Kept::Durable);
        }
        keeper.end("enough frames", 0);
    }
    let records = Records::open(folder.path()).unwrap();
    let peak = |run: i64| {
        let run = report::Scope::of_run(&records, records.run(run).unwrap().unwrap()).unwrap();
        let mut count = 0;
        let bytes = peak_bytes(|| {
            report::write(&records, &run, &mut io::sink(), &mut || count += 1).unwrap();
        });
        (count, bytes)
    };
    peak(1);
    let ((few_frames, few), (many_frames, many)) = (peak(1), peak(2));
    eprintln!("page: {few} bytes for {few_frames} frames, {many} for {many_frames}");
    assert_eq!([few_frames, many_frames], wanted);
    assert!(many <= few + 4096, "{few} bytes for few frames, {many} for many");
}

/// When the frame with this index was recorded.
fn record_at(records: &Records, index: usize) -> i64 {
    let mut times = Vec::new();
    records
        .frames::<bloodseg_records::error::Error>(&Filter::default(), |frame| {
            times.push(frame.at_utc_ms);
            Ok(())
        })
        .unwrap();
    times[index]
}

fn main() {
    keeping_and_exporting_more_frames_takes_no_more_memory();
    report_of_more_frames_takes_no_more_memory();
}
