//! Heartbeats of the stages.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::state::Stage;

/// The heartbeat of one stage.
#[derive(Debug, Default)]
struct Pulse {
    /// Number of the stage's current thread.
    generation: AtomicU32,
    turns: AtomicU64,
}

/// The heartbeats of all stages.
#[derive(Debug, Default)]
pub struct Pulses([Pulse; Stage::ALL.len()]);

impl Pulses {
    /// A new thread for `stage`: the number that it reports with each loop.
    pub fn hand_over(&self, stage: Stage) -> u32 {
        self.of(stage).generation.fetch_add(1, Relaxed) + 1
    }

    /// Records a heartbeat of thread `generation` of `stage`, and returns whether it is still the current one.
    pub fn turn(&self, stage: Stage, generation: u32) -> bool {
        let counts = self.counts_on(stage, generation);
        if counts {
            self.of(stage).turns.fetch_add(1, Relaxed);
        }
        counts
    }

    /// Whether thread `generation` of `stage` is the current one.
    pub fn counts_on(&self, stage: Stage, generation: u32) -> bool {
        self.of(stage).generation.load(Relaxed) == generation
    }

    /// Loops of a stage so far.
    pub fn turns(&self, stage: Stage) -> u64 {
        self.of(stage).turns.load(Relaxed)
    }

    fn of(&self, stage: Stage) -> &Pulse {
        &self.0[stage as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_thread_does_not_count_turns() {
        let pulses = Pulses::default();
        let first = pulses.hand_over(Stage::Analysis);
        assert!(pulses.turn(Stage::Analysis, first));
        let second = pulses.hand_over(Stage::Analysis);
        assert!(!pulses.turn(Stage::Analysis, first) && pulses.turn(Stage::Analysis, second));
        assert_eq!((pulses.turns(Stage::Analysis), pulses.turns(Stage::Capture)), (2, 0));
    }
}
