//! The corpora of the fuzz targets, and every input that once broke a parser, through the same functions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use bloodseg::foreign::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// Names in a folder, sorted; empty if there is no folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn feed_all(folder: &Path, meet: fn(&[u8]) -> bool) -> Vec<bool> {
    let names = names(folder);
    let met = names.iter().map(|name| {
        let path = folder.join(name);
        let bytes = std::fs::read(&path).unwrap();
        std::panic::catch_unwind(|| meet(&bytes)).unwrap_or_else(|_| panic!("{} breaks a promise", path.display()))
    });
    met.collect()
}

#[test]
fn every_parser_has_a_fuzz_target_and_a_corpus() {
    let parsers: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let targets: BTreeSet<String> =
        names(&fuzz().join("fuzz_targets")).iter().map(|name| name.trim_end_matches(".rs").to_owned()).collect();
    assert_eq!(targets, parsers);
    assert_eq!(names(&fuzz().join("corpus")), parsers);
    assert!(names(&fuzz().join("crashes")).is_subset(&parsers));
}

#[test]
fn corpora_keep_invariants_and_cover_both_outcomes() {
    for target in TARGETS {
        let taken = feed_all(&fuzz().join("corpus").join(target.name), target.meet);
        assert!(taken.contains(&true) && taken.contains(&false), "{}: {} files", target.name, taken.len());
    }
}

#[test]
fn known_crashes_no_longer_crash() {
    for target in TARGETS {
        feed_all(&fuzz().join("crashes").join(target.name), target.meet);
    }
}

/// Targets whose inputs are small and quick to parse.
const QUICK: [&str; 5] = ["config", "control", "drift", "sample", "validation"];

/// Replacement bytes that leave most texts parseable.
const LIKELY: &[u8] = b"0123456789-.e,[]\" \n";

proptest::proptest! {
    #[test]
    fn mutated_corpora_keep_invariants(
        target in proptest::sample::select(&QUICK), file: proptest::sample::Index,
        changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), proptest::sample::select(LIKELY)), 1..4),
    ) {
        let folder = fuzz().join("corpus").join(target);
        let names: Vec<String> = names(&folder).into_iter().collect();
        let mut bytes = std::fs::read(folder.join(file.get(&names))).unwrap();
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let meet = TARGETS.iter().find(|known| known.name == target).unwrap().meet;
        meet(&bytes);
    }
}
