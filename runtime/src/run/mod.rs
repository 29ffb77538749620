//! A run: source -> capture -> frames -> analysis -> records -> disk, for months.
//!
//! Three stages, each the loop of a thread, with bounded queues between them, and a supervisor ([`supervisor`]) that
//! watches them and restarts those that fail or hang. Every frame that the source delivers ends in one of three ways, so
//! that `captured = analysed + dropped + failed` holds at the end of every run.

pub mod analysis;
pub mod answer;
pub mod capture;
pub mod control_history;
pub mod crew;
pub mod drift_history;
pub mod limits;
pub mod lockstep;
pub mod pulses;
pub mod queue;
pub mod recording;
pub mod shared;
pub mod state;
pub mod stop;
pub mod supervisor;
mod tally;
pub mod work;

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    camera::FrameSource,
    error::{Error, Result},
    run::limits::{MAX_RECORDS_END, MAX_STOP_TIME, SUPERVISOR_TICK},
};
use analysis::{Analysing, Analyst};
use capture::Capture;
use crew::{Crew, Exit};
use recording::{Recorder, Recording};
use shared::Shared;
use state::{Stage, State};
use supervisor::{Life, Order, Seen, Supervisor};
use work::{Making, ToBeMade, Work};

/// Frames, by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Delivered by the source.
    pub captured: u64,
    /// Analysed.
    pub analysed: u64,
    /// Dropped because newer ones had arrived, or because the run was stopped.
    pub dropped: u64,
    /// Incomplete, too large, refused by the analysis, or lost when it failed.
    pub failed: u64,
    /// Unreadable for the source. Not counted as captured.
    pub unreadable: u64,
    /// Analysed, but their records could not be written. Also counted as analysed.
    pub not_kept: u64,
}

/// Why a run ended.
#[derive(Debug)]
pub enum Ended {
    /// The source has no more frames.
    SourceEnded,
    /// The requested number of frames was captured.
    EnoughFrames,
    /// A stop was requested.
    Stopped,
    /// The source was lost, or a stage could not recover.
    Broke(Error),
}

impl Ended {
    /// Its text.
    pub fn why(&self) -> &'static str {
        match self {
            Self::SourceEnded => "the source ended",
            Self::EnoughFrames => "enough frames",
            Self::Stopped => "stopped",
            Self::Broke(_) => "broke off",
        }
    }
}

/// The result of a run.
#[derive(Debug)]
pub struct Outcome {
    /// Frames, by how they ended.
    pub counts: Counts,
    /// Why it ended.
    pub ended: Ended,
    /// Stages whose threads did not end: they may still use what was lent to them.
    pub hanging: usize,
}

/// What a run reports to the service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The pipeline made progress.
    Alive,
    /// The state changed.
    Became(State),
}

/// Makes the stages, at the start and whenever one has to be remade. Each is made on its own thread, since opening a
/// camera or a disk may hang. Failed attempts are retried.
pub trait Makers: fmt::Debug {
    /// Opens the source; its errors are those of the source.
    fn source(&mut self) -> Making<Box<dyn FrameSource>>;

    /// Loads the models; its errors are those of the models. `why` is the error of the previous analyst.
    fn analyst(&mut self, why: Option<&Error>) -> Making<Box<dyn Analyst>>;

    /// Opens the records; its errors are those of the folder.
    fn recorder(&mut self) -> Making<Box<dyn Recorder>>;
}

/// A run in progress.
#[derive(Debug)]
pub struct Run<'a, C> {
    shared: Arc<Shared>,
    makers: &'a mut dyn Makers,
    crew: C,
    supervisor: Supervisor,
    most_frames: Option<u64>,
    size_px: Option<(u32, u32)>,
    lives: [Life; Stage::ALL.len()],
    /// The last error of each stage.
    died_of: [Option<Error>; Stage::ALL.len()],
    ended: Option<Ended>,
    stopping_since: Option<Duration>,
    /// Loop count of the records, and since when it has not changed.
    waiting: Option<(Duration, u64)>,
}

impl<'a, C: Crew> Run<'a, C> {
    /// Starts the run with `source`; replacements come from `makers`.
    ///
    /// # Errors
    /// Those of the first analyst and recorder.
    pub fn begin(
        shared: &Arc<Shared>,
        source: Box<dyn FrameSource>,
        most_frames: Option<u64>,
        makers: &'a mut dyn Makers,
        crew: C,
    ) -> Result<Self> {
        let mut run = Self {
            size_px: source.frame_size_px(),
            supervisor: Supervisor::new(shared.now()),
            shared: Arc::clone(shared),
            makers,
            crew,
            most_frames,
            lives: [Life::Alive; Stage::ALL.len()],
            died_of: [const { None }; Stage::ALL.len()],
            ended: None,
            stopping_since: None,
            waiting: None,
        };
        // The last stages first: a frame must not arrive before its consumer is ready.
        for stage in [Stage::Records, Stage::Analysis] {
            let generation = shared.hand_over(stage);
            // On this thread: the caller gets the error directly.
            let work = run.making(stage, generation)()?;
            run.give(stage, work)?;
        }
        let generation = shared.hand_over(Stage::Capture);
        run.give(Stage::Capture, Box::new(Capture::new(shared, generation, source, most_frames)))?;
        Ok(run)
    }

    /// Runs to the end.
    pub fn to_the_end(mut self, mut signal: impl FnMut(Signal)) -> Outcome {
        loop {
            self.crew.work(SUPERVISOR_TICK);
            if let Some(outcome) = self.tick(&mut signal) {
                return outcome;
            }
        }
    }

    /// The crew.
    pub fn crew(&mut self) -> &mut C {
        &mut self.crew
    }

    /// Lets the stages work for about `time`, then checks them; returns the outcome when the run is over.
    pub fn turn(&mut self, time: Duration, signal: &mut impl FnMut(Signal)) -> Option<Outcome> {
        self.crew.work(time);
        self.tick(signal)
    }

    fn tick(&mut self, signal: &mut impl FnMut(Signal)) -> Option<Outcome> {
        self.bury();
        let now = self.shared.now();
        let stopped = self.shared.stop.is_raised();
        if stopped && self.stopping_since.is_none() {
            self.stopping_since = Some(now);
            // A capture that hangs does not keep the others from ending.
            self.shared.frames.abandon();
        }
        if stopped && self.lives[Stage::Analysis as usize] == Life::Dead {
            self.shared.records.close();
        }
        let seen = Stage::ALL.map(|stage| Seen { turns: self.shared.turns(stage), life: self.lives[stage as usize] });
        let abandoned = self.crew.abandoned();
        let orders = self.supervisor.tick(now, seen, abandoned, self.shared.problem(), stopped);
        for order in orders {
            match order {
                Order::FeedWatchdog => signal(Signal::Alive),
                Order::Became(state) => {
                    self.shared.set_state(state);
                    log::info!("{state}");
                    self.shared.happened("state", state.to_string());
                    signal(Signal::Became(state));
                }
                Order::LeaveBehind(stage) => {
                    log::warn!("{}: hangs; abandoned", stage.name());
                    self.shared.happened("stalled", stage.name().to_owned());
                    // Whatever it still does is not counted.
                    self.shared.hand_over(stage);
                    self.crew.leave_behind(stage);
                    self.lives[stage as usize] = Life::Dead;
                }
                Order::Restart(stage) => self.restart(stage),
                Order::GiveUp(stage) => return Some(self.give_up(stage)),
            }
        }
        self.is_over(now).then(|| self.outcome())
    }

    /// Notes which stages have ended, and how.
    fn bury(&mut self) {
        for stage in Stage::ALL {
            match self.crew.exit(stage).filter(|_| self.lives[stage as usize] == Life::Alive) {
                None => {}
                Some(Exit::Finished(ended)) => {
                    self.lives[stage as usize] = Life::Finished;
                    match stage {
                        Stage::Capture => {
                            if matches!(ended, Some(Ended::Stopped)) {
                                self.shared.frames.abandon();
                            }
                            if let Some(ended) = &ended {
                                self.shared.set_why(ended.why());
                            }
                            self.shared.frames.close();
                            self.ended = ended;
                        }
                        Stage::Analysis => self.shared.records.close(),
                        Stage::Records => {}
                    }
                }
                Some(Exit::Died(error)) => {
                    log::error!("{}: {error}", stage.name());
                    self.shared.happened("died", format!("{}: {error}", stage.name()));
                    self.shared_loses(stage);
                    self.lives[stage as usize] = Life::Dead;
                    self.died_of[stage as usize] = Some(error);
                }
                Some(Exit::Unmade(error)) => self.not_started(stage, error),
            }
        }
    }

    fn not_started(&mut self, stage: Stage, error: Error) {
        log::warn!("{}: cannot be restarted yet: {error}", stage.name());
        self.lives[stage as usize] = Life::Dead;
        self.died_of[stage as usize] = Some(error);
    }

    /// The frames held by a failed stage are lost, and counted.
    fn shared_loses(&self, stage: Stage) {
        match stage {
            Stage::Capture => {}
            Stage::Analysis => self.shared.put_down(false),
            Stage::Records => self.shared.written(false),
        }
    }

    fn restart(&mut self, stage: Stage) {
        let generation = self.shared.hand_over(stage);
        let making = self.making(stage, generation);
        let work = Box::new(ToBeMade::new(&self.shared, stage, generation, making));
        if let Err(error) = self.give(stage, work) {
            self.not_started(stage, error);
        }
    }

    /// Builds the work of a stage, for the thread with this number.
    fn making(&mut self, stage: Stage, generation: u32) -> Making<Box<dyn Work>> {
        let shared = Arc::clone(&self.shared);
        match stage {
            Stage::Capture => {
                let (making, most_frames) = (self.makers.source(), self.most_frames);
                Box::new(move || Ok(Box::new(Capture::new(&shared, generation, making()?, most_frames))))
            }
            Stage::Analysis => {
                let making = self.makers.analyst(self.died_of[Stage::Analysis as usize].as_ref());
                let size_px = self.size_px;
                Box::new(move || Ok(Box::new(Analysing::new(&shared, generation, making()?, size_px))))
            }
            Stage::Records => {
                let making = self.makers.recorder();
                Box::new(move || Ok(Box::new(Recording::new(&shared, generation, making()?))))
            }
        }
    }

    fn give(&mut self, stage: Stage, work: Box<dyn Work>) -> Result<()> {
        self.crew.start(stage, work)?;
        self.lives[stage as usize] = Life::Alive;
        Ok(())
    }

    /// Whether all stages have done what they can.
    fn is_over(&mut self, now: Duration) -> bool {
        if self.lives.iter().all(|life| *life == Life::Finished) {
            return true;
        }
        let Some(since) = self.stopping_since else { return self.waits_in_vain(now) };
        let ended = |stage: Stage| self.lives[stage as usize] != Life::Alive;
        // After a stop nothing is restarted.
        Stage::ALL.into_iter().all(ended) || now.saturating_sub(since) >= MAX_STOP_TIME
    }

    /// Whether all frames are analysed and the disk does not accept the records.
    fn waits_in_vain(&mut self, now: Duration) -> bool {
        let is_last = self.lives == [Life::Finished, Life::Finished, Life::Alive];
        let turns = self.shared.turns(Stage::Records);
        let (since, before) = *self.waiting.get_or_insert((now, turns));
        if !is_last || turns != before {
            self.waiting = Some((now, turns));
            return false;
        }
        now.saturating_sub(since) >= MAX_RECORDS_END
    }

    fn give_up(&mut self, stage: Stage) -> Outcome {
        let hangs = || Error::internal(stage.name(), "no progress");
        let error = self.died_of[stage as usize].take().unwrap_or_else(hangs);
        log::error!("{}: given up: {error}", stage.name());
        self.shared.happened("given up", format!("{}: {error}", stage.name()));
        self.ended = Some(Ended::Broke(error));
        self.shared.stop.raise();
        self.shared.frames.abandon();
        self.shared_loses(stage);
        // What was analysed is written, if the disk responds.
        self.shared.records.close();
        let began = self.shared.now();
        while self.lives[Stage::Records as usize] == Life::Alive
            && stage != Stage::Records
            && self.shared.now().saturating_sub(began) < MAX_STOP_TIME
        {
            self.crew.work(SUPERVISOR_TICK);
            self.bury();
        }
        self.outcome()
    }

    fn outcome(&mut self) -> Outcome {
        self.shared.set_state(State::Stopping);
        // A stage that hangs with a frame will not return in time.
        self.shared.frames.abandon();
        self.shared.put_down(false);
        if self.lives[Stage::Records as usize] != Life::Finished {
            self.shared.give_up_records();
        }
        let hanging = self.lives.iter().filter(|life| **life == Life::Alive).count() + self.crew.abandoned();
        let ended = self.ended.take().unwrap_or(Ended::Stopped);
        Outcome { counts: self.shared.counts(), ended, hanging }
    }
}

#[cfg(test)]
mod tests;
