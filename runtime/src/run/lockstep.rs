//! Runs the stages one after the other in virtual time: months of a run take seconds in a test, and every repetition is
//! identical.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    crew::{Crew, Exit, caught},
    state::Stage,
    work::{Step, Work},
};
use crate::error::Result;
use bloodseg_clock::{Clock, VirtualClock};

/// One stage's work.
struct Hand {
    work: Box<dyn Work>,
    /// It is not called before this time.
    due: Duration,
}

/// See the module documentation.
pub struct Lockstep {
    clock: Arc<VirtualClock>,
    began: Duration,
    hands: [Option<Hand>; Stage::ALL.len()],
    exits: [Option<Exit>; Stage::ALL.len()],
    /// Which stage hangs, and until when.
    hangs: [Duration; Stage::ALL.len()],
    /// Until when an abandoned stage hangs.
    lost_until: Duration,
}

impl Lockstep {
    /// No workers yet. The run must start now, by the same clock.
    pub fn new(clock: &Arc<VirtualClock>) -> Self {
        Self {
            began: clock.elapsed(),
            clock: Arc::clone(clock),
            hands: [const { None }; Stage::ALL.len()],
            exits: [const { None }; Stage::ALL.len()],
            hangs: [Duration::ZERO; Stage::ALL.len()],
            lost_until: Duration::ZERO,
        }
    }

    /// Makes a stage hang, as in a driver, until this much time has passed since the start of the run, or until it is
    /// abandoned.
    pub fn hang(&mut self, stage: Stage, until: Duration) {
        self.hangs[stage as usize] = until;
    }

    fn now(&self) -> Duration {
        self.clock.elapsed().saturating_sub(self.began)
    }

    /// Each stage works until it has nothing to do at this time.
    fn settle(&mut self) {
        let now = self.now();
        let mut moved = true;
        while moved {
            moved = false;
            for stage in Stage::ALL {
                let at = stage as usize;
                let Some(hand) = &mut self.hands[at] else { continue };
                if now < self.hangs[at] || now < hand.due {
                    continue;
                }
                match caught(hand.work.as_mut(), stage, Duration::ZERO) {
                    Step::Again => moved = true,
                    Step::Idle => {}
                    Step::Nap(due) => hand.due = due,
                    Step::Finished(ended) => self.exits[at] = Some(Exit::Finished(ended)),
                    Step::Broke(error) => self.exits[at] = Some(Exit::Died(error)),
                    Step::Unmade(error) => self.exits[at] = Some(Exit::Unmade(error)),
                    Step::Retired => self.hands[at] = None,
                }
                if self.exits[at].is_some() {
                    self.hands[at] = None;
                    moved = true;
                }
            }
        }
    }
}

impl Crew for Lockstep {
    fn start(&mut self, stage: Stage, work: Box<dyn Work>) -> Result<()> {
        self.hands[stage as usize] = Some(Hand { work, due: Duration::ZERO });
        Ok(())
    }

    fn leave_behind(&mut self, stage: Stage) {
        self.hands[stage as usize] = None;
        // Its replacement does not hang.
        self.lost_until = std::mem::take(&mut self.hangs[stage as usize]);
    }

    fn exit(&mut self, stage: Stage) -> Option<Exit> {
        self.exits[stage as usize].take()
    }

    fn abandoned(&mut self) -> usize {
        usize::from(self.now() < self.lost_until)
    }

    /// Advances virtual time, from one time at which a stage has something to do to the next.
    fn work(&mut self, time: Duration) {
        let until = self.now() + time;
        loop {
            self.settle();
            let now = self.now();
            if now >= until || self.exits.iter().any(Option::is_some) {
                return;
            }
            let due = self.hands.iter().flatten().map(|hand| hand.due).filter(|due| *due > now).min();
            self.clock.pass(due.map_or(until, |due| due.min(until)) - now);
        }
    }
}

impl fmt::Debug for Lockstep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lockstep").field("now", &self.now()).finish_non_exhaustive()
    }
}
