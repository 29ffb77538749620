//! Notifies systemd that a run is ready, alive, or stopping. Does nothing without `NOTIFY_SOCKET`, so a manual run
//! behaves the same.

use sd_notify::NotifyState;

use crate::run::Signal;

/// The source and the models are open, and frames are analysed from here on.
pub(super) fn ready() {
    notify(NotifyState::Ready);
}

/// The pipeline made progress, or its state changed.
pub(super) fn signal(signal: Signal) {
    match signal {
        Signal::Alive => notify(NotifyState::Watchdog),
        Signal::Became(state) => notify(NotifyState::Status(&state.to_string())),
    }
}

/// The run ends in an orderly way.
pub(super) fn stopping() {
    notify(NotifyState::Stopping);
}

fn notify(state: NotifyState<'_>) {
    // Losing the supervisor must not lose frames.
    if let Err(error) = sd_notify::notify(&[state]) {
        log::warn!("cannot notify the supervisor: {error}");
    }
}
