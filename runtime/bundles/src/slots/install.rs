//! A bundle into the slot that is not in use, then the switch. Every step leaves something whole to start with.

use std::io::ErrorKind;

use super::{STATE, Slots, signature_path, state::State};
use crate::{
    bundle::accept::Accepted,
    error::{Error, Result},
    limits::MAX_BUNDLE_BYTES,
};
use bloodseg_vision::{error::Cause, model::limits::MAX_TEXT_BYTES};

impl Slots {
    /// Installs a bundle that was accepted and tried; it is active from the next start on, on trial.
    ///
    /// The new file is written and brought to the disk before anything else changes, so a full disk changes nothing. Models
    /// on trial are replaced, never those that one would go back to.
    ///
    /// # Errors
    /// [`Error::Vision`] when something cannot be written, or the state cannot be read now. What is active is then what was active before, or, when only the
    /// last sync failed, the new models. [`Error::Bundle`] when somebody else holds the slots.
    pub fn install(&self, accepted: &Accepted) -> Result<State> {
        let failed = |e: std::io::Error| Error::output(&self.folder, e);
        self.files.make_folder(&self.folder).map_err(failed)?;
        if let Some(above) = self.folder.parent().filter(|above| !above.as_os_str().is_empty()) {
            self.files.sync_folder(above).map_err(failed)?;
        }
        let _lock = self.files.lock(&self.folder).map_err(|e| match e.kind() {
            ErrorKind::WouldBlock => self.held(e),
            _ => failed(e),
        })?;
        let state = self.state_to_replace()?;

        let new = self.folder.join("new.bloodseg");
        let put =
            |path: &std::path::Path, bytes: &[u8]| self.files.write(path, bytes).and_then(|()| self.files.sync(path));
        let written = put(&new, &accepted.bytes).and_then(|()| match &accepted.signature {
            Some(text) => put(&signature_path(&new), text.as_bytes()),
            None => Ok(()),
        });
        if let Err(error) = written {
            // What is half there is in the way of nothing, but it takes space.
            let _ = self.files.remove(&new).and_then(|()| self.files.remove(&signature_path(&new)));
            return Err(failed(error));
        }

        // Always: whatever stood in the file before, from here on it names no slot that is written over.
        let (place, freed) = state.freed();
        self.replace(&freed)?;
        let slot = self.file(place);
        let signature_placed = match &accepted.signature {
            Some(_) => self.files.rename(&signature_path(&new), &signature_path(&slot)),
            None => self.files.remove(&signature_path(&slot)),
        };
        signature_placed
            .and_then(|()| self.files.rename(&new, &slot))
            .and_then(|()| self.files.sync_folder(&self.folder))
            .map_err(failed)?;
        if self.files.read(&slot, MAX_BUNDLE_BYTES).map_err(failed)? != accepted.bytes {
            return Err(Error::output(&slot, "what was written reads back as something else"));
        }
        let installed = freed.installed(place, accepted.origin(self.utc()));
        self.replace(&installed)?;
        Ok(installed)
    }

    /// The state that another is to follow. One that is damaged counts for empty slots; one that cannot be read now does not: it
    /// may name the slot that would be written over, and be read the next time.
    fn state_to_replace(&self) -> Result<State> {
        let path = self.folder.join(STATE);
        let damaged = |found: String| {
            log::warn!("{}: {found}; the slots are taken as empty", path.display());
            State::default()
        };
        match self.files.read(&path, MAX_TEXT_BYTES) {
            Ok(bytes) => Ok(State::parse(&String::from_utf8_lossy(&bytes)).unwrap_or_else(|e| damaged(e.to_string()))),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(State::default()),
            // Longer than a state can be.
            Err(e) if e.kind() == ErrorKind::InvalidData => Ok(damaged(e.to_string())),
            Err(e) => Err(Error::output(&path, Cause::told(format!("what is installed cannot be read: {e}"), e))),
        }
    }
}
