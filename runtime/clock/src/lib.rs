//! Time, as an argument: what waits, retries and stamps reads it here, so that months are a test of seconds.
//!
//! Two times that are never mixed. Time since the start never jumps: intervals, stalls and back-off are reckoned with it.
//! The wall's time is for labels alone: a box without a battery wakes up in 1970, and is set right while it runs.

pub mod back_off;
pub mod utc;

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// Where time comes from.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Time since some start; never goes back, never jumps.
    fn elapsed(&self) -> Duration;

    /// The time of the wall, which may jump by years either way.
    fn wall(&self) -> SystemTime;
}

/// The clocks of the machine.
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

/// A clock that goes when it is told to.
#[derive(Debug)]
pub struct VirtualClock(Mutex<(Duration, SystemTime)>);

impl VirtualClock {
    /// A clock that stands at nothing elapsed, and at `wall`.
    pub fn at(wall: SystemTime) -> Self {
        Self(Mutex::new((Duration::ZERO, wall)))
    }

    /// Lets time pass, on both clocks.
    pub fn pass(&self, time: Duration) {
        self.change(|(elapsed, wall)| {
            *elapsed += time;
            *wall = wall.checked_add(time).unwrap_or(*wall);
        });
    }

    /// Sets the wall's clock alone.
    pub fn set_wall(&self, to: SystemTime) {
        self.change(|(_, wall)| *wall = to);
    }

    // Every change is one step: a thread that panicked while holding the lock left none half done.
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
    fn a_wall_that_jumps_leaves_elapsed_time_alone() {
        let clock = VirtualClock::at(UNIX_EPOCH);
        clock.pass(Duration::from_secs(5));
        clock.set_wall(UNIX_EPOCH + Duration::from_secs(1_000_000_000));
        clock.pass(Duration::from_secs(1));
        clock.set_wall(UNIX_EPOCH);
        assert_eq!((clock.elapsed(), clock.wall()), (Duration::from_secs(6), UNIX_EPOCH));
    }
}
