//! The threads that do the work of the stages.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    Ended,
    shared::Shared,
    state::Stage,
    work::{Step, Work},
};
use crate::{
    error::{Error, Result},
    run::limits::MAX_NAP,
};

/// How the work of a stage ended.
#[derive(Debug)]
pub enum Exit {
    /// All work is done.
    Finished(Option<Ended>),
    /// It panicked, or cannot continue.
    Died(Error),
    /// It could not be made.
    Unmade(Error),
}

/// Does the work of the stages: in threads, or in virtual time.
pub trait Crew: fmt::Debug {
    /// Gives a stage its work. The previous worker has been retired.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) if the system cannot create a thread.
    fn start(&mut self, stage: Stage, work: Box<dyn Work>) -> Result<()>;

    /// Abandons the worker of a stage.
    fn leave_behind(&mut self, stage: Stage);

    /// How the work of a stage ended; returned once.
    fn exit(&mut self, stage: Stage) -> Option<Exit>;

    /// How many abandoned threads have not ended.
    fn abandoned(&mut self) -> usize;

    /// Lets the stages work for about `time`; less if one of them ended or a stop was requested.
    fn work(&mut self, time: Duration);
}

/// A panic must not end the other stages.
pub(super) fn caught(work: &mut dyn Work, stage: Stage, patience: Duration) -> Step {
    catch_unwind(AssertUnwindSafe(|| work.step(patience))).unwrap_or_else(|panic| {
        Step::Broke(Error::internal(stage.name(), format!("panicked: {}", words_of(panic.as_ref()))))
    })
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}

#[derive(Debug)]
struct Hand {
    thread: JoinHandle<()>,
    exit: Arc<Mutex<Option<Exit>>>,
}

/// One thread per stage.
#[derive(Debug)]
pub struct Threads {
    shared: Arc<Shared>,
    hands: [Option<Hand>; Stage::ALL.len()],
    lost: Vec<JoinHandle<()>>,
}

impl Threads {
    /// No threads yet.
    pub fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), hands: [const { None }; Stage::ALL.len()], lost: Vec::new() }
    }
}

impl Crew for Threads {
    fn start(&mut self, stage: Stage, mut work: Box<dyn Work>) -> Result<()> {
        let exit = Arc::new(Mutex::new(None));
        let (to, shared, supervisor) = (Arc::clone(&exit), Arc::clone(&self.shared), thread::current());
        let thread = thread::Builder::new()
            .name(stage.name().to_owned())
            .spawn(move || {
                let how = loop {
                    match caught(work.as_mut(), stage, MAX_NAP) {
                        Step::Again | Step::Idle => {}
                        Step::Nap(due) => shared.stop.sleep(due.saturating_sub(shared.now()).min(MAX_NAP)),
                        Step::Finished(ended) => break Exit::Finished(ended),
                        Step::Broke(error) => break Exit::Died(error),
                        Step::Unmade(error) => break Exit::Unmade(error),
                        Step::Retired => return,
                    }
                };
                // The stage's resources are dropped before it reports its end: then a camera can be reopened.
                drop(work);
                *to.lock().unwrap_or_else(PoisonError::into_inner) = Some(how);
                supervisor.unpark();
            })
            .map_err(|e| Error::internal("threads", e))?;
        self.hands[stage as usize] = Some(Hand { thread, exit });
        Ok(())
    }

    fn leave_behind(&mut self, stage: Stage) {
        self.lost.extend(self.hands[stage as usize].take().map(|hand| hand.thread));
    }

    fn exit(&mut self, stage: Stage) -> Option<Exit> {
        let hand = self.hands[stage as usize].as_ref()?;
        let exit = hand.exit.lock().unwrap_or_else(PoisonError::into_inner).take();
        exit.or_else(|| {
            // A panic while the work was dropped.
            hand.thread.is_finished().then(|| Exit::Died(Error::internal(stage.name(), "its thread is gone")))
        })
    }

    fn abandoned(&mut self) -> usize {
        self.lost.retain(|thread| !thread.is_finished());
        self.lost.len()
    }

    fn work(&mut self, time: Duration) {
        thread::park_timeout(time);
    }
}
