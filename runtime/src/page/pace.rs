//! Rate limiting of requests over all clients and connections.
//!
//! Excess requests wait; none is refused. A client that polls without a pause is limited to a small part of a core, and
//! only delays itself, because each connection waits separately.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::page::limits::{MAX_PAGE_CONNECTIONS, MAX_PAGE_REQUESTS_AT_ONCE, MAX_PAGE_REQUESTS_PER_S};

/// Time per request.
const STEP: Duration = Duration::from_nanos(1_000_000_000 / MAX_PAGE_REQUESTS_PER_S as u64);

/// See the module.
#[derive(Debug, Default)]
pub struct Pace {
    /// When all requests so far would have been answered at this pace without bursts.
    due: Mutex<Duration>,
}

impl Pace {
    /// How long a request at `now` has to wait; `now` is the time since a fixed moment.
    pub fn wait(&self, now: Duration) -> Duration {
        // The lock protects a single number, so a panicked thread left it intact.
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let early = STEP * MAX_PAGE_REQUESTS_AT_ONCE;
        // At most one wait per connection at a time. Clients that disconnected while waiting are not waited for.
        let most = now + early + STEP * MAX_PAGE_CONNECTIONS as u32;
        *due = ((*due).max(now) + STEP).min(most);
        due.saturating_sub(now + early)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_at_the_allowed_rate_never_wait() {
        let pace = Pace::default();
        assert!((0..10_000).all(|at| pace.wait(STEP * at) == Duration::ZERO));
    }

    #[test]
    fn busy_clients_are_limited_to_the_rate() {
        let pace = Pace::default();
        // Each connection sends its next request as soon as it is answered.
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
    fn disconnected_clients_delay_others_only_briefly() {
        let pace = Pace::default();
        (0..100_000).for_each(|_| {
            pace.wait(Duration::ZERO);
        });
        assert!(pace.wait(Duration::ZERO) <= STEP * MAX_PAGE_CONNECTIONS as u32);
        assert_eq!(pace.wait(Duration::from_secs(10)), Duration::ZERO);
    }
}
