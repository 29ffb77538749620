//! An installation that is killed, or whose disk fails, at every single step: the remaining state is always complete.
//!
//! The in-memory disk tracks what was synced, so that it can simulate a power failure as well as a killed process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{
    tests::{accepted, version},
    *,
};
use crate::bundle::accept::Accepted;
use bloodseg_clock::VirtualClock;

/// The fault at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The process is killed: the step is half done, and no later step runs.
    Killed,
    /// Only this step fails; the process continues.
    Fails,
    /// This and every later write fails: the disk is full.
    Full,
}

/// What remains of unsynced writes after a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Everything: the process was killed, but the machine kept running.
    All,
    /// Nothing: names and contents as last synced.
    Nothing,
    /// The names, but no unsynced contents.
    Names,
}

#[derive(Debug, Clone, Default)]
struct Disk {
    /// Names, and the file each one refers to.
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    /// Contents, and their last synced version.
    contents: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    steps: usize,
    trouble: Option<(usize, Trouble)>,
}

#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Disk>>);

impl Memory {
    fn disk(&self) -> std::sync::MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new disk with what remains of this one.
    fn after(&self, left: Left) -> Self {
        let disk = self.disk();
        let names = if left == Left::Nothing { &disk.synced_names } else { &disk.names };
        let contents = disk.contents.iter().map(|(now, synced)| {
            let kept = if left == Left::All { now.clone() } else { synced.clone().unwrap_or_default() };
            (kept.clone(), Some(kept))
        });
        let contents = contents.collect();
        Self(Arc::new(Mutex::new(Disk {
            names: names.clone(),
            synced_names: names.clone(),
            contents,
            steps: 0,
            trouble: None,
        })))
    }

    fn with_trouble(&self, at: usize, trouble: Trouble) -> Self {
        let again = self.after(Left::All);
        again.disk().trouble = Some((at, trouble));
        again
    }

    /// One step: whether it runs, and if not, whether half of it is done.
    fn step(&self, change: impl FnOnce(&mut Disk, bool) -> io::Result<()>) -> io::Result<()> {
        let mut disk = self.disk();
        let now = disk.steps;
        disk.steps += 1;
        match disk.trouble {
            Some((at, Trouble::Killed)) if now > at => Err(io::ErrorKind::BrokenPipe.into()),
            Some((at, Trouble::Full)) if now >= at => Err(io::ErrorKind::StorageFull.into()),
            Some((at, _)) if now == at => {
                change(&mut disk, true)?;
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => change(&mut disk, false),
        }
    }
}

impl Files for Memory {
    fn read(&self, path: &Path, _: u64) -> io::Result<Vec<u8>> {
        let disk = self.disk();
        let file = disk.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(disk.contents[*file].0.clone())
    }

    fn make_folder(&self, _: &Path) -> io::Result<()> {
        self.step(|_, _| Ok(()))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step(|disk, is_half| {
            let bytes = if is_half { &bytes[..bytes.len() / 2] } else { bytes };
            match disk.names.get(path).copied() {
                // The file is overwritten, so its synced version is lost.
                Some(file) => disk.contents[file] = (bytes.to_vec(), None),
                None => {
                    disk.contents.push((bytes.to_vec(), None));
                    let file = disk.contents.len() - 1;
                    disk.names.insert(path.to_owned(), file);
                }
            }
            Ok(())
        })
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.step(|disk, is_half| {
            let file = *disk.names.get(path).ok_or(io::ErrorKind::NotFound)?;
            if !is_half {
                disk.contents[file].1 = Some(disk.contents[file].0.clone());
            }
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|disk, is_half| {
            if !is_half {
                let file = disk.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
                disk.names.insert(to.to_owned(), file);
            }
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(|disk, is_half| {
            if !is_half {
                disk.names.remove(path);
            }
            Ok(())
        })
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        self.step(|disk, is_half| {
            if !is_half {
                disk.synced_names = disk.names.clone();
            }
            Ok(())
        })
    }

    fn lock(&self, _: &Path) -> io::Result<Box<dyn Send>> {
        Ok(Box::new(()))
    }
}

fn slots(files: &Memory) -> Slots {
    let clock = VirtualClock::at(std::time::UNIX_EPOCH);
    Slots::with(Path::new("slots"), Box::new(files.clone()), Arc::new(clock))
}

/// Initial disks for an installation of "new": contents, and what is active.
fn initial_disks() -> Vec<(&'static str, Memory)> {
    let [one, two] = ["1", "2"].map(|version| accepted(version, None));
    let settle = |files: &Memory, bundle: &Accepted| {
        slots(files).install(bundle).unwrap();
        slots(files).confirm(&slots(files).begin_run().unwrap().running).unwrap();
    };
    let empty = Memory::default();
    let first = Memory::default();
    settle(&first, &one);
    let both = first.after(Left::All);
    settle(&both, &two);
    let on_trial = both.after(Left::All);
    slots(&on_trial).install(&accepted("trial", None)).unwrap();
    vec![("built-in", empty), ("1", first), ("2", both), ("trial", on_trial)]
}

/// Runs an operation with a fault at each of its steps, and passes on each possible remaining disk.
fn at_every_step(
    beginning: &Memory,
    act: impl Fn(&Memory) -> bool,
    check: impl Fn(bool, Trouble, Left, &Memory, usize),
) -> usize {
    let calm = beginning.after(Left::All);
    assert!(act(&calm));
    let steps = calm.disk().steps;
    for at in 0..steps {
        for trouble in [Trouble::Killed, Trouble::Fails, Trouble::Full] {
            let files = beginning.with_trouble(at, trouble);
            let done = act(&files);
            for left in [Left::All, Left::Nothing, Left::Names] {
                check(done, trouble, left, &files.after(left), at);
            }
        }
    }
    steps
}

#[test]
fn install_interrupted_at_any_step_leaves_old_or_new_models() {
    let new = accepted("new", Some(&crate::bundle::key::SecretKey::generate().unwrap()));
    let built_in = Models::embedded().unwrap().unet.manifest.version;
    for (before, beginning) in initial_disks() {
        let before = if before == "built-in" { built_in.as_str() } else { before };
        // Models on trial are removed first: then the confirmed ones before them are active.
        let allowed = if before == "trial" { vec!["trial", "2", "new"] } else { vec![before, "new"] };
        let act = |files: &Memory| slots(files).install(&new).is_ok();
        let steps = at_every_step(&beginning, act, |done, trouble, left, files, at| {
            let place = format!("{before}, step {at}, {trouble:?}, {left:?}");
            let active = slots(files).begin_run().unwrap();
            assert!(allowed.contains(&version(&active)), "{place}: {}", active.running);
            assert_eq!(active.running.fell_back, None, "{place}");
            if done {
                assert_eq!(version(&active), "new", "{place}");
            }
            // Every slot named in the state exists and is complete.
            let state = slots(files).state().unwrap();
            for slot in [state.active, state.previous] {
                slots(files).models_at(&state, slot).unwrap_or_else(|e| panic!("{place}: {e}"));
            }
            // A second attempt succeeds.
            slots(files).install(&new).unwrap();
            assert_eq!(version(&slots(files).begin_run().unwrap()), "new", "{place}");
        });
        assert!(steps >= 10, "only {steps} steps; some are missing");
    }
}

#[test]
fn interrupted_start_confirm_or_rollback_leaves_valid_state() {
    let (_, on_trial) = initial_disks().pop().unwrap();
    type Act = fn(&Memory) -> bool;
    let acts: [(&str, Act); 4] = [
        ("start", |files| slots(files).begin_run().is_ok()),
        ("confirm", |files| slots(files).confirm(&slots(files).load().unwrap().running).is_ok()),
        ("go back", |files| slots(files).fall_back(&slots(files).load().unwrap().running, "test").is_ok()),
        ("roll back", |files| slots(files).roll_back().is_ok()),
    ];
    for (name, act) in acts {
        at_every_step(&on_trial, act, |_, trouble, left, files, at| {
            let place = format!("{name}, step {at}, {trouble:?}, {left:?}");
            let active = slots(files).load().unwrap();
            assert!(
                ["trial", "2"].contains(&version(&active)) && active.running.fell_back.is_none(),
                "{place}: {}",
                active.running
            );
        });
    }
}

#[test]
fn trial_models_do_not_run_if_start_cannot_be_recorded() {
    let (_, on_trial) = initial_disks().pop().unwrap();
    let starts = |files: &Memory| slots(files).state().unwrap().trial_starts;
    let calm = on_trial.after(Left::All);
    slots(&calm).begin_run().unwrap();
    let steps = calm.disk().steps;
    for at in 0..steps {
        for trouble in [Trouble::Fails, Trouble::Full] {
            let files = on_trial.with_trouble(at, trouble);
            let active = slots(&files).begin_run().unwrap();
            assert_eq!(version(&active), "2", "step {at}");
            assert!(active.running.fell_back.unwrap().contains("cannot be counted"));
        }
    }
    // A start counted on disk survives a power failure.
    assert_eq!(starts(&calm.after(Left::Nothing)), Some(1));
    assert_eq!(version(&slots(&calm).load().unwrap()), "trial");
}
