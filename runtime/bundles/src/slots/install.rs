//! Installs a bundle into the unused slot, then switches to it. After every step the slots are usable.

use std::io::ErrorKind;

use super::{STATE, Slots, signature_path, state::State};
use crate::{
    bundle::accept::Accepted,
    error::{Error, Result},
    limits::MAX_BUNDLE_BYTES,
};
use bloodseg_vision::{error::Cause, model::limits::MAX_TEXT_BYTES};

impl Slots {
    /// Installs a validated and tested bundle; it is active, on trial, from the next start on.
    ///
    /// The new file is written and synced before anything else changes, so a full disk changes nothing. Models on trial
    /// are replaced; the models for rollback are not.
    ///
    /// # Errors
    /// [`Error::Vision`] if something cannot be written, or the state cannot be read at the moment. The active models are
    /// then unchanged, or the new ones if only the last sync failed. [`Error::Bundle`] if another process holds the
    /// slots.
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
            // A partial file does no harm, but takes space.
            let _ = self.files.remove(&new).and_then(|()| self.files.remove(&signature_path(&new)));
            return Err(failed(error));
        }

        // Always write it: from here on the state must not name the slot that is overwritten.
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
            return Err(Error::output(&slot, "the file reads back differently from what was written"));
        }
        let installed = freed.installed(place, accepted.origin(self.utc()));
        self.replace(&installed)?;
        Ok(installed)
    }

    /// The state to replace. A damaged one counts as empty slots. An unreadable one does not: it may name the slot that
    /// would be overwritten, and be readable next time.
    fn state_to_replace(&self) -> Result<State> {
        let path = self.folder.join(STATE);
        let damaged = |found: String| {
            log::warn!("{}: {found}; treating the slots as empty", path.display());
            State::default()
        };
        match self.files.read(&path, MAX_TEXT_BYTES) {
            Ok(bytes) => Ok(State::parse(&String::from_utf8_lossy(&bytes)).unwrap_or_else(|e| damaged(e.to_string()))),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(State::default()),
            // Larger than a state can be.
            Err(e) if e.kind() == ErrorKind::InvalidData => Ok(damaged(e.to_string())),
            Err(e) => {
                Err(Error::output(&path, Cause::with_source(format!("the installed models cannot be read: {e}"), e)))
            }
        }
    }
}
