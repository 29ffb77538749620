//! The remaining time of a run, from the duration of its latest steps.

use std::time::Duration;

/// The pace of a run: that of the previous and the current epoch, because int8 steps take longer than float steps, and a
/// mean over all would underestimate the remaining time.
#[derive(Debug, Clone, Copy)]
pub struct TimeLeft {
    /// When the previous epoch began, and the current one, each with the completed steps.
    begun: [(Duration, u64); 2],
    all: u64,
}

impl TimeLeft {
    /// A run of `all` steps of which `done` were completed at time `now`.
    pub fn begin(now: Duration, done: u64, all: u64) -> Self {
        Self { begun: [(now, done); 2], all }
    }

    /// Starts an epoch, with `done` of all steps completed `now`.
    pub fn epoch(&mut self, now: Duration, done: u64) {
        self.begun = [self.begun[1], (now, done)];
    }

    /// The time for the remaining steps if `done` are completed `now`; `None` before the first.
    pub fn at(&self, now: Duration, done: u64) -> Option<Duration> {
        let [(begun, before), _] = self.begun;
        let own = done.checked_sub(before).filter(|own| *own > 0)?;
        let seconds_a_step = now.saturating_sub(begun).as_secs_f64() / own as f64;
        Duration::try_from_secs_f64(seconds_a_step * self.all.saturating_sub(done) as f64).ok()
    }
}

/// A duration as text: `45 s`, `12 min`, `3 h 05 min`.
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
    fn pace_is_measured_since_start_at_first() {
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
    fn pace_follows_previous_and_current_epoch() {
        // 8 epochs of 100 steps, a second each, then 4 of 4 s.
        let took = |done: u64| s(done.min(800) + 4 * done.saturating_sub(800));
        let mut run = TimeLeft::begin(s(0), 0, 1200);
        let mut left = Vec::new();
        for epoch in 0..12 {
            run.epoch(took(100 * epoch), 100 * epoch);
            assert_eq!(run.at(took(100 * epoch), 100 * epoch).is_none(), epoch == 0);
            left.push(run.at(took(100 * (epoch + 1)), 100 * (epoch + 1)).map(|left| left.as_secs()));
        }
        assert_eq!(left[..8], [1100, 1000, 900, 800, 700, 600, 500, 400].map(Some));
        // A mean of both paces after the first of the slow epochs, and their own from the second on.
        assert_eq!(left[8..], [750, 800, 400, 0].map(Some));
        // Resumed in the slow part: the fast part is unknown.
        let mut resumed = TimeLeft::begin(s(10), 900, 1200);
        resumed.epoch(s(10), 900);
        assert_eq!(resumed.at(s(410), 1000), Some(s(800)));
    }

    #[test]
    fn durations_are_written_in_suitable_units() {
        for (seconds, wanted) in
            [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3569, "59 min"), (3570, "1 h 00 min"), (11_100, "3 h 05 min")]
        {
            assert_eq!(text(s(seconds)), wanted);
        }
    }
}
