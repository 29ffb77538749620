//! The supervisor of the stages: at each tick it gets what they did, and returns what is to be done. It uses no threads
//! and no clock, so that a test can cover years.
//!
//! - A stage that failed is restarted, with a longer delay each time it fails again.
//! - A capture that stalls is abandoned (its thread may hang in a driver forever), and another one starts beside it.
//! - An analysis that stalls cannot be abandoned, since the budget holds its memory only once: the run is given up, and
//!   the service manager restarts it.
//! - Records that stall wait for their disk: the run continues without them.
//! - The watchdog is notified only after the analysis made progress, and the capture made progress or is being
//!   restarted. If the restarted capture hangs too, page and records continue, but after a while the watchdog starves,
//!   and a service manager restarts the process.

use std::time::Duration;

use heapless::Vec as BoundedVec;

use super::state::{Reason, Stage, State};
use crate::run::limits::{
    ANALYSIS_STALL, CAPTURE_HOPELESS, CAPTURE_STALL, MAX_ABANDONED, MAX_RESTART, MAX_RESTARTS_IN_VAIN, MIN_RESTART,
    MIN_WATCHDOG, RECORDS_STALL, RESTART_FORGIVEN,
};
use bloodseg_clock::back_off::pause;

/// Maximum number of orders of one tick: a restart of each stage, a change of state, the watchdog.
const MAX_ORDERS: usize = 2 * Stage::ALL.len() + 2;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Restart this stage.
    Restart(Stage),
    /// Abandon this stage's thread: whatever it still does is ignored.
    LeaveBehind(Stage),
    /// Notify the watchdog that all is well.
    FeedWatchdog,
    /// The state changed.
    Became(State),
    /// End the run with an error: this stage cannot recover.
    GiveUp(Stage),
}

/// Everything that is to be done at a tick.
pub type Orders = BoundedVec<Order, MAX_ORDERS>;

/// What was observed of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Loops since the start of the run.
    pub turns: u64,
    /// Its condition.
    pub life: Life,
}

/// The condition of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Working.
    Alive,
    /// It panicked, or cannot continue.
    Dead,
    /// All its work is done.
    Finished,
}

/// One stage, as the supervisor remembers it.
#[derive(Debug, Clone, Copy)]
struct Watched {
    turns: u64,
    moved_at: Duration,
    started_at: Duration,
    /// Restarts since it last ran well for a while.
    tries: u32,
    /// When a stopped stage is restarted.
    retry_at: Option<Duration>,
    /// It was restarted and has made no progress yet.
    unproven: bool,
    fed_turns: u64,
}

/// The supervisor.
#[derive(Debug)]
pub struct Supervisor {
    state: State,
    stages: [Watched; Stage::ALL.len()],
    fed_at: Option<Duration>,
}

impl Supervisor {
    /// Starts at `now`, with all stages just started.
    pub fn new(now: Duration) -> Self {
        let watched = Watched {
            turns: 0,
            moved_at: now,
            started_at: now,
            tries: 0,
            retry_at: None,
            unproven: true,
            fed_turns: 0,
        };
        Self { state: State::Starting, stages: [watched; Stage::ALL.len()], fed_at: None }
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Checks the stages, in the order of [`Stage::ALL`]. `abandoned` is the number of abandoned capture threads,
    /// `problem` the problem that the stages themselves report.
    pub fn tick(
        &mut self,
        now: Duration,
        seen: [Seen; Stage::ALL.len()],
        abandoned: usize,
        problem: Option<Reason>,
        stopping: bool,
    ) -> Orders {
        let mut orders = Orders::new();
        let mut order = |order| {
            // There is room for everything that one tick can order.
            let _ = orders.push(order);
        };
        let mut stands = None;
        for (stage, seen) in Stage::ALL.into_iter().zip(seen) {
            let watched = &mut self.stages[stage as usize];
            watched.look(now, seen.turns);
            match (seen.life, watched.retry_at) {
                (Life::Finished, _) => {}
                (_, Some(retry_at)) if now >= retry_at && !stopping => {
                    watched.restarted(now);
                    order(Order::Restart(stage));
                }
                (_, Some(_)) => {}
                // If no more frames are to be captured, no capture is needed.
                (Life::Dead, None) if stopping && stage == Stage::Capture => {}
                (Life::Dead, None) if watched.is_hopeless(stage) => order(Order::GiveUp(stage)),
                (Life::Dead, None) => watched.down(now),
                (Life::Alive, None) if now.saturating_sub(watched.moved_at) >= stall_of(stage) => match stage {
                    Stage::Capture if abandoned < MAX_ABANDONED => {
                        order(Order::LeaveBehind(stage));
                        watched.down(now);
                    }
                    Stage::Capture => stands = stands.max(Some((Reason::CameraAway, stage))),
                    Stage::Analysis => order(Order::GiveUp(stage)),
                    Stage::Records => stands = Some((Reason::RecordsStand, stage)),
                },
                (Life::Alive, None) => {}
            }
        }
        if self.may_feed(now, seen) {
            order(Order::FeedWatchdog);
        }
        let ending = stopping || seen[Stage::Capture as usize].life == Life::Finished;
        let state = self.judge(problem, stands, ending);
        if state != self.state {
            self.state = state;
            order(Order::Became(state));
        }
        orders
    }

    fn may_feed(&mut self, now: Duration, seen: [Seen; Stage::ALL.len()]) -> bool {
        if self.fed_at.is_some_and(|fed_at| now.saturating_sub(fed_at) < MIN_WATCHDOG) {
            return false;
        }
        let moved = |stage: Stage| {
            let watched = &self.stages[stage as usize];
            watched.turns != watched.fed_turns || seen[stage as usize].life == Life::Finished
        };
        let capture = &self.stages[Stage::Capture as usize];
        // A stage that hangs and cannot be replaced keeps hanging: the watchdog may restart the process.
        let hopeful = now.saturating_sub(capture.moved_at) < CAPTURE_HOPELESS;
        let helped = capture.retry_at.is_some() || (capture.tries > 0 && hopeful);
        if !(moved(Stage::Analysis) && (moved(Stage::Capture) || helped)) {
            return false;
        }
        for watched in &mut self.stages {
            watched.fed_turns = watched.turns;
        }
        self.fed_at = Some(now);
        true
    }

    /// `stands` is the state of the run if a stage hangs and cannot be replaced.
    fn judge(&self, problem: Option<Reason>, stands: Option<(Reason, Stage)>, ending: bool) -> State {
        if ending || self.state == State::Stopping {
            return State::Stopping;
        }
        let starting = self.stages.iter().any(|watched| watched.turns == 0 && watched.tries == 0);
        let recovering = Stage::ALL.into_iter().find(|stage| {
            let watched = &self.stages[*stage as usize];
            let hangs = stands.is_some_and(|(_, hanging)| hanging == *stage);
            watched.retry_at.is_some() || (watched.unproven && watched.tries > 0 && !hangs)
        });
        match (recovering, problem.max(stands.map(|(reason, _)| reason))) {
            (Some(stage), _) => State::Recovering(stage),
            (None, _) if starting => State::Starting,
            (None, Some(reason)) => State::Degraded(reason),
            (None, None) => State::Running,
        }
    }
}

impl Watched {
    fn look(&mut self, now: Duration, turns: u64) {
        if turns != self.turns {
            self.turns = turns;
            self.moved_at = now;
            self.unproven = false;
            if self.retry_at.is_none() && now.saturating_sub(self.started_at) >= RESTART_FORGIVEN {
                self.tries = 0;
            }
        }
    }

    fn down(&mut self, now: Duration) {
        self.retry_at = Some(now + pause(MIN_RESTART, MAX_RESTART, self.tries));
        self.tries = self.tries.saturating_add(1);
    }

    fn restarted(&mut self, now: Duration) {
        self.retry_at = None;
        self.unproven = true;
        (self.started_at, self.moved_at) = (now, now);
    }

    /// A camera may return after a year. If another stage keeps failing, that is a fault of the software.
    fn is_hopeless(&self, stage: Stage) -> bool {
        stage != Stage::Capture && self.tries >= MAX_RESTARTS_IN_VAIN
    }
}

fn stall_of(stage: Stage) -> Duration {
    match stage {
        Stage::Capture => CAPTURE_STALL,
        Stage::Analysis => ANALYSIS_STALL,
        Stage::Records => RECORDS_STALL,
    }
}

#[cfg(test)]
mod tests;
