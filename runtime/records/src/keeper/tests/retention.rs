//! What is deleted when there is too much, and what is not.

use super::*;
use crate::store::limits::{MAX_EMPTY_RUNS, RETENTION_STEP_RUNS};

fn runs(folder: &Path) -> Vec<i64> {
    let connection = store::open_to_read(&folder.join(store::FILE)).unwrap();
    let mut sql = connection.prepare("SELECT id FROM runs ORDER BY id").unwrap();
    sql.query_map([], |row| row.get(0)).unwrap().map(std::result::Result::unwrap).collect()
}

#[test]
fn crash_loop_leaves_bounded_number_of_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (mut first, _) = open(folder.path(), PLENTY);
    first.keep(&record(1, 1));
    drop(first);
    let starts = 3 * MAX_EMPTY_RUNS;
    for number in 2..=starts {
        let (mut keeper, _) = open(folder.path(), PLENTY);
        assert_eq!(keeper.run_id(), Some(number));
        keeper.event("died", "on purpose");
    }
    // The run with a frame, the latest ones without, and the current one.
    let wanted: Vec<i64> = [1].into_iter().chain(starts - MAX_EMPTY_RUNS + 1..=starts).collect();
    assert_eq!(runs(folder.path()), wanted);
    assert_eq!(events(folder.path()).len() as i64, MAX_EMPTY_RUNS, "with their events");
}

#[test]
fn empty_runs_are_deleted_in_bounded_steps() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path(), PLENTY));
    let before = 20_000;
    let other = store::open_to_write(&folder.path().join(store::FILE)).unwrap();
    let many = format!(
        "BEGIN;
         WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {before})
         INSERT INTO runs SELECT n.i, n.i, 0, 0, source, '', NULL, '', 4, '', '', NULL, NULL, 0, 0 FROM runs, n WHERE id = 1;
         INSERT INTO events SELECT NULL, id, 0, 0, 'died', '', 0 FROM runs ORDER BY id DESC LIMIT 10000;
         COMMIT"
    );
    other.execute_batch(&many).unwrap();
    drop(other);
    let step = i64::from(RETENTION_STEP_RUNS);
    for start in 1..=3 {
        drop(open(folder.path(), PLENTY));
        let left = runs(folder.path());
        assert_eq!((left[0], left.len() as i64), (start * step + 1, before + start * (1 - step)));
    }
    // Runs whose frames were deleted are also deleted in steps.
    let (mut keeper, clock) = open(folder.path(), Retention { most_age_ms: Some(1000), ..PLENTY });
    let left = runs(folder.path()).len();
    keeper.keep(&record(1, 1));
    clock.pass(Duration::from_secs(10));
    keeper.keep(&record(2, 1));
    assert_eq!(numbers(folder.path()), [2]);
    assert_eq!(runs(folder.path()).len() as i64, left as i64 - step);
}

#[test]
fn log_growth_from_stalled_reader_deletes_no_frame() {
    let folder = tempfile::tempdir().unwrap();
    let (mut keeper, _) = open(folder.path(), Retention { most_bytes: 8 * MIB, ..PLENTY });
    assert_eq!(keeper.keep(&record(1, 600)), Kept::Durable);
    let reader = store::open_to_read(&folder.path().join(store::FILE)).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM frames").unwrap();
    let used = |keeper: &Keeper| Bytes::of(keeper.connection.as_ref().unwrap(), &keeper.log).unwrap().used;
    let mut number = 1;
    // A little more than half of the limit.
    while used(&keeper) < 5 * MIB && keeper.counters().deleted == 0 {
        number += 1;
        assert_eq!(keeper.keep(&record(number, 600)), Kept::Durable);
    }
    assert!(std::fs::metadata(&keeper.log).unwrap().len() > 4 * MIB, "the reader holds it up");
    assert_eq!(keeper.counters().deleted, 0, "of {number} frames");
    // The ordinary length of the log counts: the oldest frames are deleted before the records reach their limit.
    for number in number + 1..=number + 200 {
        assert_eq!(keeper.keep(&record(number, 600)), Kept::Durable);
    }
    assert!(keeper.counters().deleted > 0);
    drop(reader);
    assert_eq!(keeper.keep(&record(1000, 600)), Kept::Durable);
    assert_eq!(numbers(folder.path()).len() as u64 + keeper.counters().deleted, number + 201);
}
