//! The stop request, which a signal handler raises and everything that waits notices.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Raised once, never lowered.
#[derive(Debug, Default)]
pub struct Stop {
    raised: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Requests a stop; returns whether one had been requested before.
    pub fn raise(&self) -> bool {
        let before = std::mem::replace(&mut *self.lock(), true);
        self.changed.notify_all();
        before
    }

    /// Whether a stop was requested.
    pub fn is_raised(&self) -> bool {
        *self.lock()
    }

    /// Sleeps for `pause`, or less if a stop is requested.
    pub fn sleep(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut raised = self.lock();
        while !*raised {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            raised = self.changed.wait_timeout(raised, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
