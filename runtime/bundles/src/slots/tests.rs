//! The slots through installations, trials, damage and rollbacks, with real files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::error::ErrorKind;
use bloodseg_vision::error;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::bundle::{
    accept::{Accepted, accept},
    key::SecretKey,
    pack,
    signature::Keys,
};
use bloodseg_clock::VirtualClock;
use bloodseg_tiny_models as fixture;

/// A bundle of the fixture's models with the given version; signed if a key is given.
pub(crate) fn accepted(version: &str, key: Option<&SecretKey>) -> Accepted {
    let [(ssr_text, ssr), (unet_text, unet)] = [fixture::ssr(), fixture::unet()].map(|mut draft| {
        draft.manifest.version = version.into();
        fixture::files(&draft)
    });
    let bytes = pack([ssr_text.as_bytes(), &ssr, unet_text.as_bytes(), &unet], Some(version.as_bytes())).unwrap();
    let mut keys = Keys::default();
    let signature = key.map(|key| {
        keys.add(&key.public_line(), "test").unwrap();
        key.sign(&bytes, version)
    });
    accept(bytes, signature, &keys, key.is_none(), "test").unwrap()
}

struct Bench {
    folder: tempfile::TempDir,
    slots: Slots,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let clock = VirtualClock::at(UNIX_EPOCH + Duration::from_secs(1_000_000_000));
    let slots = Slots::with(&folder.path().join("slots"), Box::new(RealFiles), Arc::new(clock));
    Bench { folder, slots }
}

impl Bench {
    fn install(&self, version: &str) {
        self.slots.install(&accepted(version, None)).unwrap();
    }

    fn install_and_confirm(&self, version: &str) {
        self.install(version);
        self.slots.confirm(&self.slots.begin_run().unwrap().running).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("slots").join(name)
    }
}

/// The version of the running models.
pub(super) fn version(active: &Active) -> &str {
    &active.contents.models.unet.manifest.version
}

fn built_in() -> String {
    Models::embedded().unwrap().unet.manifest.version
}

#[test]
fn unused_slots_load_built_in_models_and_write_nothing() {
    let bench = bench();
    let active = bench.slots.begin_run().unwrap();
    assert_eq!(
        (version(&active), active.running.place, active.running.on_trial),
        (built_in().as_str(), Place::BuiltIn, false)
    );
    assert_eq!(active.running.fell_back, None);
    assert!(!bench.file("").exists());
    assert!(bench.slots.roll_back().is_err() && bench.slots.fall_back(&active.running, "x").is_err());
}

#[test]
fn installed_bundle_is_on_trial_until_confirmed_and_slots_alternate() {
    let bench = bench();
    bench.install("1");
    let active = bench.slots.begin_run().unwrap();
    assert_eq!((version(&active), active.running.place, active.running.on_trial), ("1", Place::A, true));
    assert_eq!(bench.slots.state().unwrap().trial_starts, Some(1));
    bench.slots.confirm(&active.running).unwrap();
    assert!(!bench.slots.begin_run().unwrap().running.on_trial);
    for (new, place) in [("2", Place::B), ("3", Place::A), ("4", Place::B)] {
        bench.install_and_confirm(new);
        let active = bench.slots.load().unwrap();
        assert_eq!((version(&active), active.running.place), (new, place));
    }
    let state = bench.slots.state().unwrap();
    assert_eq!((state.previous, state.a.unwrap().unet_version.as_str()), (Place::A, "3"));
    assert_eq!(state.b.unwrap().installed_utc, "20010909T014640Z");
}

#[test]
fn unconfirmed_starts_roll_back_to_confirmed_models() {
    let bench = bench();
    bench.install_and_confirm("1");
    bench.install("2");
    for start in 1..=MAX_TRIAL_STARTS {
        // A killed process does nothing more.
        assert_eq!(version(&bench.slots.begin_run().unwrap()), "2", "start {start}");
    }
    let active = bench.slots.begin_run().unwrap();
    assert_eq!((version(&active), active.running.on_trial), ("1", false));
    assert!(active.running.fell_back.unwrap().starts_with("3 starts without 20 frames"));
    let state = bench.slots.state().unwrap();
    assert!(state.went_back.as_ref().unwrap().reason.contains("3 starts"));
    assert_eq!(state.went_back.unwrap().bundle_sha256, state.b.unwrap().bundle_sha256);
    assert_eq!(bench.slots.begin_run().unwrap().running.fell_back, None);
}

#[test]
fn orderly_end_does_not_count_as_a_trial_start() {
    let bench = bench();
    bench.install("1");
    for _ in 0..3 * MAX_TRIAL_STARTS {
        let active = bench.slots.begin_run().unwrap();
        assert_eq!((version(&active), active.running.on_trial), ("1", true));
        bench.slots.ended_well(&active.running).unwrap();
    }
    let _ = bench.slots.begin_run().unwrap();
    bench.slots.ended_well(&bench.slots.begin_run().unwrap().running).unwrap();
    assert_eq!(bench.slots.state().unwrap().trial_starts, Some(1));
}

#[test]
fn failed_models_roll_back_with_reason_and_are_not_used_again() {
    let bench = bench();
    bench.install_and_confirm("1");
    bench.install("2");
    let failed = bench.slots.begin_run().unwrap();
    let active = bench.slots.fall_back(&failed.running, "the engine failed").unwrap();
    assert_eq!(
        (version(&active), active.running.on_trial, active.running.fell_back.as_deref()),
        ("1", false, Some("the engine failed"))
    );
    // Rolling back twice has no further effect.
    assert_eq!(version(&bench.slots.fall_back(&failed.running, "again").unwrap()), "1");
    let last = bench.slots.fall_back(&active.running, "this one too").unwrap();
    assert_eq!((version(&last), last.running.place), (built_in().as_str(), Place::BuiltIn));
    assert_eq!(bench.slots.state().unwrap().went_back.unwrap().reason, "this one too");
}

#[test]
fn running_models_do_not_affect_newly_installed_ones() {
    let bench = bench();
    bench.install_and_confirm("1");
    let running = bench.slots.begin_run().unwrap();
    bench.install("2");
    bench.slots.confirm(&running.running).unwrap();
    bench.slots.ended_well(&running.running).unwrap();
    assert_eq!(bench.slots.state().unwrap().trial_starts, Some(0));
    assert_eq!(version(&bench.slots.fall_back(&running.running, "old").unwrap()), "2");
    assert_eq!(bench.slots.state().unwrap().went_back, None);
}

#[test]
fn install_replaces_trial_models_and_keeps_confirmed_ones() {
    let bench = bench();
    bench.install_and_confirm("1");
    for new in ["2", "3", "4"] {
        bench.install(new);
        assert_eq!(version(&bench.slots.begin_run().unwrap()), new);
    }
    bench.slots.roll_back().unwrap();
    let active = bench.slots.load().unwrap();
    assert_eq!((version(&active), active.running.place, &active.running.fell_back), ("1", Place::A, &None));
    assert_eq!(bench.slots.state().unwrap().went_back.unwrap().reason, "rolled back by hand");
    bench.slots.roll_back().unwrap();
    assert_eq!(bench.slots.load().unwrap().running.place, Place::BuiltIn);
    assert!(bench.slots.roll_back().unwrap_err().to_string().contains("built-in models are active"));
}

#[test]
fn damaged_active_slot_falls_back_to_other_slot() {
    let bench = bench();
    bench.install_and_confirm("1");
    bench.install_and_confirm("2");
    let state = std::fs::read(bench.file("state.toml")).unwrap();
    let whole = std::fs::read(bench.file("b.bloodseg")).unwrap();
    for at in (0..whole.len()).step_by(13) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(bench.file("b.bloodseg"), bytes).unwrap();
        // Commands other than `run` record nothing.
        let active = bench.slots.load().unwrap();
        assert_eq!((version(&active), active.running.place), ("1", Place::A), "byte {at}");
        assert_eq!(std::fs::read(bench.file("state.toml")).unwrap(), state);
    }
    std::fs::remove_file(bench.file("b.bloodseg")).unwrap();
    let active = bench.slots.begin_run().unwrap();
    assert!(version(&active) == "1" && active.running.fell_back.unwrap().contains("slot b"));
    assert_eq!(bench.slots.state().unwrap().active, Place::A);
    std::fs::write(bench.file("a.bloodseg"), b"bloodseg").unwrap();
    let active = bench.slots.begin_run().unwrap();
    assert!(active.running.place == Place::BuiltIn && active.running.fell_back.unwrap().contains("slot a"));
}

#[test]
fn damaged_state_loads_built_in_models_until_next_install() {
    let bench = bench();
    bench.install_and_confirm("1");
    let whole = std::fs::read_to_string(bench.file("state.toml")).unwrap();
    let unknown_slot = whole.replace("active = \"a\"", "active = \"b\"");
    for text in ["", "x", &whole[..whole.len() / 2], &whole.replace("format = 1", "format = 2"), &unknown_slot] {
        std::fs::write(bench.file("state.toml"), text).unwrap();
        let active = bench.slots.begin_run().unwrap();
        assert!(
            active.running.place == Place::BuiltIn && active.running.fell_back.unwrap().contains("state.toml"),
            "{text}"
        );
    }
    bench.install_and_confirm("2");
    assert_eq!(version(&bench.slots.begin_run().unwrap()), "2");
}

#[test]
fn signature_is_stored_with_bundle_and_stale_one_removed() {
    let bench = bench();
    let key = SecretKey::generate().unwrap();
    let signed = accepted("1", Some(&key));
    assert_eq!(bench.slots.install(&signed).unwrap().a.unwrap().key_id, Some(key.id().to_string()));
    assert_eq!(bench.slots.signed_at(Place::A).unwrap(), (signed.bytes, signed.signature));
    // On trial: the same slot is used again.
    bench.install("2");
    assert_eq!(bench.slots.signed_at(Place::A).unwrap().1, None);
    let mut names: Vec<_> = std::fs::read_dir(bench.file(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["a.bloodseg", "state.toml"]);
}

#[test]
fn read_only_folder_runs_confirmed_models_only() {
    let bench = bench();
    bench.install_and_confirm("1");
    bench.install("2");
    let read_only = Slots::with(bench.slots.folder(), Box::new(ReadOnly), Arc::new(SystemClock::start()));
    let active = read_only.begin_run().unwrap();
    assert!(version(&active) == "1" && active.running.fell_back.unwrap().contains("cannot be counted"));
    assert_eq!(version(&read_only.load().unwrap()), "2");
    bench.slots.confirm(&bench.slots.begin_run().unwrap().running).unwrap();
    let active = read_only.begin_run().unwrap();
    assert_eq!((version(&active), &active.running.fell_back), ("2", &None));
}

/// A file system that is mounted read-only.
#[derive(Debug)]
struct ReadOnly;

impl Files for ReadOnly {
    fn read(&self, path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
        RealFiles.read(path, most_bytes)
    }
    fn make_folder(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn write(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn sync(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn lock(&self, folder: &Path) -> io::Result<Box<dyn Send>> {
        RealFiles.lock(folder)
    }
}

/// The real file system, except that one file cannot be read now, or another process holds the lock.
#[derive(Debug)]
enum FaultyFiles {
    Unreadable(&'static str),
    Held,
}

impl Files for FaultyFiles {
    fn read(&self, path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
        match self {
            // EIO.
            Self::Unreadable(name) if path.ends_with(name) => Err(io::Error::from_raw_os_error(5)),
            _ => RealFiles.read(path, most_bytes),
        }
    }
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        RealFiles.make_folder(path)
    }
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        RealFiles.write(path, bytes)
    }
    fn sync(&self, path: &Path) -> io::Result<()> {
        RealFiles.sync(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFiles.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealFiles.remove(path)
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        RealFiles.sync_folder(path)
    }
    fn lock(&self, folder: &Path) -> io::Result<Box<dyn Send>> {
        match self {
            Self::Held => Err(io::ErrorKind::WouldBlock.into()),
            Self::Unreadable(_) => RealFiles.lock(folder),
        }
    }
}

impl Bench {
    fn with_fault(&self, files: FaultyFiles) -> Slots {
        Slots::with(self.slots.folder(), Box::new(files), Arc::new(SystemClock::start()))
    }
}

#[test]
fn install_fails_if_state_is_temporarily_unreadable() {
    let bench = bench();
    for version in ["1", "2"] {
        bench.install_and_confirm(version);
    }
    let files = || ["state.toml", "a.bloodseg", "b.bloodseg"].map(|name| std::fs::read(bench.file(name)).unwrap());
    let before = files();
    let failing = bench.with_fault(FaultyFiles::Unreadable("state.toml"));
    let error = failing.install(&accepted("3", None)).unwrap_err();
    assert!(
        error.kind() == ErrorKind::Vision(error::ErrorKind::Output) && error.to_string().contains("cannot be read"),
        "{error}"
    );
    assert!(files() == before, "something was overwritten");
    // A damaged state names nothing, and must not remain while a slot is overwritten.
    std::fs::write(bench.file("state.toml"), "damaged").unwrap();
    let failing = bench.with_fault(FaultyFiles::Unreadable("a.bloodseg"));
    failing.install(&accepted("3", None)).unwrap_err();
    let state = bench.slots.state().unwrap();
    assert_eq!((state.active, state.a), (Place::BuiltIn, None));
}

#[test]
fn locked_slots_record_nothing_and_models_still_run() {
    let bench = bench();
    bench.install_and_confirm("1");
    bench.install("2");
    let state = || std::fs::read(bench.file("state.toml")).unwrap();
    let before = state();
    let held = bench.with_fault(FaultyFiles::Held);
    let active = held.begin_run().unwrap();
    assert_eq!((version(&active), active.running.on_trial), ("1", false), "an uncounted trial could continue forever");
    assert!(active.running.fell_back.unwrap().contains("models install"));
    let on_trial = held.load().unwrap().running;
    let refusals = [
        held.confirm(&on_trial).unwrap_err(),
        held.ended_well(&on_trial).unwrap_err(),
        held.roll_back().unwrap_err(),
        held.install(&accepted("3", None)).unwrap_err(),
    ];
    for error in refusals {
        assert!(error.kind() == ErrorKind::Held && error.to_string().contains("models install"), "{error}");
    }
    assert_eq!(version(&held.fall_back(&on_trial, "it failed").unwrap()), "1");
    assert!(state() == before, "something was recorded");
    bench.slots.confirm(&bench.slots.begin_run().unwrap().running).unwrap();
    assert_eq!(version(&held.begin_run().unwrap()), "2", "confirmed models run");
}
