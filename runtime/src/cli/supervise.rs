//! What a run tells systemd: that it is ready, that it is alive, that it ends. Silent where nobody listens
//! (`NOTIFY_SOCKET` is not set), so a run by hand is the same run.

use sd_notify::NotifyState;

use crate::run::Signal;

/// The source and the models are open; frames are analysed from here on.
pub(super) fn ready() {
    notify(NotifyState::Ready);
}

/// The pipeline moved, or its state is another.
pub(super) fn tell(signal: Signal) {
    match signal {
        Signal::Alive => notify(NotifyState::Watchdog),
        Signal::Became(state) => notify(NotifyState::Status(&state.to_string())),
    }
}

/// The run ends by its own will.
pub(super) fn stopping() {
    notify(NotifyState::Stopping);
}

fn notify(state: NotifyState<'_>) {
    // A supervisor that went away is no reason to lose frames.
    if let Err(error) = sd_notify::notify(&[state]) {
        log::warn!("the supervisor cannot be told: {error}");
    }
}
