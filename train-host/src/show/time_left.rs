//! How long a run will take yet, by how long it took so far.

use std::time::Duration;

/// The pace of a run since it was begun, or gone on with.
#[derive(Debug, Clone, Copy)]
pub struct TimeLeft {
    begun: Duration,
    done: u64,
    all: u64,
}

impl TimeLeft {
    /// A run of `all` steps of which `done` were done at the time `now`.
    pub fn begin(now: Duration, done: u64, all: u64) -> Self {
        Self { begun: now, done, all }
    }

    /// The time that the other steps will take, when `done` of all are done `now`; nothing before the first.
    pub fn at(&self, now: Duration, done: u64) -> Option<Duration> {
        let own = done.checked_sub(self.done).filter(|own| *own > 0)?;
        let seconds_a_step = now.saturating_sub(self.begun).as_secs_f64() / own as f64;
        Duration::try_from_secs_f64(seconds_a_step * self.all.saturating_sub(done) as f64).ok()
    }
}

/// A time for people: `45 s`, `12 min`, `3 h 05 min`.
pub fn text(time: Duration) -> String {
    let (seconds, minutes) = (time.as_secs(), (time.as_secs() + 30) / 60);
    match (seconds, minutes) {
        (0..90, _) => format!("{seconds} s"),
        (_, 0..60) => format!("{minutes} min"),
        _ => format!("{} h {:02} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_pace_is_that_of_the_steps_since_the_start() {
        let run = TimeLeft::begin(s(100), 0, 400);
        assert_eq!(run.at(s(100), 0), None);
        assert_eq!(run.at(s(200), 100), Some(s(300)));
        assert_eq!(run.at(s(500), 400), Some(s(0)));
        let resumed = TimeLeft::begin(s(10), 300, 400);
        assert_eq!(resumed.at(s(10), 300), None);
        assert_eq!(resumed.at(s(60), 350), Some(s(50)));
        assert_eq!(resumed.at(s(60), 299), None);
    }

    #[test]
    fn times_are_as_long_as_they_need_to_be() {
        for (seconds, wanted) in
            [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3569, "59 min"), (3570, "1 h 00 min"), (11_100, "3 h 05 min")]
        {
            assert_eq!(text(s(seconds)), wanted);
        }
    }
}
