//! How many requests the page answers in a time from all clients together and on however many connections.
//!
//! What comes faster waits for its turn; nobody is refused. A reader that asks again and again is so held to a small part
//! of a core, and waits alone, since each connection waits for itself.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::page::limits::{MAX_PAGE_CONNECTIONS, MAX_PAGE_REQUESTS_AT_ONCE, MAX_PAGE_REQUESTS_PER_S};

/// Time that one request takes of the pace.
const STEP: Duration = Duration::from_nanos(1_000_000_000 / MAX_PAGE_REQUESTS_PER_S as u64);

/// See the module.
#[derive(Debug, Default)]
pub struct Pace {
    /// When all requests so far would have been answered, had each taken a step and none been let in early.
    due: Mutex<Duration>,
}

impl Pace {
    /// How long a request that comes at `now` has to wait; `now` is the time since some moment, the same for all.
    pub fn wait(&self, now: Duration) -> Duration {
        // A thread that panicked while holding the lock left a whole number.
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let early = STEP * MAX_PAGE_REQUESTS_AT_ONCE;
        // No more wait at a time than there are connections. Those that hung up instead of waiting are not waited for.
        let most = now + early + STEP * MAX_PAGE_CONNECTIONS as u32;
        *due = ((*due).max(now) + STEP).min(most);
        due.saturating_sub(now + early)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_now_and_then_never_waits() {
        let pace = Pace::default();
        assert!((0..10_000).all(|at| pace.wait(STEP * at) == Duration::ZERO));
    }

    #[test]
    fn busy_readers_are_held_to_the_pace() {
        let pace = Pace::default();
        // Each connection asks again as soon as it was answered.
        let mut free = [Duration::ZERO; MAX_PAGE_CONNECTIONS];
        let mut answered = 0;
        let end = Duration::from_secs(60);
        while let Some(connection) = free.iter_mut().min().filter(|now| **now < end) {
            *connection += pace.wait(*connection);
            answered += u32::from(*connection < end);
        }
        let most = MAX_PAGE_REQUESTS_AT_ONCE + 60 * MAX_PAGE_REQUESTS_PER_S;
        assert!(answered <= most + MAX_PAGE_CONNECTIONS as u32 && answered + 60 >= most, "{answered} of {most}");
    }

    #[test]
    fn who_hangs_up_keeps_nobody_waiting_for_long() {
        let pace = Pace::default();
        (0..100_000).for_each(|_| {
            pace.wait(Duration::ZERO);
        });
        assert!(pace.wait(Duration::ZERO) <= STEP * MAX_PAGE_CONNECTIONS as u32);
        assert_eq!(pace.wait(Duration::from_secs(10)), Duration::ZERO);
    }
}
