//! What is known of the slots: one small file, replaced as a whole, which names none that is not whole.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use bloodseg_vision::error::Cause;

/// Version of the file's format.
const FORMAT: u32 = 1;

/// Where models lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The first slot.
    A,
    /// The second slot.
    B,
    /// The program itself.
    #[default]
    BuiltIn,
}

impl Place {
    /// Name in messages, and stem of the slot's file.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::BuiltIn => "built-in",
        }
    }
}

/// What an installation left on record of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// SHA-256 of the bundle, lower-case hexadecimal: what the slot's file must have.
    pub bundle_sha256: String,
    /// When it was installed, by the wall's clock, which may be wrong.
    pub installed_utc: String,
    /// The key that signed it; none for one that was installed unsigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Version of the super-resolution.
    pub ssr_version: String,
    /// Version of the segmenter.
    pub unet_version: String,
}

/// Why a model was left.
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

/// The slots, as the file `state.toml` has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    format: u32,
    /// Where the models are that run.
    pub active: Place,
    /// Where the models are that one goes back to.
    pub previous: Place,
    /// Starts of the active models that were not confirmed; none when they are not on trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_starts: Option<u32>,
    /// What lies in the first slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub a: Option<Origin>,
    /// What lies in the second slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b: Option<Origin>,
    /// The last time that a model was left.
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
    /// Reads the file's text.
    ///
    /// # Errors
    /// [`Error::Bundle`] when it is damaged, or of another version.
    pub fn parse(text: &str) -> Result<Self> {
        let fault =
            |found: Cause| Error::bundle("slots", found, "a state.toml of this version", "Install the models again");
        let state: Self =
            toml::from_str(text).map_err(|e| fault(Cause::told(format!("state.toml: {}", e.message()), e.clone())))?;
        let named = |place: Place| place == Place::BuiltIn || state.origin(place).is_some();
        match state.format == FORMAT && named(state.active) && named(state.previous) {
            true => Ok(state),
            false => Err(fault("state.toml: another format, or an empty slot that is in use".into())),
        }
    }

    /// The file's text.
    ///
    /// # Errors
    /// [`Error::Vision`] when it cannot be written as TOML.
    pub fn to_text(&self) -> Result<String> {
        toml::to_string_pretty(self).map_err(|e| Error::internal("state of the slots", e))
    }

    /// What lies in a slot.
    pub fn origin(&self, place: Place) -> Option<&Origin> {
        match place {
            Place::A => self.a.as_ref(),
            Place::B => self.b.as_ref(),
            Place::BuiltIn => None,
        }
    }

    /// SHA-256 of the bundle that is active; none for the built-in models.
    pub fn active_sha256(&self) -> Option<&str> {
        self.origin(self.active).map(|origin| origin.bundle_sha256.as_str())
    }

    /// The slot that new models go to, and the state in which it is free. Models on trial give their place away: what one
    /// goes back to is never a model that has not shown what it can.
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

    /// The state with new models in a slot that is free, active and on trial.
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

    /// The state in which the active models are left for the previous ones. Those are not on trial, and what lies behind
    /// them are the built-in ones: one never goes back to what was left.
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

    /// The state with another count of starts on trial, or without a trial.
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
