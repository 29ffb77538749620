//! What a run tells systemd: that it is ready, that it is alive, that it ends. Silent where nobody listens
//! (`NOTIFY_SOCKET` is not set), so a run by hand is the same run.

use sd_notify::NotifyState;

/// The source and the models are open; frames are analysed from here on.
pub(super) fn ready() {
    tell(NotifyState::Ready);
}

/// The loop went round: a frame was dealt with, or none came while both threads lived.
pub(super) fn alive() {
    tell(NotifyState::Watchdog);
}

/// The run ends by its own will.
pub(super) fn stopping() {
    tell(NotifyState::Stopping);
}

fn tell(state: NotifyState<'_>) {
    // A supervisor that went away is no reason to lose frames.
    if let Err(error) = sd_notify::notify(&[state]) {
        log::warn!("the supervisor cannot be told: {error}");
    }
}
