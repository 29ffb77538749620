#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broken;
mod losses;
mod retention;

use std::time::{SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;
use crate::{
    fixture::{noon, record, run},
    store::{
        read::{Filter, Records},
        schema,
    },
};
use bloodseg_clock::VirtualClock;

const PLENTY: Retention = Retention { most_bytes: 1 << 30, most_age_ms: None, oldest_make_room: false };

fn open(folder: &Path, retention: Retention) -> (Keeper, Arc<VirtualClock>) {
    let clock = Arc::new(VirtualClock::at(noon()));
    let keeper = Keeper::open(folder, &run(Some(2.0)), &retention, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    (keeper, clock)
}

/// Numbers of the stored frames, as another process sees them.
fn numbers(folder: &Path) -> Vec<u64> {
    let mut numbers = Vec::new();
    let records = Records::open(folder).unwrap();
    records
        .whole_frames::<Error>(&Filter::default(), |frame, cells| {
            assert_eq!(cells.len() as i64, frame.cells, "a frame is whole");
            numbers.push(frame.number.cast_unsigned());
            Ok(())
        })
        .unwrap();
    numbers
}

fn events(folder: &Path) -> Vec<(String, String)> {
    let connection = store::open_to_read(&folder.join(store::FILE)).unwrap();
    let mut sql = connection.prepare("SELECT kind, text FROM events ORDER BY id").unwrap();
    sql.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(std::result::Result::unwrap).collect()
}

/// Simulates a disk with room for this many more pages.
fn leave_pages(keeper: &Keeper, pages: i64) {
    let connection = keeper.connection.as_ref().unwrap();
    let now: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    connection.query_row(&format!("PRAGMA max_page_count = {}", now + pages), [], |_| Ok(())).unwrap();
}

#[test]
fn acknowledged_frames_are_visible_and_later_run_appends() {
    let folder = tempfile::tempdir().unwrap();
    for of_run in 1..=2 {
        let (mut keeper, _) = open(folder.path(), PLENTY);
        assert_eq!(keeper.run_id(), Some(of_run));
        for (number, cells) in [(1, 30), (2, 0), (3, 1)] {
            assert_eq!(keeper.keep(&record(number, cells)), Kept::Durable);
            assert_eq!(numbers(folder.path()).last(), Some(&number));
        }
        let counters = keeper.end("enough frames", 0);
        assert_eq!((counters.kept, counters.lost, counters.deleted), (3, 0, 0));
        assert!(counters.bytes > 0);
    }
    assert_eq!(numbers(folder.path()), [1, 2, 3, 1, 2, 3]);
    let connection = store::open_to_read(&folder.path().join(store::FILE)).unwrap();
    let ended: i64 = connection
        .query_row("SELECT count(*) FROM runs WHERE ended = 'enough frames' AND not_kept = 0", [], |row| row.get(0))
        .unwrap();
    assert_eq!(ended, 2);
}

#[test]
fn full_disk_counts_lost_frames_and_keeps_again_with_space() {
    let folder = tempfile::tempdir().unwrap();
    let (mut keeper, _) = open(folder.path(), PLENTY);
    leave_pages(&keeper, 0);
    for number in 1..=5 {
        assert_eq!(keeper.keep(&record(number, 200)), Kept::NotKept);
    }
    leave_pages(&keeper, 100);
    assert_eq!(keeper.keep(&record(6, 200)), Kept::Durable);
    let counters = keeper.end("stopped", 0);
    assert_eq!((counters.kept, counters.lost, counters.events), (1, 5, 1));
    assert_eq!(numbers(folder.path()), [6]);
    let [(kind, text)] = &events(folder.path())[..] else { panic!("one event") };
    assert!(
        kind == "not-kept" && text.starts_with("5 frames were not kept") && text.contains("full"),
        "{kind}: {text}"
    );
}

#[test]
fn full_disk_keeps_acknowledged_frames_and_counts_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (mut keeper, _) = open(folder.path(), PLENTY);
    for number in 1..=100 {
        assert_eq!(keeper.keep(&record(number, 60)), Kept::Durable);
    }
    leave_pages(&keeper, 0);
    let kept = (101..=200).filter(|number| keeper.keep(&record(*number, 60)) == Kept::Durable).count();
    // Partly filled pages may hold one or two more.
    assert!(kept < 5, "{kept}");
    assert_eq!(numbers(folder.path()), (1..=100 + kept as u64).collect::<Vec<_>>());
    assert_eq!((keeper.counters().deleted, keeper.counters().lost), (0, 100 - kept as u64));
    leave_pages(&keeper, 10_000);
    assert_eq!(keeper.keep(&record(201, 60)), Kept::Durable);
}

#[test]
fn full_disk_deletes_oldest_frames_if_configured() {
    let folder = tempfile::tempdir().unwrap();
    let (mut keeper, _) = open(folder.path(), Retention { oldest_make_room: true, ..PLENTY });
    for number in 1..=100 {
        assert_eq!(keeper.keep(&record(number, 60)), Kept::Durable);
    }
    leave_pages(&keeper, 0);
    for number in 101..=400 {
        assert_eq!(keeper.keep(&record(number, 60)), Kept::Durable, "frame {number}");
    }
    let left = numbers(folder.path());
    assert_eq!(left.last(), Some(&400));
    assert!(left.len() >= 50 && left.windows(2).all(|pair| pair[1] == pair[0] + 1), "{left:?}");
    assert_eq!(keeper.counters().deleted, 400 - left.len() as u64);
}

#[test]
fn oversized_frames_on_full_disk_delete_a_bounded_share() {
    let folder = tempfile::tempdir().unwrap();
    let (mut keeper, _) = open(folder.path(), Retention { oldest_make_room: true, ..PLENTY });
    for number in 1..=200 {
        keeper.keep(&record(number, 60));
    }
    leave_pages(&keeper, 0);
    for number in 201..=220 {
        assert_eq!(keeper.keep(&record(number, 30_000)), Kept::NotKept);
    }
    let left = numbers(folder.path());
    assert!(left.len() >= 60 && left.last() == Some(&200), "{} frames left", left.len());
    assert_eq!(keeper.keep(&record(221, 60)), Kept::Durable);
}

#[test]
fn deleted_records_are_recreated() {
    let folder = tempfile::tempdir().unwrap();
    let (mut keeper, clock) = open(folder.path(), PLENTY);
    assert_eq!(keeper.keep(&record(1, 5)), Kept::Durable);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    clock.pass(Duration::from_secs(1));
    assert_eq!(keeper.keep(&record(2, 5)), Kept::Durable);
    assert_eq!((numbers(folder.path()), keeper.run_id()), (vec![2], Some(1)));
}

#[test]
fn unopenable_records_are_retried_after_delay() {
    let folder = tempfile::tempdir().unwrap();
    let (mut keeper, clock) = open(folder.path(), PLENTY);
    let path = folder.path().join(store::FILE);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    std::fs::create_dir(&path).unwrap();
    assert_eq!(keeper.keep(&record(1, 5)), Kept::NotKept);
    for number in 0..20 {
        keeper.event("test", &number.to_string());
    }
    std::fs::remove_dir(&path).unwrap();
    assert_eq!(keeper.keep(&record(2, 5)), Kept::NotKept, "it is too early to try again");
    clock.pass(MIN_RECORDS_RETRY);
    assert_eq!(keeper.keep(&record(3, 5)), Kept::Durable);
    assert_eq!((keeper.counters().lost, keeper.counters().lost_events), (2, 5));
    let texts: Vec<String> = events(folder.path()).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts.len(), EVENT_RING_LEN);
    assert_eq!(texts[0], "5", "the oldest events made way");
    assert!(texts[EVENT_RING_LEN - 1].starts_with("2 frames were not kept"), "{texts:?}");
}

#[test]
fn foreign_or_newer_database_is_rejected_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(store::FILE);
    let refused = || {
        let clock = Arc::new(VirtualClock::at(noon()));
        let error = Keeper::open(folder.path(), &run(None), &PLENTY, clock).unwrap_err();
        assert!(error.is_output(), "{error}");
        error.to_string()
    };
    std::fs::write(&path, "rubbish ".repeat(1000)).unwrap();
    assert!(refused().contains("no database"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "rubbish ".repeat(1000));
    std::fs::remove_file(&path).unwrap();
    drop(open(folder.path(), PLENTY));
    let newer = format!("ALTER TABLE runs ADD COLUMN later; PRAGMA user_version = {}", schema::VERSION + 1);
    Connection::open(&path).unwrap().execute_batch(&newer).unwrap();
    assert!(refused().contains("use the newer software"));
}

#[test]
fn next_keeper_continues_run() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(VirtualClock::at(noon()));
    let run = run(None);
    let open = || Keeper::open(folder.path(), &run, &PLENTY, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let mut first = open();
    first.keep(&record(1, 1));
    // As if its thread died or still hangs.
    std::mem::forget(first);
    let mut second = open();
    assert_eq!((second.keep(&record(2, 1)), second.run_id()), (Kept::Durable, Some(1)));
    assert_eq!(numbers(folder.path()), [1, 2]);
}

#[test]
fn event_text_is_truncated() {
    let folder = tempfile::tempdir().unwrap();
    let (mut keeper, _) = open(folder.path(), PLENTY);
    keeper.event("camera-lost", &"\u{e4}".repeat(1000));
    let [(kind, text)] = &events(folder.path())[..] else { panic!("one event") };
    assert_eq!((kind.as_str(), text.as_str()), ("camera-lost", &*"\u{e4}".repeat(MAX_EVENT_BYTES / 2)));
    assert_eq!(keeper.counters().events, 1);
}

#[test]
fn age_is_counted_in_running_time_not_wall_time() {
    let folder = tempfile::tempdir().unwrap();
    let hour = Duration::from_secs(3600);
    let day = Retention { most_bytes: 1 << 30, most_age_ms: Some(86_400_000), oldest_make_room: false };
    let far = UNIX_EPOCH + Duration::from_secs(20_000_000_000);
    // Three runs of ten hours each, with wall clocks that jump by centuries.
    for (of_run, wall) in [(0, noon()), (1, UNIX_EPOCH), (2, far)] {
        let (mut keeper, clock) = open(folder.path(), day);
        for number in 1..=10 {
            clock.set_wall(wall);
            assert_eq!(keeper.keep(&record(of_run * 10 + number, 3)), Kept::Durable);
            clock.pass(hour);
            clock.set_wall(SystemTime::UNIX_EPOCH);
        }
        keeper.keep(&record(100 + of_run, 0));
        keeper.end("stopped", 0);
    }
    // At the end the box has run for 30 hours: what was recorded in the first six is older than a day.
    let left = numbers(folder.path());
    assert_eq!((left.first(), left.last()), (Some(&7), Some(&102)));
    assert_eq!(left.len(), 33 - 6);
}

/// A mebibyte.
const MIB: u64 = 1 << 20;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 6 } else { 24 }))]

    #[test]
    fn newest_frame_is_kept_and_size_is_bounded(
        frames in prop::collection::vec((0_u16..900, any::<u32>(), 0_u64..100_000_000), 20..60),
        age_hours in prop::option::of(1_i64..200),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let retention = Retention { most_bytes: 4 * MIB, most_age_ms: age_hours.map(|hours| hours * 3_600_000), oldest_make_room: false };
        let (mut keeper, clock) = open(folder.path(), retention);
        for (number, (cells, wall, passed_ms)) in (1..).zip(frames) {
            // The wall clock jumps anywhere from 1970 to 2106.
            clock.set_wall(UNIX_EPOCH + Duration::from_secs(wall.into()));
            clock.pass(Duration::from_millis(passed_ms));
            prop_assert_eq!(keeper.keep(&record(number, cells)), Kept::Durable);
            let left = numbers(folder.path());
            prop_assert_eq!(left.last(), Some(&number));
            prop_assert!(left.windows(2).all(|pair| pair[1] == pair[0] + 1), "the oldest go first: {:?}", left);
            prop_assert!(keeper.counters().bytes <= 4 * MIB + MIB / 2, "{:?}", keeper.counters());
        }
        prop_assert_eq!(keeper.counters().lost, 0);
    }
}

#[test]
fn frame_above_size_limit_is_kept_and_reported_once() {
    let folder = tempfile::tempdir().unwrap();
    let (mut keeper, _) =
        open(folder.path(), Retention { most_bytes: 200_000, most_age_ms: None, oldest_make_room: false });
    for number in 1..=3 {
        assert_eq!(keeper.keep(&record(number, 8000)), Kept::Durable);
        assert_eq!(numbers(folder.path()), [number]);
    }
    let texts = events(folder.path());
    assert!(matches!(&texts[..], [(kind, _)] if kind == "too-large"), "{texts:?}");
    for number in 4..=40 {
        assert_eq!(keeper.keep(&record(number, 10)), Kept::Durable);
    }
    assert!(numbers(folder.path()).len() > 5);
}
