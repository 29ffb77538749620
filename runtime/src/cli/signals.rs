//! Ctrl-C, SIGTERM, SIGXFSZ and SIGBUS.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::run::stop::Stop;
use bloodseg_vision::error::Cause;

/// Exit code of a command stopped by the user.
pub(super) const STOPPED: u8 = 130;

/// Both request a clean end; the second one ends the process immediately.
///
/// # Errors
/// [`ErrorKind::Internal`] if the handler cannot be installed.
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

/// Turns a write beyond the file size limit (`ulimit -f`) into an error of that write: by default the system ends the
/// process, and everything not yet recorded is lost.
pub(super) fn survive_file_size_limit() {
    #[cfg(unix)]
    {
        // The flag is not read: the write itself fails.
        let flag = Arc::new(std::sync::atomic::AtomicBool::new(false));
        if let Err(error) = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, flag) {
            log::debug!("SIGXFSZ ends the process: {error}");
        }
    }
}

/// Exits with the code of results that cannot be written if a memory-mapped file is truncated: SQLite maps the index of
/// its log. A service is then restarted, and continues with every acknowledged frame.
pub(super) fn end_on_a_cut_file() {
    #[cfg(unix)]
    {
        let always = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let status = ErrorKind::Output.exit_code().into();
        let signal = signal_hook::consts::SIGBUS;
        if let Err(error) = signal_hook::flag::register_conditional_shutdown(signal, status, always) {
            log::debug!("SIGBUS kills the process: {error}");
        }
    }
}
