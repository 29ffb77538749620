//! Time as an argument: everything that waits, retries or stamps reads it here, so that a test simulates months in
//! seconds.
//!
//! The two times are never mixed. Elapsed time is monotonic and used for intervals, stalls and back-off. Wall time is
//! only for labels: a box without a battery boots in 1970, and its clock is set while it runs.

pub mod back_off;
pub mod utc;

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// A source of time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Time since an arbitrary start; monotonic.
    fn elapsed(&self) -> Duration;

    /// Wall time, which can jump by years in either direction.
    fn wall(&self) -> SystemTime;
}

/// The system clocks.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock for tests that only moves when set.
#[derive(Debug)]
pub struct VirtualClock(Mutex<(Duration, SystemTime)>);

impl VirtualClock {
    /// A clock with zero elapsed time, at wall time `wall`.
    pub fn at(wall: SystemTime) -> Self {
        Self(Mutex::new((Duration::ZERO, wall)))
    }

    /// Advances both clocks.
    pub fn pass(&self, time: Duration) {
        self.change(|(elapsed, wall)| {
            *elapsed += time;
            *wall = wall.checked_add(time).unwrap_or(*wall);
        });
    }

    /// Sets only the wall clock.
    pub fn set_wall(&self, to: SystemTime) {
        self.change(|(_, wall)| *wall = to);
    }

    // Every change is a single step, so a thread that panicked while holding the lock left nothing half done.
    fn change<T>(&self, change: impl FnOnce(&mut (Duration, SystemTime)) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clock for VirtualClock {
    fn elapsed(&self) -> Duration {
        self.change(|(elapsed, _)| *elapsed)
    }

    fn wall(&self) -> SystemTime {
        self.change(|(_, wall)| *wall)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn wall_clock_jumps_do_not_affect_elapsed_time() {
        let clock = VirtualClock::at(UNIX_EPOCH);
        clock.pass(Duration::from_secs(5));
        clock.set_wall(UNIX_EPOCH + Duration::from_secs(1_000_000_000));
        clock.pass(Duration::from_secs(1));
        clock.set_wall(UNIX_EPOCH);
        assert_eq!((clock.elapsed(), clock.wall()), (Duration::from_secs(6), UNIX_EPOCH));
    }
}
