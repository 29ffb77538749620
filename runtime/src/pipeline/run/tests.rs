//! The loop, with sources and analyses that are made up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use image::RgbImage;

use super::*;
use crate::camera::{
    Pacing,
    faults::{Faults, Faulty},
};

/// Gives `left` frames, one whenever it is asked.
#[derive(Debug)]
struct Burst {
    left: u64,
    number: u64,
    pacing: Pacing,
    unreadable_every: u64,
}

fn burst(left: u64, pacing: Pacing) -> Burst {
    Burst { left, number: 0, pacing, unreadable_every: u64::MAX }
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

    fn next_frame(&mut self, _now: Duration) -> Result<Next> {
        if self.left == 0 {
            return Ok(Next::End);
        }
        self.left -= 1;
        self.number += 1;
        if self.number.is_multiple_of(self.unreadable_every) {
            return Ok(Next::Unreadable(Error::picture("rubbish", "a picture", "")));
        }
        Ok(Next::Frame(Frame { number: self.number, name: String::new().into(), picture: RgbImage::new(8, 8).into() }))
    }
}

/// Says of every picture what its function says, and that it has no cells.
struct Answers<F>(F, Analysis);

impl<F: FnMut() -> Result<()>> Analyse for Answers<F> {
    fn analyse(&mut self, _: &RgbImage) -> Result<&Analysis> {
        self.0().map(|()| &self.1)
    }
}

fn answers<F: FnMut() -> Result<()>>(answer: F) -> Answers<F> {
    Answers(answer, Analysis::default())
}

fn analysis() -> Answers<fn() -> Result<()>> {
    answers(|| Ok(()))
}

fn sums_up(counts: Counts) {
    assert_eq!(counts.captured, counts.analysed + counts.dropped + counts.failed, "{counts:?}");
}

#[test]
fn every_frame_of_a_source_that_waits_is_analysed_in_order() {
    let mut seen = Vec::new();
    let mut source = Burst { unreadable_every: 10, ..burst(40, Pacing::Lossless) };
    let outcome = run(&mut source, None, &Stop::default(), &mut analysis(), |event| {
        if let Event::Analysed(frame, ..) = event {
            seen.push(frame.number);
        }
        Ok(())
    });
    assert!(matches!(outcome.ended, Ended::SourceEnded));
    let wanted = Counts { captured: 36, analysed: 36, unreadable: 4, ..Counts::default() };
    assert_eq!(outcome.counts, wanted);
    assert_eq!(seen, (1..=40).filter(|number| number % 10 != 0).collect::<Vec<_>>());
}

#[test]
fn ten_times_too_many_frames_are_dropped_oldest_first_and_counted() {
    let mut seen = Vec::new();
    let mut slow = answers(|| {
        std::thread::sleep(Duration::from_millis(20));
        Ok(())
    });
    let outcome = run(&mut burst(1000, Pacing::Live), None, &Stop::default(), &mut slow, |event| {
        if let Event::Analysed(frame, ..) = event {
            seen.push(frame.number);
        }
        Ok(())
    });
    sums_up(outcome.counts);
    assert_eq!(outcome.counts.captured, 1000);
    assert!(outcome.counts.dropped > 0 && outcome.counts.analysed > 0, "{:?}", outcome.counts);
    assert!(seen.is_sorted());
    assert!(seen.ends_with(&[997, 998, 999, 1000]), "the newest are kept: {seen:?}");
}

#[test]
fn enough_frames_are_enough() {
    let outcome = run(&mut burst(u64::MAX, Pacing::Lossless), Some(7), &Stop::default(), &mut analysis(), |_| Ok(()));
    assert!(matches!(outcome.ended, Ended::EnoughFrames));
    assert_eq!(outcome.counts, Counts { captured: 7, analysed: 7, ..Counts::default() });
}

#[test]
fn a_stop_ends_an_endless_source_and_the_counts_sum_up() {
    for pacing in [Pacing::Live, Pacing::Lossless] {
        let stop = Stop::default();
        let outcome = run(&mut burst(u64::MAX, pacing), None, &stop, &mut analysis(), |event| {
            if matches!(event, Event::Analysed(..)) {
                stop.raise();
            }
            Ok(())
        });
        assert!(matches!(outcome.ended, Ended::Stopped));
        assert_eq!(outcome.counts.analysed, 1);
        sums_up(outcome.counts);
    }
}

#[test]
fn a_refused_frame_is_counted_and_a_broken_analysis_ends_the_run() {
    let mut calls = 0;
    let mut refuse = answers(|| {
        calls += 1;
        if calls == 2 { Err(Error::picture("too many cells", "fewer", "")) } else { Ok(()) }
    });
    let outcome = run(&mut burst(3, Pacing::Lossless), None, &Stop::default(), &mut refuse, |_| Ok(()));
    assert_eq!(outcome.counts, Counts { captured: 3, analysed: 2, failed: 1, ..Counts::default() });

    let mut broken = answers(|| Err(Error::internal("test", "broken")));
    let outcome = run(&mut burst(u64::MAX, Pacing::Lossless), None, &Stop::default(), &mut broken, |_| Ok(()));
    assert!(matches!(outcome.ended, Ended::Broke(Error::Internal { .. })));
    sums_up(outcome.counts);
}

#[test]
fn records_that_cannot_be_written_end_the_run() {
    let full = |_: Event<'_>| Err(Error::output(std::path::Path::new("x"), "no space"));
    let outcome = run(&mut burst(u64::MAX, Pacing::Live), None, &Stop::default(), &mut analysis(), full);
    assert!(matches!(outcome.ended, Ended::Broke(Error::Output { .. })));
    sums_up(outcome.counts);
}

#[test]
fn lost_late_and_torn_frames_break_nothing() {
    let faults = Faults { lost: 0.2, delayed: 0.2, delay: Duration::from_millis(1), torn: 0.3 };
    let mut source = Faulty::new(burst(200, Pacing::Lossless), faults, 4);
    let mut torn = 0;
    let outcome = run(&mut source, None, &Stop::default(), &mut analysis(), |event| {
        if let Event::Failed(_, error) = event {
            assert!(error.to_string().contains("torn"), "{error}");
            torn += 1;
        }
        Ok(())
    });
    sums_up(outcome.counts);
    assert!((20..=90).contains(&torn), "{torn}");
    assert_eq!(outcome.counts.failed, torn);
    assert!(outcome.counts.captured < 190 && outcome.counts.dropped == 0, "{:?}", outcome.counts);
}

#[test]
fn a_source_that_panics_is_an_error_not_a_hang() {
    #[derive(Debug)]
    struct Bomb;
    impl FrameSource for Bomb {
        fn name(&self) -> &str {
            "bomb"
        }
        fn describe(&self) -> String {
            String::new()
        }
        fn pacing(&self) -> Pacing {
            Pacing::Live
        }
        fn next_frame(&mut self, _now: Duration) -> Result<Next> {
            panic!("bang")
        }
    }
    let outcome = run(&mut Bomb, None, &Stop::default(), &mut analysis(), |_| Ok(()));
    assert!(matches!(outcome.ended, Ended::Broke(Error::Internal { .. })));
}
