//! Runs with threads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    time::Duration,
};

use super::made_up::{Burst, Fate, Parts, burst, run};
use crate::{
    camera::{
        Next, Pacing,
        faults::{Faults, Faulty},
    },
    run::*,
};
use bloodseg_clock::SystemClock;

#[test]
fn lossless_source_records_every_frame_in_order() {
    let mut parts = Parts::new();
    let source = super::made_up::Burst { unreadable_every: 10, ..burst(100, Pacing::Lossless) };
    let outcome = run(source, None, &mut parts);
    assert!(matches!(outcome.ended, Ended::SourceEnded));
    assert_eq!(outcome.counts, Counts { captured: 90, analysed: 90, unreadable: 10, ..Counts::default() });
    assert_eq!(parts.kept(), (1..=90).collect::<Vec<_>>());
    assert_eq!((parts.seen.ends.load(Relaxed), outcome.hanging), (1, 0));
}

#[test]
fn excess_frames_are_dropped_oldest_first_and_counted() {
    let mut parts = Parts { pause: Duration::from_millis(20), ..Parts::new() };
    let outcome = run(burst(1000, Pacing::Live), None, &mut parts);
    assert_eq!(outcome.counts.captured, 1000);
    assert!(outcome.counts.dropped > 0 && outcome.counts.analysed > 0, "{:?}", outcome.counts);
    let kept = parts.kept();
    assert!(kept.is_sorted());
    assert!(kept.ends_with(&[997, 998, 999, 1000]), "the newest are kept: {kept:?}");
}

#[test]
fn run_ends_after_requested_number_of_frames() {
    let outcome = run(burst(u64::MAX, Pacing::Lossless), Some(7), &mut Parts::new());
    assert!(matches!(outcome.ended, Ended::EnoughFrames));
    assert_eq!(outcome.counts, Counts { captured: 7, analysed: 7, ..Counts::default() });
}

#[test]
fn stop_ends_endless_source_with_consistent_counts() {
    for pacing in [Pacing::Live, Pacing::Lossless] {
        let mut parts = Parts::new();
        parts.seen.stop_after.store(1, Relaxed);
        let outcome = run(burst(u64::MAX, pacing), None, &mut parts);
        assert!(matches!(outcome.ended, Ended::Stopped), "{outcome:?}");
        assert!(!parts.kept().is_empty() && outcome.hanging == 0, "{outcome:?}");
    }
}

#[test]
fn refused_frame_is_counted_and_run_continues() {
    let mut parts = Parts::new();
    parts.deal([Fate::Good, Fate::Refused]);
    let outcome = run(burst(3, Pacing::Lossless), None, &mut parts);
    assert_eq!(outcome.counts, Counts { captured: 3, analysed: 2, failed: 1, ..Counts::default() });
    assert_eq!(parts.seen.refused.load(Relaxed), 1);
}

#[test]
fn panicking_or_failing_analysis_loses_only_its_frame() {
    let mut parts = Parts::new();
    parts.deal([Fate::Good, Fate::Panic, Fate::Good, Fate::Broken]);
    let outcome = run(burst(6, Pacing::Lossless), None, &mut parts);
    assert_eq!(outcome.counts, Counts { captured: 6, analysed: 4, failed: 2, ..Counts::default() });
    assert!(matches!(outcome.ended, Ended::SourceEnded));
    assert_eq!(parts.kept(), [1, 3, 5, 6]);
    assert!(parts.whys[0].contains("bang") && parts.whys[1].contains("broken"), "{:?}", parts.whys);
    assert!(parts.happened().contains("restarted analysis"), "{}", parts.happened());
}

#[test]
fn lost_delayed_and_torn_frames_are_tolerated() {
    let faults = Faults { lost: 0.2, delayed: 0.2, delay: Duration::from_millis(1), torn: 0.3 };
    let mut parts = Parts::new();
    let outcome = run(Faulty::new(burst(200, Pacing::Lossless), faults, 4), None, &mut parts);
    assert!((20..=90).contains(&outcome.counts.failed), "{:?}", outcome.counts);
    assert!(outcome.counts.captured < 190 && outcome.counts.dropped == 0, "{:?}", outcome.counts);
}

#[test]
fn panicking_source_is_reopened_and_continues_numbering() {
    let mut parts = Parts::new();
    parts.sources.push_back(Box::new(burst(3, Pacing::Lossless)));
    let first = super::made_up::Burst { panic_at: 3, ..burst(10, Pacing::Lossless) };
    let outcome = run(first, None, &mut parts);
    assert!(matches!(outcome.ended, Ended::SourceEnded), "{outcome:?}");
    assert_eq!(parts.kept(), [1, 2, 3, 4, 5]);
    assert!(parts.happened().contains("died capture"), "{}", parts.happened());
}

/// Makers whose second source hangs while it is opened, until it is released.
#[derive(Debug)]
struct Slow {
    parts: Parts,
    let_go: Option<mpsc::Receiver<()>>,
    opening: Arc<AtomicBool>,
    was_let_go: Arc<AtomicBool>,
}

impl Makers for Slow {
    fn source(&mut self) -> Making<Box<dyn FrameSource>> {
        let (let_go, opening) = (self.let_go.take(), Arc::clone(&self.opening));
        let was_let_go = Arc::clone(&self.was_let_go);
        Box::new(move || {
            opening.store(true, Relaxed);
            was_let_go.store(let_go.unwrap().recv_timeout(Duration::from_secs(60)).is_ok(), Relaxed);
            Ok(Box::new(burst(3, Pacing::Lossless)))
        })
    }

    fn analyst(&mut self, why: Option<&Error>) -> Making<Box<dyn Analyst>> {
        self.parts.analyst(why)
    }

    fn recorder(&mut self) -> Making<Box<dyn Recorder>> {
        self.parts.recorder()
    }
}

#[test]
fn source_hanging_in_open_does_not_block_other_stages() {
    let (release, let_go) = mpsc::channel();
    let (opening, was_let_go) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let mut makers = Slow {
        parts: Parts::new(),
        let_go: Some(let_go),
        opening: Arc::clone(&opening),
        was_let_go: Arc::clone(&was_let_go),
    };
    let stop = Arc::clone(&makers.parts.stop);
    let seen = Arc::clone(&makers.parts.seen);
    let shared = Arc::new(Shared::new(stop, Arc::new(SystemClock::start()), Pacing::Lossless));
    let first = Burst { panic_at: 2, ..burst(9, Pacing::Lossless) };
    let crew = crew::Threads::new(&shared);
    let run = Run::begin(&shared, Box::new(first), None, &mut makers, crew).unwrap();
    let mut fed = 0;
    let outcome = run.to_the_end(|signal| {
        fed += u32::from(signal == Signal::Alive && opening.load(Relaxed));
        if fed == 2 {
            let _ = release.send(());
        }
    });
    assert!(was_let_go.load(Relaxed), "the watchdog starved while a source was opened");
    assert!(matches!(outcome.ended, Ended::SourceEnded), "{outcome:?}");
    assert_eq!(*seen.kept.lock().unwrap(), [1, 2, 3, 4]);
}

#[test]
fn lost_source_ends_the_run() {
    #[derive(Debug)]
    struct Lost;
    impl FrameSource for Lost {
        fn name(&self) -> &str {
            "lost"
        }
        fn describe(&self) -> String {
            String::new()
        }
        fn pacing(&self) -> Pacing {
            Pacing::Lossless
        }
        fn next_frame(&mut self, _now: Duration) -> Result<Next> {
            Err(Error::frames("lost", "nothing", ""))
        }
    }
    let outcome = run(Lost, None, &mut Parts::new());
    assert!(matches!(outcome.ended, Ended::Broke(Error::Source { .. })));
}

#[test]
fn panicking_recorder_loses_only_its_record() {
    let mut parts = Parts { record_bomb: 2, ..Parts::new() };
    let outcome = run(burst(5, Pacing::Lossless), None, &mut parts);
    assert_eq!(parts.kept(), [1, 3, 4, 5]);
    assert_eq!((outcome.counts.analysed, outcome.counts.not_kept), (5, 1));
}
