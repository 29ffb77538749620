//! Two slots for models, so that a usable model always exists: a new bundle goes into the unused slot, and a small file,
//! replaced atomically, names the active one.
//!
//! ```text
//!                 frames that count             confirm
//! install ──▶ on trial ────────────────────────────────────▶ active
//!               │                                              │
//!               │ the engine fails, most frames fail,          │ damaged, or rolled back
//!               │ or 3 starts without being confirmed          │ by hand
//!               ▼                                              ▼
//!             the previous models, confirmed ones; else the built-in ones
//! ```
//!
//! The folder contains `a.bloodseg` and `b.bloodseg`, their signatures, and `state.toml`, which never names an incomplete
//! slot. A start on trial is counted before the models are loaded, so that models that kill the process are rolled back
//! too.

#[cfg(test)]
mod crashes;
pub mod files;
mod install;
pub mod state;
#[cfg(test)]
pub(crate) mod tests;
pub mod trial;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use files::{Files, RealFiles};
use state::{Place, State};

use super::bundle::{self, Contents, file::signature_path};
use crate::{
    error::{Error, Result},
    limits::{MAX_BUNDLE_BYTES, MAX_KEY_BYTES, MAX_TRIAL_STARTS, MIN_TRIAL_FRAMES},
};
use bloodseg_clock::{Clock, SystemClock, utc};
use bloodseg_vision::{
    error::Cause,
    model::{golden, limits::MAX_TEXT_BYTES, store::Models},
};

/// Name of the file that names the active slot.
const STATE: &str = "state.toml";

/// A folder with two slots. Opening it changes nothing; a missing folder has empty slots.
#[derive(Debug)]
pub struct Slots {
    folder: PathBuf,
    files: Box<dyn Files>,
    clock: Arc<dyn Clock>,
}

/// Models loaded from the slots.
#[derive(Debug, Clone)]
pub struct Active {
    /// The contents of their bundle.
    pub contents: Contents,
    /// Their identity, kept while they run.
    pub running: Running,
}

/// The running models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Versions and place, for messages.
    pub label: String,
    /// Where they were loaded from.
    pub place: Place,
    /// SHA-256 of their bundle; `None` for the built-in models.
    pub sha256: Option<String>,
    /// Whether they still need to be confirmed.
    pub on_trial: bool,
    /// Why they run instead of others, for the log and the records.
    pub fell_back: Option<String>,
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

impl Slots {
    /// The slots of a folder.
    pub fn open(folder: &Path) -> Self {
        Self::with(folder, Box::new(RealFiles), Arc::new(SystemClock::start()))
    }

    /// The same with other file operations and another clock.
    pub fn with(folder: &Path, files: Box<dyn Files>, clock: Arc<dyn Clock>) -> Self {
        Self { folder: folder.to_owned(), files, clock }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The state of the slots; the default if nothing was ever installed.
    ///
    /// # Errors
    /// [`Error::Bundle`] if the file is damaged or cannot be read.
    pub fn state(&self) -> Result<State> {
        let path = self.folder.join(STATE);
        match self.files.read(&path, MAX_TEXT_BYTES) {
            Ok(bytes) => State::parse(&String::from_utf8_lossy(&bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(e) => Err(Error::bundle(path.display(), e, "the state of the slots", "")),
        }
    }

    /// The active models, for commands other than `run`: counts and writes nothing.
    ///
    /// # Errors
    /// [`Error::Bundle`] if not even the built-in models can be used.
    pub fn load(&self) -> Result<Active> {
        let (state, reason) = self.known();
        self.load_of(state, reason, false)
    }

    /// The active models, for a run. First counts a start on trial. After [`MAX_TRIAL_STARTS`] without confirmation, or
    /// if the start cannot be counted, the previous models run.
    ///
    /// # Errors
    /// As [`Slots::load`].
    pub fn begin_run(&self) -> Result<Active> {
        let (_lock, held) = self.lock_or_not();
        let is_free = held.is_none();
        let (state, mut reason) = self.known();
        let Some(starts) = state.trial_starts else { return self.load_of(state, reason, is_free) };
        let next = if starts < MAX_TRIAL_STARTS {
            state.on_trial(Some(starts + 1))
        } else {
            let left = format!("{starts} starts without {MIN_TRIAL_FRAMES} frames in which cells were counted");
            reason = Some(left.clone());
            state.gone_back(&left, &self.utc())
        };
        let next = match held.map_or_else(|| self.replace(&next), Err) {
            Ok(()) => next,
            // An uncounted trial could continue forever.
            Err(error) => {
                let left = format!("the start on trial cannot be counted: {error}");
                let previous = state.gone_back(&left, &self.utc());
                reason = Some(left);
                previous
            }
        };
        self.load_of(next, reason, is_free)
    }

    /// Confirms the models on trial. Models installed meanwhile are not affected.
    ///
    /// # Errors
    /// [`Error::Vision`] if it cannot be recorded, [`Error::Bundle`] if another process holds the slots; the trial then
    /// continues.
    pub fn confirm(&self, active: &Running) -> Result<()> {
        self.settle(active, |_| None)
    }

    /// A run on trial ended in an orderly way before the trial was complete: its start does not count against the models.
    ///
    /// # Errors
    /// As [`Slots::confirm`].
    pub fn ended_well(&self, active: &Running) -> Result<()> {
        self.settle(active, |starts| Some(starts.saturating_sub(1)))
    }

    fn settle(&self, active: &Running, to: impl Fn(u32) -> Option<u32>) -> Result<()> {
        let _lock = self.lock_if_possible()?;
        let state = self.state()?;
        match state.trial_starts {
            Some(starts) if state.active_sha256() == active.sha256.as_deref() => {
                self.replace(&state.on_trial(to(starts)))
            }
            _ => Ok(()),
        }
    }

    /// Rolls back from failed models, on trial or not, and loads the previous ones. They run even if this cannot be
    /// recorded.
    ///
    /// # Errors
    /// [`Error::Bundle`] if the built-in models failed, or cannot be used either.
    pub fn fall_back(&self, from: &Running, reason: &str) -> Result<Active> {
        if from.place == Place::BuiltIn {
            return Err(Error::bundle("built-in", reason, "models that run", "There are no previous models"));
        }
        let (_lock, held) = self.lock_or_not();
        let is_free = held.is_none();
        let (mut state, _) = self.known();
        // Others may have been installed, or rolled back to, since.
        if state.active_sha256() == from.sha256.as_deref() {
            state = state.gone_back(reason, &self.utc());
            if let Err(error) = held.map_or_else(|| self.replace(&state), Err) {
                log::warn!("cannot record the rollback to the previous models: {error}");
            }
        }
        self.load_of(state, Some(reason.to_owned()), is_free)
    }

    /// Rolls back at the user's request.
    ///
    /// # Errors
    /// [`Error::Bundle`] if the built-in models are already active, or another process holds the slots; [`Error::Vision`]
    /// if it cannot be written.
    pub fn roll_back(&self) -> Result<State> {
        let _lock = self.lock_if_possible()?;
        let state = self.state()?;
        if state.active == Place::BuiltIn {
            let todo = "`bloodseg models install` installs a bundle";
            return Err(Error::bundle("slots", "the built-in models are active", "installed models", todo));
        }
        let next = state.gone_back("rolled back by hand", &self.utc());
        self.replace(&next)?;
        Ok(next)
    }

    /// The models in a place, after checking hash, container and gate; `state` has the expected hash.
    ///
    /// # Errors
    /// [`Error::Bundle`] if they are missing or damaged.
    pub fn models_at(&self, state: &State, place: Place) -> Result<Models> {
        self.contents_at(state, place).map(|contents| contents.models).map_err(|fault| *fault.error)
    }

    /// The bundle in a slot and its signature.
    ///
    /// # Errors
    /// [`Error::Bundle`] if the bundle cannot be read.
    pub fn signed_at(&self, place: Place) -> Result<(Vec<u8>, Option<String>)> {
        let path = self.file(place);
        let bytes = self
            .files
            .read(&path, MAX_BUNDLE_BYTES)
            .map_err(|e| Error::bundle(path.display(), e, "the bundle of the slot", ""))?;
        let signature = self.files.read(&signature_path(&path), MAX_KEY_BYTES).ok();
        Ok((bytes, signature.and_then(|text| String::from_utf8(text).ok())))
    }

    fn contents_at(&self, state: &State, place: Place) -> std::result::Result<Contents, Unusable> {
        let lasting = |error: Error| Unusable { error: error.into(), lasts: true };
        let Some(origin) = state.origin(place) else {
            let models = Models::embedded().map_err(|error| lasting(error.into()))?;
            return Ok(Contents { models, validation: None });
        };
        let path = self.file(place);
        let name = format!("slot {}", place.name());
        let fault = |found: Cause| Error::bundle(&name, found, "the bundle that was installed", "Install it again");
        let bytes = self.files.read(&path, MAX_BUNDLE_BYTES).map_err(|e| Unusable {
            // A disk error may pass; a missing or oversized file will not.
            lasts: matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData),
            error: fault(e.into()).into(),
        })?;
        let sha256 = golden::sha256(&bytes);
        if sha256 != origin.bundle_sha256 {
            return Err(lasting(fault(format!("a damaged file, sha256 {sha256}").into())));
        }
        bundle::parse(&bytes, &name).and_then(|bundle| bundle.contents(&name)).map_err(lasting)
    }

    /// Loads the active models. Rolls back from unusable ones, and records it if `keep` is set and the fault is
    /// permanent.
    fn load_of(&self, mut state: State, mut fell_back: Option<String>, keep: bool) -> Result<Active> {
        loop {
            let unusable = match self.contents_at(&state, state.active) {
                Ok(contents) => {
                    let running = Running::of(&contents.models, &state, fell_back);
                    return Ok(Active { contents, running });
                }
                // Each iteration goes from a slot to the previous one, and finally to the built-in models.
                Err(unusable) if state.active == Place::BuiltIn => return Err(*unusable.error),
                Err(unusable) => unusable,
            };
            let reason = unusable.error.to_string();
            state = state.gone_back(&reason, &self.utc());
            if keep
                && unusable.lasts
                && let Err(error) = self.replace(&state)
            {
                log::warn!("cannot record the rollback to the previous models: {error}");
            }
            fell_back = Some(reason);
        }
    }

    /// The state, or, if it is damaged, the built-in models and the reason.
    fn known(&self) -> (State, Option<String>) {
        self.state().map_or_else(|error| (State::default(), Some(error.to_string())), |state| (state, None))
    }

    /// Atomically replaces the state.
    fn replace(&self, state: &State) -> Result<()> {
        let (path, new) = (self.folder.join(STATE), self.folder.join("state.toml.new"));
        let text = state.to_text()?;
        let written = self
            .files
            .write(&new, text.as_bytes())
            .and_then(|()| self.files.sync(&new))
            .and_then(|()| self.files.rename(&new, &path))
            .and_then(|()| self.files.sync_folder(&self.folder));
        written.map_err(|e| Error::output(&path, e))
    }

    fn file(&self, place: Place) -> PathBuf {
        self.folder.join(format!("{}.bloodseg", place.name()))
    }

    /// Goes without a lock if the folder does not exist yet, or the file system has no locks: reads are consistent even
    /// then. But fails if another process holds it.
    fn lock_if_possible(&self) -> Result<Option<Box<dyn Send>>> {
        match self.files.lock(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(self.held(error)),
            lock => Ok(lock.ok()),
        }
    }

    /// The lock, or the reason why there is none: models are chosen anyway, but nothing is recorded.
    fn lock_or_not(&self) -> (Option<Box<dyn Send>>, Option<Error>) {
        self.lock_if_possible().map_or_else(|error| (None, Some(error)), |lock| (lock, None))
    }

    fn held(&self, source: io::Error) -> Error {
        Error::Held { folder: self.folder.clone(), source }
    }

    fn utc(&self) -> String {
        utc::stamp(self.clock.wall())
    }
}

impl Running {
    fn of(models: &Models, state: &State, fell_back: Option<String>) -> Self {
        let (sha256, on_trial) = (state.active_sha256().map(str::to_owned), state.trial_starts.is_some());
        let which =
            sha256.as_ref().map_or_else(String::new, |sha256| format!(" {}", sha256.get(..12).unwrap_or(sha256)));
        let label = format!(
            "ssr {}, unet {} ({}{which}{})",
            models.ssr.manifest.version,
            models.unet.manifest.version,
            state.active.name(),
            if on_trial { ", on trial" } else { "" }
        );
        Self { label, place: state.active, sha256, on_trial, fell_back }
    }
}

/// Models that cannot be loaded, and whether the fault is permanent.
struct Unusable {
    error: Box<Error>,
    lasts: bool,
}
