//! Ctrl-C and SIGTERM.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::run::stop::Stop;
use bloodseg_vision::error::Cause;

/// Exit code of a command stopped by the user.
pub(super) const STOPPED: u8 = 130;

/// Both request a clean end; the second one ends the process immediately.
///
/// # Errors
/// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) if the handler cannot be installed.
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
