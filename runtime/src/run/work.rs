//! The work of a stage, divided into steps, so that threads can run it in real time and tests in virtual time.

use std::{sync::Arc, time::Duration};

use super::{Ended, shared::Shared, state::Stage};
use crate::error::{Error, Result};

/// The result of a step.
#[derive(Debug)]
pub enum Step {
    /// There may be more to do immediately.
    Again,
    /// No neighbour had anything to do within the patience.
    Idle,
    /// There is nothing to do before this time since the start of the run.
    Nap(Duration),
    /// All is done; for a capture, with the reason.
    Finished(Option<Ended>),
    /// It cannot continue: it has to be remade.
    Broke(Error),
    /// It could not be made; this is retried.
    Unmade(Error),
    /// Another thread has taken over.
    Retired,
}

/// The work of a stage. A step takes a bounded amount of time, unless a driver or a disk hangs.
pub trait Work: Send {
    /// Does what there is to do, waiting at most `patience` for a neighbour.
    fn step(&mut self, patience: Duration) -> Step;
}

/// How something is made, by its future user.
pub type Making<T> = Box<dyn FnOnce() -> Result<T> + Send>;

/// Work that has yet to be made: opening a camera or a disk may hang, and must block only its own stage.
pub(super) struct ToBeMade {
    shared: Arc<Shared>,
    stage: Stage,
    generation: u32,
    making: Option<Making<Box<dyn Work>>>,
    made: Option<Box<dyn Work>>,
}

impl ToBeMade {
    /// Work of the thread with this number.
    pub(super) fn new(shared: &Arc<Shared>, stage: Stage, generation: u32, making: Making<Box<dyn Work>>) -> Self {
        Self { shared: Arc::clone(shared), stage, generation, making: Some(making), made: None }
    }
}

impl Work for ToBeMade {
    fn step(&mut self, patience: Duration) -> Step {
        if let Some(work) = &mut self.made {
            return work.step(patience);
        }
        let Some(making) = self.making.take() else { return Step::Retired };
        let made = making();
        // It may have hung for minutes while another thread took its place.
        if !self.shared.counts_on(self.stage, self.generation) {
            return Step::Retired;
        }
        match made {
            Ok(work) => {
                log::warn!("{}: restarted", self.stage.name());
                self.shared.happened("restarted", self.stage.name().to_owned());
                self.made = Some(work);
                Step::Again
            }
            Err(error) => Step::Unmade(error),
        }
    }
}
