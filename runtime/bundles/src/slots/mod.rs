//! Two slots for models, so that there is always one to run: a new bundle goes into the slot that is not in use, and one
//! small file, replaced at once, says which is.
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
//! The folder has `a.bloodseg` and `b.bloodseg`, their signatures beside them, and `state.toml`, which never names a slot
//! that is not whole. A start on trial is counted before the models are loaded, so that one that kills the process
//! is left all the same.

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

use super::bundle::{self, file::signature_path};
use crate::{
    error::{Error, Result},
    limits::{MAX_BUNDLE_BYTES, MAX_KEY_BYTES, MAX_TRIAL_STARTS, MIN_TRIAL_FRAMES},
};
use bloodseg_clock::{Clock, SystemClock, utc};
use bloodseg_vision::{
    error::Cause,
    model::{golden, limits::MAX_TEXT_BYTES, store::Models},
};

/// Name of the file that says which slot is in use.
const STATE: &str = "state.toml";

/// A folder with two slots. Opening it touches nothing: a folder that is not there is one with empty slots.
#[derive(Debug)]
pub struct Slots {
    folder: PathBuf,
    files: Box<dyn Files>,
    clock: Arc<dyn Clock>,
}

/// Models that were taken out of the slots.
#[derive(Debug, Clone)]
pub struct Active {
    /// The models, through the gate.
    pub models: Models,
    /// Which they are; kept while they run.
    pub running: Running,
}

/// Which models run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Versions and place, for people.
    pub label: String,
    /// Where they were.
    pub place: Place,
    /// SHA-256 of their bundle; none for the built-in ones.
    pub sha256: Option<String>,
    /// Whether they have yet to be confirmed.
    pub on_trial: bool,
    /// Why they run instead of others; to be told and recorded.
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

    /// The same with files and a clock of one's choice.
    pub fn with(folder: &Path, files: Box<dyn Files>, clock: Arc<dyn Clock>) -> Self {
        Self { folder: folder.to_owned(), files, clock }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is known of the slots; the default where nothing was ever installed.
    ///
    /// # Errors
    /// [`Error::Bundle`] when the file is damaged or cannot be read.
    pub fn state(&self) -> Result<State> {
        let path = self.folder.join(STATE);
        match self.files.read(&path, MAX_TEXT_BYTES) {
            Ok(bytes) => State::parse(&String::from_utf8_lossy(&bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(e) => Err(Error::bundle(path.display(), e, "the state of the slots", "")),
        }
    }

    /// The active models, for a command that is no run: nothing is counted, and nothing written.
    ///
    /// # Errors
    /// [`Error::Bundle`] when not even the built-in models can be used.
    pub fn load(&self) -> Result<Active> {
        let (state, reason) = self.known();
        self.load_of(state, reason, false)
    }

    /// The active models, for a run. A start on trial is counted first; after [`MAX_TRIAL_STARTS`] that came to nothing, or
    /// where it cannot be counted, the previous models run.
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
            // A trial that is not counted could go on for ever.
            Err(error) => {
                let left = format!("the start on trial cannot be counted: {error}");
                let previous = state.gone_back(&left, &self.utc());
                reason = Some(left);
                previous
            }
        };
        self.load_of(next, reason, is_free)
    }

    /// The models on trial have shown what they can. Others that were installed meanwhile stay as they are.
    ///
    /// # Errors
    /// [`Error::Vision`] when it cannot be recorded, [`Error::Bundle`] when somebody else holds the slots; the trial then goes on.
    pub fn confirm(&self, active: &Running) -> Result<()> {
        self.settle(active, |_| None)
    }

    /// A run on trial ended by its own will, without enough to count: its start does not speak against the models.
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

    /// Leaves models that failed, on trial or not, and loads the previous ones. They run even when it cannot be recorded.
    ///
    /// # Errors
    /// [`Error::Bundle`] when these were the built-in ones already, or when not even those can be used.
    pub fn go_back(&self, from: &Running, reason: &str) -> Result<Active> {
        if from.place == Place::BuiltIn {
            return Err(Error::bundle("built-in", reason, "models that run", "There is nothing to go back to"));
        }
        let (_lock, held) = self.lock_or_not();
        let is_free = held.is_none();
        let (mut state, _) = self.known();
        // Others may have been installed, or gone back to, since.
        if state.active_sha256() == from.sha256.as_deref() {
            state = state.gone_back(reason, &self.utc());
            if let Err(error) = held.map_or_else(|| self.replace(&state), Err) {
                log::warn!("going back to the previous models cannot be recorded: {error}");
            }
        }
        self.load_of(state, Some(reason.to_owned()), is_free)
    }

    /// Goes back by the user's will.
    ///
    /// # Errors
    /// [`Error::Bundle`] when the built-in models are active already, or somebody else holds the slots; [`Error::Vision`] when it
    /// cannot be written.
    pub fn roll_back(&self) -> Result<State> {
        let _lock = self.lock_if_possible()?;
        let state = self.state()?;
        if state.active == Place::BuiltIn {
            let todo = "`bloodseg models install` takes a bundle";
            return Err(Error::bundle("slots", "the built-in models are active", "models to go back from", todo));
        }
        let next = state.gone_back("rolled back by hand", &self.utc());
        self.replace(&next)?;
        Ok(next)
    }

    /// The models in a place, through hash, container and gate; `state` says what should be there.
    ///
    /// # Errors
    /// [`Error::Bundle`] when they are missing or damaged.
    pub fn models_at(&self, state: &State, place: Place) -> Result<Models> {
        self.try_models_at(state, place).map_err(|fault| *fault.error)
    }

    /// The text of the signature in a slot, and the bundle that it is for.
    ///
    /// # Errors
    /// [`Error::Bundle`] when the bundle cannot be read.
    pub fn signed_at(&self, place: Place) -> Result<(Vec<u8>, Option<String>)> {
        let path = self.file(place);
        let bytes = self
            .files
            .read(&path, MAX_BUNDLE_BYTES)
            .map_err(|e| Error::bundle(path.display(), e, "the bundle of the slot", ""))?;
        let signature = self.files.read(&signature_path(&path), MAX_KEY_BYTES).ok();
        Ok((bytes, signature.and_then(|text| String::from_utf8(text).ok())))
    }

    fn try_models_at(&self, state: &State, place: Place) -> std::result::Result<Models, Unusable> {
        let lasting = |error: Error| Unusable { error: error.into(), lasts: true };
        let Some(origin) = state.origin(place) else {
            return Models::embedded().map_err(|error| lasting(error.into()));
        };
        let path = self.file(place);
        let name = format!("slot {}", place.name());
        let fault = |found: Cause| Error::bundle(&name, found, "the bundle that was installed", "Install it again");
        let bytes = self.files.read(&path, MAX_BUNDLE_BYTES).map_err(|e| Unusable {
            // An error of the disk may pass; a file that is gone or too large stays so.
            lasts: matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData),
            error: fault(e.into()).into(),
        })?;
        let sha256 = golden::sha256(&bytes);
        if sha256 != origin.bundle_sha256 {
            return Err(lasting(fault(format!("a damaged file, sha256 {sha256}").into())));
        }
        bundle::parse(&bytes, &name).and_then(|bundle| bundle.models(&name)).map_err(lasting)
    }

    /// Loads what is active; what cannot be used is left, on record where `keep` is set and where it lasts.
    fn load_of(&self, mut state: State, mut fell_back: Option<String>, keep: bool) -> Result<Active> {
        loop {
            let unusable = match self.try_models_at(&state, state.active) {
                Ok(models) => {
                    let running = Running::of(&models, &state, fell_back);
                    return Ok(Active { models, running });
                }
                // Each turn goes from a slot to the previous one, and at last to the built-in models.
                Err(unusable) if state.active == Place::BuiltIn => return Err(*unusable.error),
                Err(unusable) => unusable,
            };
            let reason = unusable.error.to_string();
            state = state.gone_back(&reason, &self.utc());
            if keep
                && unusable.lasts
                && let Err(error) = self.replace(&state)
            {
                log::warn!("going back to the previous models cannot be recorded: {error}");
            }
            fell_back = Some(reason);
        }
    }

    /// The state, or, where it is damaged, the built-in models and the reason.
    fn known(&self) -> (State, Option<String>) {
        self.state().map_or_else(|error| (State::default(), Some(error.to_string())), |state| (state, None))
    }

    /// Puts another state in the place of the one that holds. At any time one of the two is there, whole.
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

    /// Without a lock where there is no folder yet, or on a file system that knows none: what is read then is whole too. But not
    /// where somebody holds it.
    fn lock_if_possible(&self) -> Result<Option<Box<dyn Send>>> {
        match self.files.lock(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(self.held(error)),
            lock => Ok(lock.ok()),
        }
    }

    /// The lock, or who is in the way: what runs is chosen all the same, and nothing is recorded.
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

/// Models that cannot be loaded, and whether it would be the same another time.
struct Unusable {
    error: Box<Error>,
    lasts: bool,
}
