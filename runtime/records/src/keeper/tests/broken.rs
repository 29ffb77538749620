//! Records that cannot be written or read, at the start and during a run.

use std::fs;

use super::*;
use crate::limits::MAX_DAMAGED_DATABASES;

fn try_open(folder: &Path) -> crate::error::Result<Keeper> {
    Keeper::open(folder, &run(None), &PLENTY, Arc::new(VirtualClock::at(noon())))
}

#[cfg(unix)]
#[test]
fn starts_without_records_and_keeps_frames_once_they_open() {
    let folder = tempfile::tempdir().unwrap();
    // The target of the link is missing: not an error that a person must fix, because it may appear later.
    let away = folder.path().join("away");
    std::os::unix::fs::symlink(away.join(store::FILE), folder.path().join(store::FILE)).unwrap();
    let (mut keeper, clock) = open(folder.path(), PLENTY);
    assert_eq!((keeper.run_id(), keeper.keep(&record(1, 3))), (None, Kept::NotKept));
    fs::create_dir(&away).unwrap();
    clock.pass(MAX_RECORDS_RETRY);
    assert_eq!((keeper.keep(&record(2, 3)), keeper.run_id()), (Kept::Durable, Some(1)));
    assert_eq!(numbers(folder.path()), [2]);
    let [(kind, text)] = &events(folder.path())[..] else { panic!("one event") };
    assert!(kind == "not-kept" && text.contains("unable to open"), "{kind}: {text}");
}

#[test]
fn start_survives_concurrent_write_lock() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path(), PLENTY));
    let other = Connection::open(folder.path().join(store::FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (mut keeper, clock) = open(folder.path(), PLENTY);
    assert_eq!(keeper.keep(&record(1, 3)), Kept::NotKept);
    other.execute_batch("ROLLBACK").unwrap();
    clock.pass(MAX_RECORDS_RETRY);
    assert_eq!(keeper.keep(&record(2, 3)), Kept::Durable);
}

#[test]
fn start_fails_on_errors_a_person_must_fix() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    fs::create_dir_all(folder.path().join("a").join(store::FILE)).unwrap();
    for out in [file.clone(), file.join("below"), folder.path().join("a")] {
        let error = try_open(&out).unwrap_err();
        assert!(error.is_output(), "{}: {error}", out.display());
    }
}

/// Overwrites everything after the first page, as if the card had lost its blocks.
fn damage(folder: &Path) {
    let path = folder.join(store::FILE);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
}

/// Records with 100 frames and an empty log.
fn records_of_100(folder: &Path) {
    let (mut keeper, _) = open(folder, PLENTY);
    for number in 1..=100 {
        assert_eq!(keeper.keep(&record(number, 60)), Kept::Durable);
    }
    keeper.end("stopped", 0);
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn damaged_records_at_start_are_moved_aside_and_replaced() {
    let first_block: fn(&Path) = |folder| {
        let path = folder.join(store::FILE);
        let mut bytes = fs::read(&path).unwrap();
        bytes[..512].fill(0);
        fs::write(&path, bytes).unwrap();
    };
    for damage in [damage, first_block] {
        let folder = tempfile::tempdir().unwrap();
        records_of_100(folder.path());
        damage(folder.path());
        let damaged = fs::read(folder.path().join(store::FILE)).unwrap();
        let (mut keeper, _) = open(folder.path(), PLENTY);
        assert_eq!((keeper.keep(&record(1, 3)), keeper.run_id()), (Kept::Durable, Some(1)));
        assert_eq!(numbers(folder.path()), [1]);
        let texts = events(folder.path());
        assert!(
            matches!(&texts[..], [(kind, text)] if kind == "damaged" && text.contains("records.damaged-1.sqlite")),
            "{texts:?}"
        );
        keeper.end("stopped", 0);
        drop(keeper);
        assert_eq!(names(folder.path()), ["records.damaged-1.sqlite", store::FILE]);
        assert!(fs::read(folder.path().join("records.damaged-1.sqlite")).unwrap() == damaged, "it was changed");
    }
}

#[test]
fn damage_during_run_moves_records_aside_and_loses_no_frame() {
    let folder = tempfile::tempdir().unwrap();
    records_of_100(folder.path());
    let (mut keeper, _) = open(folder.path(), PLENTY);
    damage(folder.path());
    for number in 1..=20 {
        assert_eq!(keeper.keep(&record(number, 60)), Kept::Durable);
    }
    assert_eq!(keeper.end("stopped", 0).lost, 0);
    assert_eq!(numbers(folder.path()), (1..=20).collect::<Vec<_>>());
    assert_eq!(events(folder.path())[0].0, "damaged");
    let connection = store::open_to_read(&folder.path().join(store::FILE)).unwrap();
    let ended: String = connection.query_row("SELECT ended FROM runs", [], |row| row.get(0)).unwrap();
    assert_eq!(ended, "stopped");
}

#[test]
fn number_of_damaged_databases_is_limited() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..MAX_DAMAGED_DATABASES {
        records_of_100(folder.path());
        damage(folder.path());
    }
    records_of_100(folder.path());
    damage(folder.path());
    let before = names(folder.path());
    let (mut keeper, clock) = open(folder.path(), PLENTY);
    for number in 1..=5 {
        assert_eq!(keeper.keep(&record(number, 3)), Kept::NotKept);
        clock.pass(MAX_RECORDS_RETRY);
    }
    assert_eq!(keeper.end("stopped", 0).lost, 5);
    assert_eq!(names(folder.path()), before);
    // A person removes one of them.
    fs::remove_file(folder.path().join("records.damaged-2.sqlite")).unwrap();
    let (mut keeper, _) = open(folder.path(), PLENTY);
    assert_eq!(keeper.keep(&record(6, 3)), Kept::Durable);
}
