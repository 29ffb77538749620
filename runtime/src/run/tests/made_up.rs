//! Fake parts of a run.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use image::RgbImage;

use crate::{
    camera::{Clockwork, Next, Pacing},
    run::*,
};
use bloodseg_clock::{Clock, VirtualClock};
use bloodseg_records::frame_record::FrameRecord;
use bloodseg_vision::{cells::Labels, frame::Frame, pipeline::Analysis, segmentation::CellMaps};

/// The wall time at which virtual runs start, in 2026.
pub(super) fn wall_start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

/// Delivers `left` frames, at a rate or whenever one is requested.
#[derive(Debug)]
pub(super) struct Burst {
    pub(super) left: u64,
    pub(super) number: u64,
    pub(super) pacing: Pacing,
    pub(super) unreadable_every: u64,
    pub(super) panic_at: u64,
    pub(super) clock: Option<Clockwork>,
}

pub(super) fn burst(left: u64, pacing: Pacing) -> Burst {
    Burst { left, number: 0, pacing, unreadable_every: u64::MAX, panic_at: u64::MAX, clock: None }
}

impl FrameSource for Burst {
    fn name(&self) -> &str {
        "burst"
    }

    fn describe(&self) -> String {
        "burst".into()
    }

    fn pacing(&self) -> Pacing {
        self.pacing
    }

    fn frame_size_px(&self) -> Option<(u32, u32)> {
        Some((8, 8))
    }

    fn go_on_after(&mut self, number: u64, _unreadable: u64) {
        self.number = number;
    }

    fn next_frame(&mut self, now: Duration) -> Result<Next> {
        if self.left == 0 {
            return Ok(Next::End);
        }
        if let Some(due) = self.clock.as_mut().and_then(|clock| clock.take(now)) {
            return Ok(Next::Wait(due));
        }
        self.left -= 1;
        self.number += 1;
        assert!(self.number != self.panic_at, "bang");
        if self.number.is_multiple_of(self.unreadable_every) {
            return Ok(Next::Unreadable(Error::picture("rubbish", "a picture", "")));
        }
        Ok(Next::Frame(Frame {
            number: self.number,
            name: String::new().into(),
            picture: RgbImage::new(8, 8).into(),
            origin: Default::default(),
        }))
    }
}

/// What an analyst does with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Good,
    Refused,
    Broken,
    Panic,
}

/// An analyst with scripted fates; good once they run out.
#[derive(Debug)]
pub(super) struct Dealt {
    pub(super) fates: Arc<Mutex<VecDeque<Fate>>>,
    pub(super) pause: Duration,
    pub(super) analysis: Analysis,
}

pub(super) fn analysis() -> Analysis {
    Analysis {
        quality: Default::default(),
        sr: RgbImage::new(1, 1),
        maps: CellMaps::empty(1, 1),
        labels: Labels::new(1, 1),
        cells: Vec::new(),
        outside: Default::default(),
        scaled: Default::default(),
        times: Default::default(),
        tiles: 1,
    }
}

impl Analyst for Dealt {
    fn analyse(&mut self, _frame: &Frame) -> Result<(&Analysis, bool)> {
        std::thread::sleep(self.pause);
        let fate = self.fates.lock().unwrap().pop_front().unwrap_or(Fate::Good);
        match fate {
            Fate::Good => Ok((&self.analysis, true)),
            Fate::Refused => Err(Error::picture("too many cells", "fewer", "")),
            Fate::Broken => Err(Error::internal("test", "broken")),
            Fate::Panic => panic!("bang"),
        }
    }
}

/// What was recorded.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) kept: Mutex<Vec<u64>>,
    pub(super) happened: Mutex<Vec<String>>,
    pub(super) refused: AtomicU64,
    pub(super) disk_full: AtomicBool,
    pub(super) ends: AtomicU64,
    pub(super) stop_after: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Notes {
    pub(super) seen: Arc<Seen>,
    pub(super) stop: Arc<stop::Stop>,
    pub(super) panic_at: u64,
}

impl Recorder for Notes {
    fn keep(&mut self, record: &FrameRecord) -> bool {
        assert!(record.number != self.panic_at, "bang");
        if self.seen.disk_full.load(Relaxed) {
            return false;
        }
        let mut kept = self.seen.kept.lock().unwrap();
        kept.push(record.number);
        let after = self.seen.stop_after.load(Relaxed);
        if after > 0 && kept.len() as u64 >= after {
            self.stop.raise();
        }
        true
    }

    fn refused(&mut self, _number: u64, _name: &str, _why: &str) {
        self.seen.refused.fetch_add(1, Relaxed);
    }

    fn happened(&mut self, kind: &str, words: &str) {
        self.seen.happened.lock().unwrap().push(format!("{kind} {words}"));
    }

    fn end(&mut self) {
        self.seen.ends.fetch_add(1, Relaxed);
    }
}

/// Makes the parts; sources after the first come from `sources`, or cannot be opened.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) sources: VecDeque<Box<dyn FrameSource>>,
    pub(super) fates: Arc<Mutex<VecDeque<Fate>>>,
    pub(super) pause: Duration,
    pub(super) seen: Arc<Seen>,
    pub(super) stop: Arc<stop::Stop>,
    /// Errors of the previous analysts.
    pub(super) whys: Vec<String>,
    /// Number of the record at which the first recorder panics.
    pub(super) record_bomb: u64,
}

impl Parts {
    pub(super) fn new() -> Self {
        Self {
            sources: VecDeque::new(),
            fates: Arc::default(),
            pause: Duration::ZERO,
            seen: Arc::default(),
            stop: Arc::default(),
            whys: Vec::new(),
            record_bomb: u64::MAX,
        }
    }

    pub(super) fn deal(&self, fates: impl IntoIterator<Item = Fate>) {
        self.fates.lock().unwrap().extend(fates);
    }

    pub(super) fn kept(&self) -> Vec<u64> {
        self.seen.kept.lock().unwrap().clone()
    }

    pub(super) fn happened(&self) -> String {
        self.seen.happened.lock().unwrap().join("; ")
    }
}

impl Makers for Parts {
    fn source(&mut self) -> Making<Box<dyn FrameSource>> {
        let gone = || Error::frames("burst", "gone", "");
        let source = self.sources.pop_front().ok_or_else(gone);
        Box::new(|| source)
    }

    fn analyst(&mut self, why: Option<&Error>) -> Making<Box<dyn Analyst>> {
        self.whys.extend(why.map(Error::to_string));
        let (fates, pause) = (Arc::clone(&self.fates), self.pause);
        Box::new(move || Ok(Box::new(Dealt { fates, pause, analysis: analysis() })))
    }

    fn recorder(&mut self) -> Making<Box<dyn Recorder>> {
        let panic_at = std::mem::replace(&mut self.record_bomb, u64::MAX);
        let (seen, stop) = (Arc::clone(&self.seen), Arc::clone(&self.stop));
        Box::new(move || Ok(Box::new(Notes { seen, stop, panic_at })))
    }
}

/// A run with threads, to its end.
pub(super) fn run(source: impl FrameSource + 'static, most_frames: Option<u64>, parts: &mut Parts) -> Outcome {
    let clock: Arc<dyn Clock> = Arc::new(bloodseg_clock::SystemClock::start());
    let shared = Arc::new(Shared::new(Arc::clone(&parts.stop), clock, source.pacing()));
    let crew = crew::Threads::new(&shared);
    let outcome = Run::begin(&shared, Box::new(source), most_frames, parts, crew).unwrap().to_the_end(|_| {});
    assert_counts_add_up(outcome.counts);
    outcome
}

/// A run in virtual time, and what drives it.
pub(super) struct Virtual<'a> {
    pub(super) run: Run<'a, lockstep::Lockstep>,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Arc<VirtualClock>,
    pub(super) states: Vec<State>,
    pub(super) fed_at: Vec<Duration>,
}

impl<'a> Virtual<'a> {
    pub(super) fn begin(source: impl FrameSource + 'static, parts: &'a mut dyn Makers, stop: &Arc<stop::Stop>) -> Self {
        let clock = Arc::new(VirtualClock::at(wall_start()));
        let shared = Arc::new(Shared::new(Arc::clone(stop), Arc::clone(&clock) as Arc<dyn Clock>, source.pacing()));
        let crew = lockstep::Lockstep::new(&clock);
        let run = Run::begin(&shared, Box::new(source), None, parts, crew).unwrap();
        Self { run, shared, clock, states: Vec::new(), fed_at: Vec::new() }
    }

    /// Advances time; returns the outcome if the run ends before.
    pub(super) fn pass(&mut self, time: Duration) -> Option<Outcome> {
        let until = self.shared.now() + time;
        while self.shared.now() < until {
            let Self { run, states, fed_at, shared, .. } = self;
            let outcome = run.turn(crate::run::limits::SUPERVISOR_TICK, &mut |signal| match signal {
                Signal::Alive => fed_at.push(shared.now()),
                Signal::Became(state) => states.push(state),
            });
            if outcome.is_some() {
                return outcome;
            }
        }
        None
    }

    /// Longest time between two watchdog notifications.
    pub(super) fn longest_silence(&self) -> Duration {
        let ends = std::iter::once(Duration::ZERO).chain(self.fed_at.iter().copied()).chain([self.shared.now()]);
        let times: Vec<_> = ends.collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }
}

pub(super) fn assert_counts_add_up(counts: Counts) {
    assert_eq!(counts.captured, counts.analysed + counts.dropped + counts.failed, "{counts:?}");
}
