//! Runs in virtual time: hours in milliseconds, the same each time.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, UNIX_EPOCH},
};

use super::made_up::{Burst, Fate, Parts, Virtual, assert_counts_add_up, burst};
use crate::{
    camera::{
        Clockwork, Pacing,
        device::scripted::{Deed, Scripted, offer},
        live::{Camera, Wanted},
    },
    run::{
        limits::{
            ANALYSIS_STALL, CAPTURE_STALL, FRAME_QUEUE_LEN, MAX_RECORDS_END, MAX_RESTARTS_IN_VAIN, RECORDS_STALL,
            WATCHDOG,
        },
        state::Reason,
        *,
    },
};
use bloodseg_vision::error as vision;

const HOUR: Duration = Duration::from_secs(3600);

fn every_second() -> Burst {
    Burst { clock: Some(Clockwork::new(1.0)), ..burst(u64::MAX, Pacing::Live) }
}

#[test]
fn records_three_days_at_one_frame_per_second() {
    let mut parts = Parts::new();
    let stop = Arc::clone(&parts.stop);
    let seen = Arc::clone(&parts.seen);
    let mut it = Virtual::begin(every_second(), &mut parts, &stop);
    assert!(it.pass(72 * HOUR).is_none());
    assert_eq!(it.states, [State::Running]);
    assert!(it.longest_silence() < WATCHDOG, "{:?}", it.longest_silence());
    let counts = it.shared.counts();
    assert!((259_199..=259_201).contains(&counts.analysed), "{counts:?}");
    assert_eq!((counts.dropped, counts.failed, counts.not_kept), (0, 0, 0));
    stop.raise();
    let outcome = it.pass(HOUR).unwrap();
    assert_counts_add_up(outcome.counts);
    assert_eq!(seen.kept.lock().unwrap().len() as u64, outcome.counts.analysed);
}

#[test]
fn wall_clock_jumps_do_not_affect_run() {
    let mut parts = Parts::new();
    let stop = Arc::clone(&parts.stop);
    let mut it = Virtual::begin(every_second(), &mut parts, &stop);
    for years in [60_u64, 0, 120, 5, 200] {
        it.clock.set_wall(UNIX_EPOCH + Duration::from_secs(years * 365 * 86_400));
        assert!(it.pass(HOUR).is_none());
    }
    assert_eq!(it.states, [State::Running]);
    assert!((18_000..=18_001).contains(&it.shared.counts().analysed), "{:?}", it.shared.counts());
}

#[test]
fn hanging_capture_is_replaced_while_others_continue() {
    let mut parts = Parts::new();
    parts.sources.push_back(Box::new(every_second()));
    let (stop, seen) = (Arc::clone(&parts.stop), Arc::clone(&parts.seen));
    let mut it = Virtual::begin(every_second(), &mut parts, &stop);
    it.pass(Duration::from_secs(10));
    let hang = it.shared.now() + HOUR;
    it.run.crew().hang(Stage::Capture, hang);
    it.pass(CAPTURE_STALL + Duration::from_secs(20));
    assert_eq!(it.states, [State::Running, State::Recovering(Stage::Capture), State::Running]);
    assert!(it.longest_silence() < WATCHDOG);
    let before = it.shared.counts().analysed;
    it.pass(Duration::from_secs(100));
    assert!(it.shared.counts().analysed >= before + 99);
    let kept = seen.kept.lock().unwrap();
    assert!(kept.windows(2).all(|pair| pair[1] == pair[0] + 1), "numbers go on: {kept:?}");
    drop(kept);
    assert!(seen.happened.lock().unwrap().iter().any(|line| line == "stalled capture"));
}

#[test]
fn camera_with_only_unreadable_frames_counts_as_away() {
    let mut parts = Parts::new();
    let stop = Arc::clone(&parts.stop);
    let rubbish = Burst { unreadable_every: 1, ..every_second() };
    let mut it = Virtual::begin(rubbish, &mut parts, &stop);
    it.pass(Duration::from_secs(60));
    assert_eq!(it.states.last(), Some(&State::Degraded(Reason::CameraAway)));
}

#[test]
fn hanging_disk_at_run_end_times_out_and_lost_records_are_counted() {
    let mut parts = Parts::new();
    let stop = Arc::clone(&parts.stop);
    let mut it = Virtual::begin(Burst { left: 3, ..every_second() }, &mut parts, &stop);
    it.run.crew().hang(Stage::Records, 24 * HOUR);
    let outcome = it.pass(2 * MAX_RECORDS_END).unwrap();
    assert!(matches!(outcome.ended, Ended::SourceEnded), "{outcome:?}");
    assert_eq!((outcome.counts.analysed, outcome.counts.not_kept, outcome.hanging), (3, 3, 1));
}

#[test]
fn hanging_analysis_is_given_up_and_records_are_closed() {
    let mut parts = Parts::new();
    let (stop, seen) = (Arc::clone(&parts.stop), Arc::clone(&parts.seen));
    let mut it = Virtual::begin(every_second(), &mut parts, &stop);
    it.pass(Duration::from_secs(10));
    it.run.crew().hang(Stage::Analysis, HOUR * 1000);
    let outcome = it.pass(ANALYSIS_STALL + Duration::from_secs(10)).expect("given up");
    assert!(
        matches!(outcome.ended, Ended::Broke(Error::Vision(vision::Error::Internal { place: "analysis", .. }))),
        "{outcome:?}"
    );
    assert_counts_add_up(outcome.counts);
    assert!(it.shared.now() < WATCHDOG, "the run helps itself before the service manager does");
    assert_eq!(seen.ends.load(Relaxed), 1);
    assert!(seen.happened.lock().unwrap().iter().any(|line| line.starts_with("given up analysis")));
}

#[test]
fn unresponsive_disk_degrades_run_while_analysis_continues() {
    let mut parts = Parts::new();
    let (stop, seen) = (Arc::clone(&parts.stop), Arc::clone(&parts.seen));
    let mut it = Virtual::begin(every_second(), &mut parts, &stop);
    it.pass(Duration::from_secs(10));
    let hang = it.shared.now() + Duration::from_secs(100);
    it.run.crew().hang(Stage::Records, hang);
    it.pass(RECORDS_STALL + Duration::from_secs(30));
    assert_eq!(it.states, [State::Running, State::Degraded(Reason::RecordsStand)]);
    it.pass(Duration::from_secs(100));
    assert_eq!(it.states.last(), Some(&State::Running));
    let counts = it.shared.counts();
    assert!(counts.analysed >= 139 && counts.dropped == 0, "{counts:?}");
    assert!((80..=95).contains(&counts.not_kept), "what found no room is counted: {counts:?}");
    assert_eq!(seen.kept.lock().unwrap().len() as u64, counts.analysed - counts.not_kept);
    assert!(it.longest_silence() < Duration::from_secs(3));
}

#[test]
fn full_disk_degrades_run_until_space_is_freed() {
    let mut parts = Parts::new();
    let (stop, seen) = (Arc::clone(&parts.stop), Arc::clone(&parts.seen));
    let mut it = Virtual::begin(every_second(), &mut parts, &stop);
    it.pass(Duration::from_secs(10));
    seen.disk_full.store(true, Relaxed);
    it.pass(Duration::from_secs(50));
    assert_eq!(it.states, [State::Running, State::Degraded(Reason::RecordsNotKept)]);
    seen.disk_full.store(false, Relaxed);
    it.pass(Duration::from_secs(10));
    assert_eq!(it.states.last(), Some(&State::Running));
    assert!((49..=51).contains(&it.shared.counts().not_kept), "{:?}", it.shared.counts());
}

#[test]
fn analysis_failing_on_every_frame_is_given_up_with_reason() {
    let mut parts = Parts::new();
    parts.deal([Fate::Broken; 100]);
    let stop = Arc::clone(&parts.stop);
    let mut it = Virtual::begin(every_second(), &mut parts, &stop);
    let outcome = it.pass(HOUR).expect("given up");
    assert!(
        matches!(outcome.ended, Ended::Broke(Error::Vision(vision::Error::Internal { place: "test", .. }))),
        "{outcome:?}"
    );
    assert_counts_add_up(outcome.counts);
    assert_eq!(outcome.counts.failed, u64::from(MAX_RESTARTS_IN_VAIN) + 1);
    assert_eq!(parts.whys.len() as u32, MAX_RESTARTS_IN_VAIN);
}

#[test]
fn many_consecutive_refused_frames_degrade_run() {
    let mut parts = Parts::new();
    parts.deal([Fate::Refused; 30]);
    let stop = Arc::clone(&parts.stop);
    let mut it = Virtual::begin(every_second(), &mut parts, &stop);
    it.pass(Duration::from_secs(20));
    assert_eq!(it.states.last(), Some(&State::Degraded(Reason::FramesRefused)));
    it.pass(Duration::from_secs(20));
    assert_eq!(it.states.last(), Some(&State::Running));
}

#[test]
fn stop_ends_within_grace_period_when_all_stages_hang() {
    let mut parts = Parts::new();
    let stop = Arc::clone(&parts.stop);
    let mut it = Virtual::begin(every_second(), &mut parts, &stop);
    it.pass(Duration::from_secs(5));
    for stage in Stage::ALL {
        it.run.crew().hang(stage, HOUR * 1000);
    }
    stop.raise();
    let outcome = it.pass(crate::run::limits::MAX_STOP_TIME + Duration::from_secs(1)).expect("ended");
    assert!(outcome.hanging > 0);
    assert_counts_add_up(outcome.counts);
}

#[test]
fn virtual_runs_are_deterministic() {
    let once = || {
        let mut parts = Parts::new();
        parts.deal([Fate::Good, Fate::Panic, Fate::Refused, Fate::Good, Fate::Broken]);
        let stop = Arc::clone(&parts.stop);
        let mut it = Virtual::begin(every_second(), &mut parts, &stop);
        it.pass(HOUR);
        let reported = (it.states.clone(), it.fed_at.clone(), it.shared.counts());
        drop(it);
        (reported, parts.kept(), parts.happened())
    };
    assert_eq!(once(), once());
}

#[test]
fn thousand_unplugs_lose_no_delivered_frame() {
    const UNPLUGS: u32 = 1000;
    // One frame between unplugs, away for 0 to 6 attempts to open; then it stays plugged in.
    let deeds = (0..UNPLUGS).flat_map(|n| [Deed::Frame([90, 128].repeat(80 * 60)), Deed::Unplug(n % 7)]);
    let script = Scripted::new(offer(b"YUYV", 80, 60), deeds.chain([Deed::Frame([90, 128].repeat(80 * 60))]));
    let camera = Camera::open("camera0", "/dev/video0".into(), Box::new(script), Wanted::default()).unwrap();
    let mut parts = Parts::new();
    let (stop, seen) = (Arc::clone(&parts.stop), Arc::clone(&parts.seen));
    let mut it = Virtual::begin(camera, &mut parts, &stop);
    while it.shared.counts().captured <= u64::from(UNPLUGS) {
        assert!(it.pass(Duration::from_secs(1)).is_none() && it.shared.now() < 10 * HOUR, "{:?}", it.shared.camera());
    }
    let camera = it.shared.camera().unwrap();
    assert_eq!((camera.lost, camera.frames), (u64::from(UNPLUGS), u64::from(UNPLUGS) + 1));
    assert_eq!(camera.reopened, u64::from(UNPLUGS));
    assert_eq!(*seen.kept.lock().unwrap(), (1..=u64::from(UNPLUGS) + 1).collect::<Vec<_>>());
    assert!(it.longest_silence() < WATCHDOG);
    assert!(it.states.contains(&State::Degraded(Reason::CameraAway)), "{:?}", it.states);
    assert!(it.states.iter().all(|state| !matches!(state, State::Recovering(_))), "a cable is no fault of a stage");
    let counts = it.shared.counts();
    assert_eq!((counts.dropped, counts.failed, counts.not_kept), (0, 0, 0));
}

#[test]
fn analysed_frame_lags_at_most_the_queue_length() {
    let mut parts = Parts::new();
    let (stop, seen) = (Arc::clone(&parts.stop), Arc::clone(&parts.seen));
    let fast = Burst { clock: Some(Clockwork::new(10.0)), ..burst(u64::MAX, Pacing::Live) };
    let mut it = Virtual::begin(fast, &mut parts, &stop);
    // The analysis runs once a second, at ten frames a second.
    for _ in 0..600 {
        let hang = it.shared.now() + Duration::from_secs(1);
        it.run.crew().hang(Stage::Analysis, hang);
        assert!(it.pass(Duration::from_secs(1)).is_none());
        let captured = it.shared.counts().captured;
        if let Some(newest) = seen.kept.lock().unwrap().last() {
            assert!(captured - newest <= 10 + FRAME_QUEUE_LEN as u64, "{newest} of {captured}");
        }
    }
    let kept = seen.kept.lock().unwrap();
    let counts = it.shared.counts();
    assert!(counts.dropped > counts.analysed && kept.is_sorted(), "{counts:?}");
    let waiting = counts.captured - counts.analysed - counts.dropped - counts.failed;
    assert!(waiting <= FRAME_QUEUE_LEN as u64, "{counts:?}");
}
