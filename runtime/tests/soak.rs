//! One frame per second for hours or days of virtual time, through the real pipeline into real records: nothing grows.
//!
//! `BLOODSEG_SOAK_HOURS=72 cargo test --release -p bloodseg --test soak` is the long form; without the variable it is ten
//! minutes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use bloodseg::{
    camera::{FrameSource, Next, Pacing, demo::Demo},
    error::{Error, Result},
    memory::{
        counting::{Counting, heap},
        resident,
    },
    run::{
        Makers, Run, analysis::Analyst, limits::SUPERVISOR_TICK, lockstep::Lockstep, recording::Recorder,
        shared::Shared, state::State, stop::Stop, work::Making,
    },
};
use bloodseg_clock::{Clock, VirtualClock};
use bloodseg_records::{
    frame_record::FrameRecord,
    keeper::{Keeper, Kept},
    run_info::RunInfo,
    store::retention::Retention,
};
use bloodseg_vision::{
    frame::Frame,
    model::store::Models,
    pipeline::{Analysis, Pipeline},
};
use image::RgbImage;

#[global_allocator]
static HEAP: Counting = Counting;

/// Number of distinct frames, which are repeated.
const FRAMES: u64 = 16;

/// Frames until all persistent memory is allocated: by then the records are full, and old frames are deleted.
const WARM_UP: u64 = 400;

/// So small that it is soon full.
const RECORDS_BYTES: u64 = 1 << 20;

/// One frame per second.
#[derive(Debug)]
struct Recorded {
    pictures: Vec<RgbImage>,
    number: u64,
}

impl FrameSource for Recorded {
    fn name(&self) -> &str {
        "recorded"
    }

    fn describe(&self) -> String {
        "frames of the demo, over and over".into()
    }

    fn pacing(&self) -> Pacing {
        Pacing::Live
    }

    fn next_frame(&mut self, now: Duration) -> Result<Next> {
        let due = Duration::from_secs(self.number);
        if now < due {
            return Ok(Next::Wait(due));
        }
        let picture = self.pictures[(self.number % FRAMES) as usize].clone().into();
        self.number += 1;
        Ok(Next::Frame(Frame {
            number: self.number,
            name: String::from("recorded.png").into(),
            picture,
            origin: Default::default(),
        }))
    }
}

#[derive(Debug)]
struct Analysing(Pipeline);

impl Analyst for Analysing {
    fn analyse(&mut self, frame: &Frame) -> Result<(&Analysis, bool)> {
        let analysis = self.0.analyse(&frame.picture)?;
        Ok((analysis, analysis.quality.verdict.is_good()))
    }
}

#[derive(Debug)]
struct Keeping(Option<Keeper>);

impl Recorder for Keeping {
    fn keep(&mut self, record: &FrameRecord) -> bool {
        self.0.as_mut().is_some_and(|keeper| keeper.keep(record) == Kept::Durable)
    }

    fn refused(&mut self, number: u64, _name: &str, why: &str) {
        panic!("frame {number}: {why}");
    }

    fn happened(&mut self, kind: &str, words: &str) {
        self.0.as_mut().unwrap().event(kind, words);
    }

    fn end(&mut self) {
        let counters = self.0.take().unwrap().end("stopped", 0);
        assert!(counters.bytes <= 2 * RECORDS_BYTES && counters.lost == 0, "{counters:?}");
        eprintln!("records at the end: {counters:?}");
    }
}

#[derive(Debug)]
struct Parts {
    folder: PathBuf,
    clock: Arc<VirtualClock>,
}

impl Makers for Parts {
    fn source(&mut self) -> Making<Box<dyn FrameSource>> {
        Box::new(|| Err(Error::internal("soak", "the source never breaks")))
    }

    fn analyst(&mut self, why: Option<&Error>) -> Making<Box<dyn Analyst>> {
        assert!(why.is_none(), "{why:?}");
        Box::new(|| Ok(Box::new(Analysing(Pipeline::load(&Models::embedded()?)?))))
    }

    fn recorder(&mut self) -> Making<Box<dyn Recorder>> {
        let run = RunInfo {
            mark: RunInfo::new_mark(),
            source: "recorded".into(),
            description: String::new(),
            started: self.clock.wall(),
            um_per_px: None,
            pitch_from: String::new(),
            software: String::new(),
            models: vec![],
            notes: String::new(),
        };
        let retention = Retention { most_bytes: RECORDS_BYTES, most_age_ms: None, oldest_make_room: false };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let folder = self.folder.clone();
        Box::new(move || Ok(Box::new(Keeping(Some(Keeper::open(&folder, &run, &retention, clock)?)))))
    }
}

fn pictures() -> Vec<RgbImage> {
    let mut demo = Demo::new("demo", 1, 1.0);
    (0..FRAMES)
        .map(|second| match demo.next_frame(Duration::from_secs(second)).unwrap() {
            Next::Frame(frame) => RgbImage::clone(&frame.picture),
            other => panic!("{other:?}"),
        })
        .collect()
}

// Without the test harness, whose thread allocates at any time and would be counted too.
fn main() {
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/unet.onnx").is_file() {
        eprintln!("skipped: no models in models/");
        return;
    }
    let hours: f64 = std::env::var("BLOODSEG_SOAK_HOURS").map_or(1.0 / 6.0, |hours| hours.parse().expect("hours"));
    let frames = (hours * 3600.0) as u64;
    assert!(frames > WARM_UP, "{hours} hours are fewer frames than the {WARM_UP} of the warm-up");

    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(VirtualClock::at(UNIX_EPOCH + Duration::from_secs(1_790_000_000)));
    let stop = Arc::new(Stop::default());
    let shared = Arc::new(Shared::new(Arc::clone(&stop), Arc::clone(&clock) as Arc<dyn Clock>, Pacing::Live));
    let mut parts = Parts { folder: folder.path().to_owned(), clock: Arc::clone(&clock) };
    let source = Box::new(Recorded { pictures: pictures(), number: 0 });
    let mut run = Run::begin(&shared, source, None, &mut parts, Lockstep::new(&clock)).unwrap();

    let mut pass_until = |analysed: u64| {
        while shared.counts().analysed < analysed {
            assert!(run.turn(SUPERVISOR_TICK, &mut |_| {}).is_none(), "the run ended: {:?}", shared.counts());
        }
        let heap = heap().unwrap();
        eprintln!("{analysed:>7} frames: {heap:?}, peak resident {:?} KiB", resident::peak_rss_kib());
        heap.live_bytes
    };
    // Always after the same one of the sixteen frames.
    let whole = |frames: u64| frames - frames % FRAMES;
    let before = pass_until(whole(WARM_UP));
    for part in 1..=4 {
        let after = pass_until(whole(WARM_UP + (frames - WARM_UP) * part / 4));
        assert_eq!(after, before, "the heap grew");
    }
    let counts = shared.counts();
    assert_eq!((counts.dropped, counts.failed, counts.not_kept), (0, 0, 0));
    assert_eq!(shared.state(), State::Running);
    stop.raise();
    while run.turn(SUPERVISOR_TICK, &mut |_| {}).is_none() {}
    eprintln!("{hours} hours: {counts:?}");
}
