//! Ctrl-C and SIGTERM.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::run::stop::Stop;
use bloodseg_vision::error::Cause;

/// Exit code of a command that was stopped by a person.
pub(super) const STOPPED: u8 = 130;

/// Both ask for a clean end; a second time, the process ends at once.
///
/// # Errors
/// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) when the system takes no handler.
pub(super) fn stop_on_signals() -> Result<Arc<Stop>> {
    let stop = Arc::new(Stop::default());
    let raised = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if raised.raise() {
            std::process::exit(STOPPED.into());
        }
    })
    .map_err(|e| Error::internal("signal handler", Cause::of(e)))?;
    Ok(stop)
}
