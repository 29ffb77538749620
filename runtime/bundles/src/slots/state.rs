//! The state of the slots: one small file, replaced atomically, which never names an incomplete slot.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use bloodseg_vision::error::Cause;

/// Version of the file's format.
const FORMAT: u32 = 1;

/// Where models are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The first slot.
    A,
    /// The second slot.
    B,
    /// Built into the program.
    #[default]
    BuiltIn,
}

impl Place {
    /// Name in messages, and file stem of a slot.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::BuiltIn => "built-in",
        }
    }
}

/// The record of an installed bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// SHA-256 of the bundle, lower-case hexadecimal, which the slot's file must match.
    pub bundle_sha256: String,
    /// When it was installed, by the wall clock, which may be wrong.
    pub installed_utc: String,
    /// The key that signed it; `None` if it was installed unsigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Version of the super-resolution model.
    pub ssr_version: String,
    /// Version of the segmentation model.
    pub unet_version: String,
}

/// Why models were rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WentBack {
    /// SHA-256 of its bundle.
    pub bundle_sha256: String,
    /// When.
    pub utc: String,
    /// Why.
    pub reason: String,
}

/// The state, as stored in `state.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    format: u32,
    /// The active models.
    pub active: Place,
    /// The models to roll back to.
    pub previous: Place,
    /// Unconfirmed starts of the active models; `None` if they are not on trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_starts: Option<u32>,
    /// The bundle in the first slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub a: Option<Origin>,
    /// The bundle in the second slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b: Option<Origin>,
    /// The last rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub went_back: Option<WentBack>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            format: FORMAT,
            active: Place::BuiltIn,
            previous: Place::BuiltIn,
            trial_starts: None,
            a: None,
            b: None,
            went_back: None,
        }
    }
}

impl State {
    /// Parses the file.
    ///
    /// # Errors
    /// [`Error::Bundle`] if it is damaged, or has another version.
    pub fn parse(text: &str) -> Result<Self> {
        let fault =
            |found: Cause| Error::bundle("slots", found, "a state.toml of this version", "Install the models again");
        let state: Self = toml::from_str(text)
            .map_err(|e| fault(Cause::with_source(format!("state.toml: {}", e.message()), e.clone())))?;
        let named = |place: Place| place == Place::BuiltIn || state.origin(place).is_some();
        match state.format == FORMAT && named(state.active) && named(state.previous) {
            true => Ok(state),
            false => Err(fault("state.toml: another format, or the active slot is empty".into())),
        }
    }

    /// The text of the file.
    ///
    /// # Errors
    /// [`Error::Vision`] if it cannot be written as TOML.
    pub fn to_text(&self) -> Result<String> {
        toml::to_string_pretty(self).map_err(|e| Error::internal("state of the slots", e))
    }

    /// The record of the bundle in a slot.
    pub fn origin(&self, place: Place) -> Option<&Origin> {
        match place {
            Place::A => self.a.as_ref(),
            Place::B => self.b.as_ref(),
            Place::BuiltIn => None,
        }
    }

    /// SHA-256 of the active bundle; `None` for the built-in models.
    pub fn active_sha256(&self) -> Option<&str> {
        self.origin(self.active).map(|origin| origin.bundle_sha256.as_str())
    }

    /// The slot for new models, and the state in which it is free. Models on trial are replaced, so that a rollback never
    /// leads to unconfirmed models.
    pub(super) fn freed(&self) -> (Place, Self) {
        let mut state = self.clone();
        if state.trial_starts.is_some() && state.active != Place::BuiltIn {
            let place = state.active;
            state.active = state.previous;
            state.previous = Place::BuiltIn;
            state.trial_starts = None;
            state.empty(place);
            return (place, state);
        }
        let place = if state.active == Place::A { Place::B } else { Place::A };
        if state.previous == place {
            state.previous = Place::BuiltIn;
        }
        state.empty(place);
        (place, state)
    }

    /// The state with new models in a free slot, active and on trial.
    pub(super) fn installed(&self, place: Place, origin: Origin) -> Self {
        let mut state = self.clone();
        match place {
            Place::A => state.a = Some(origin),
            Place::B => state.b = Some(origin),
            Place::BuiltIn => {}
        }
        state.previous = state.active;
        state.active = place;
        state.trial_starts = Some(0);
        state
    }

    /// The state after a rollback to the previous models. These are not on trial, and the built-in models come after
    /// them: a rollback never returns to models that were rolled back.
    pub(super) fn gone_back(&self, reason: &str, utc: &str) -> Self {
        let mut state = self.clone();
        if let Some(sha256) = self.active_sha256() {
            let bundle_sha256 = sha256.to_owned();
            state.went_back = Some(WentBack { bundle_sha256, utc: utc.to_owned(), reason: reason.to_owned() });
        }
        state.active = state.previous;
        state.previous = Place::BuiltIn;
        state.trial_starts = None;
        state
    }

    /// The state with another number of starts on trial, or without a trial.
    pub(super) fn on_trial(&self, trial_starts: Option<u32>) -> Self {
        Self { trial_starts, ..self.clone() }
    }

    fn empty(&mut self, place: Place) {
        match place {
            Place::A => self.a = None,
            Place::B => self.b = None,
            Place::BuiltIn => {}
        }
    }
}
