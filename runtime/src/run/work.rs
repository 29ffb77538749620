//! The work of a stage: cut into steps, so that threads do it in earnest and tests in virtual time.

use std::time::Duration;

use super::Ended;
use crate::error::Error;

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// There may be more to do at once.
    Again,
    /// No neighbour had anything to do within the patience.
    Idle,
    /// There is nothing to do before this time since the run began.
    Nap(Duration),
    /// All is done; of a capture, with the reason.
    Finished(Option<Ended>),
    /// It cannot go on: it has to be made anew.
    Broke(Error),
    /// Another thread has taken over.
    Retired,
}

/// The work of a stage. A step takes a bounded amount of time, unless a driver or a disk hangs.
pub trait Work: Send {
    /// Does what there is to do, waiting no longer than `patience` for a neighbour.
    fn step(&mut self, patience: Duration) -> Step;
}
