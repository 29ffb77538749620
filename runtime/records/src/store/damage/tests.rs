//! After any byte of the records is changed, what is read is what was written, or is reported as damaged.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::*;
use crate::{
    error::{Error, Result},
    fixture::{noon, record_with_kinds, run},
    keeper::{Keeper, Kept},
    store::{
        FILE,
        read::{Filter, Records},
        retention::Retention,
    },
};
use bloodseg_clock::{Clock, VirtualClock};

const PLENTY: Retention = Retention { most_bytes: 1 << 30, most_age_ms: None, oldest_make_room: false };
const RUNS: u64 = 3;
const FRAMES: u64 = 12;

fn keeper(folder: &Path) -> Result<Keeper> {
    let clock = Arc::new(VirtualClock::at(noon())) as Arc<dyn Clock>;
    Keeper::open(folder, &run(Some(2.0)), &PLENTY, clock)
}

/// Records of a few runs; if `ended`, the log is merged into the database.
fn records(folder: &Path, ended: bool) -> PathBuf {
    for of_run in 1..=RUNS {
        let mut keeper = keeper(folder).unwrap();
        for number in 1..=FRAMES {
            assert_eq!(keeper.keep(&record_with_kinds(number, 3 * number as u16)), Kept::Durable);
        }
        keeper.event("kind", &format!("something of run {of_run}"));
        if ended || of_run < RUNS {
            keeper.end("stopped", 0);
        } else {
            // As after a power cut: the log stays.
            let log = fs::read(crate::store::log_of(&folder.join(FILE))).unwrap();
            let database = fs::read(folder.join(FILE)).unwrap();
            drop(keeper);
            fs::write(folder.join(FILE), database).unwrap();
            fs::write(crate::store::log_of(&folder.join(FILE)), log).unwrap();
        }
    }
    folder.join(FILE)
}

/// All rows that are read, one line each; frames without the data of their run, whose row may be damaged.
fn read(records: &Records) -> Result<BTreeSet<String>> {
    let mut lines = BTreeSet::new();
    records.whole_frames::<Error>(&Filter::default(), |frame, cells| {
        let mut frame = frame.clone();
        (frame.source, frame.started_utc_ms, frame.pitch_from) = Default::default();
        assert!(lines.insert(format!("{frame:?} {cells:?}")), "twice");
        Ok(())
    })?;
    if let Some((first, last)) = records.runs()? {
        for run in first..=last.min(first + 100) {
            if let Some(row) = records.run(run)?.filter(|row| row.source != "(damaged)") {
                lines.insert(format!("{row:?} {:?} {:?}", records.models(run)?, records.events(run, 99)?.0));
            }
        }
    }
    Ok(lines)
}

/// Random numbers, the same in every test run.
fn random() -> impl FnMut() -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// The outcome of one damage.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Intact,
    Reported,
    Refused,
    Silent(String),
}

fn outcome(folder: &Path, written: &BTreeSet<String>) -> Outcome {
    let Ok(records) = Records::open_checked(&folder.join(FILE)) else { return Outcome::Refused };
    let Ok(lines) = read(&records) else { return Outcome::Refused };
    let damage = records.damage();
    let others: Vec<_> = lines.difference(written).collect();
    // A run may be read without one of its events, or as it was before the log.
    let of_runs = damage.events > 0 || damage.log.is_some();
    if let Some(other) = others.iter().find(|line| line.starts_with("FrameRow") || !of_runs) {
        return Outcome::Silent(format!("another: {other} ({damage})"));
    }
    match (lines.len() == written.len() && others.is_empty(), damage.is_any()) {
        (true, false) => Outcome::Intact,
        (_, true) => Outcome::Reported,
        (false, false) => Outcome::Silent(format!("{} of {} rows", lines.len(), written.len())),
    }
}

#[test]
fn changed_database_byte_never_alters_value_silently() {
    let folder = tempfile::tempdir().unwrap();
    let path = records(folder.path(), true);
    let whole = fs::read(&path).unwrap();
    let written = read(&Records::open_checked(&path).unwrap()).unwrap();
    assert_eq!(written.len() as u64, RUNS * FRAMES + RUNS);
    let (mut random, mut counts) = (random(), [0; 3]);
    for damage in 0..600 {
        let mut bytes = whole.clone();
        // Every byte of the header, then anywhere.
        let at = if damage < 100 { damage } else { random() as usize % bytes.len() };
        let change = 1 << (random() % 8);
        bytes[at] ^= if damage % 3 == 2 { (random() % 255 + 1) as u8 } else { change };
        let copy = tempfile::tempdir().unwrap();
        fs::write(copy.path().join(FILE), bytes).unwrap();
        match outcome(copy.path(), &written) {
            Outcome::Intact => counts[0] += 1,
            Outcome::Reported => counts[1] += 1,
            Outcome::Refused => counts[2] += 1,
            Outcome::Silent(what) => panic!("damage {damage}, byte {at}: {what}"),
        }
    }
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[test]
fn changed_log_byte_never_loses_frame_silently() {
    let folder = tempfile::tempdir().unwrap();
    let path = records(folder.path(), false);
    let (database, log) = (fs::read(&path).unwrap(), fs::read(crate::store::log_of(&path)).unwrap());
    let beside = |folder: &Path, log: &[u8]| {
        fs::write(folder.join(FILE), &database).unwrap();
        fs::write(crate::store::log_of(&folder.join(FILE)), log).unwrap();
    };
    let written = {
        let copy = tempfile::tempdir().unwrap();
        beside(copy.path(), &log);
        let records = Records::open_checked(&copy.path().join(FILE)).unwrap();
        assert_eq!(records.damage(), &Damage::default());
        read(&records).unwrap()
    };
    let (mut random, mut said) = (random(), 0);
    for damage in 0..150 {
        let mut bytes = log.clone();
        let at = if damage < 32 { damage } else { random() as usize % bytes.len() };
        bytes[at] ^= (random() % 255 + 1) as u8;
        let copy = tempfile::tempdir().unwrap();
        beside(copy.path(), &bytes);
        match outcome(copy.path(), &written) {
            Outcome::Silent(what) => panic!("damage {damage}, byte {at} of {}: {what}", bytes.len()),
            Outcome::Reported => said += 1,
            _ => {}
        }
    }
    assert!(said > 50, "{said}");
}

#[test]
fn damage_does_not_prevent_keeping_frames() {
    let folder = tempfile::tempdir().unwrap();
    let path = records(folder.path(), true);
    let whole = fs::read(&path).unwrap();
    let mut random = random();
    for damage in 0..140 {
        let mut bytes = whole.clone();
        let at = if damage < 100 { damage } else { random() as usize % bytes.len() };
        bytes[at] ^= 1 << (random() % 8);
        let copy = tempfile::tempdir().unwrap();
        fs::write(copy.path().join(FILE), bytes).unwrap();
        let mut keeper = keeper(copy.path()).unwrap_or_else(|error| panic!("byte {at}: {error}"));
        for number in 1..=6 {
            assert_eq!(keeper.keep(&record_with_kinds(number, 3)), Kept::Durable, "byte {at}, frame {number}");
        }
        keeper.end("stopped", 0);
        drop(keeper);
        // Frames kept before the damage was detected are in the database that was moved aside.
        let aside = copy.path().join("records.damaged-1.sqlite");
        let mut kept = if aside.exists() { numbers(&aside).unwrap_or_default() } else { vec![] };
        kept.extend(numbers(copy.path()).unwrap_or_else(|error| panic!("byte {at}: {error}")));
        assert!(kept.ends_with(&[1, 2, 3, 4, 5, 6]), "byte {at}: {kept:?}");
    }
}

fn numbers(from: &Path) -> Result<Vec<i64>> {
    let mut numbers = Vec::new();
    Records::open_checked(from)?.whole_frames::<Error>(&Filter::default(), |frame, _| {
        numbers.push(frame.number);
        Ok(())
    })?;
    Ok(numbers)
}
