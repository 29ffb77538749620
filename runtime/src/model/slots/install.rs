//! A bundle into the slot that is not in use, then the switch. Every step leaves something whole to start with.

use super::{Slots, signature_path, state::State};
use crate::{
    error::{Error, Result},
    limits::MAX_BUNDLE_BYTES,
    model::bundle::accept::Accepted,
};

impl Slots {
    /// Installs a bundle that was accepted and tried; it is active from the next start on, on trial.
    ///
    /// The new file is written and brought to the disk before anything else changes, so a full disk changes nothing. Models
    /// on trial are replaced, never those that one would go back to.
    ///
    /// # Errors
    /// [`Error::Output`] when something cannot be written. What is active is then what was active before, or, when only the
    /// last sync failed, the new models.
    pub fn install(&self, accepted: &Accepted) -> Result<State> {
        let failed = |e: std::io::Error| Error::output(&self.folder, e);
        self.files.make_folder(&self.folder).map_err(failed)?;
        if let Some(above) = self.folder.parent().filter(|above| !above.as_os_str().is_empty()) {
            self.files.sync_folder(above).map_err(failed)?;
        }
        let _lock = self.files.lock(&self.folder).map_err(failed)?;
        let state = self.state().unwrap_or_else(|error| {
            log::warn!("{error}; the slots are taken as empty");
            State::default()
        });

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

        let (place, freed) = state.freed();
        if freed != state {
            self.replace(&freed)?;
        }
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
}
