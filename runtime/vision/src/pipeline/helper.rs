//! A second thread for every second tile.
//!
//! It sleeps until it is given a worker, runs it, and gives it back. The worker goes through one slot under a lock: nothing
//! is allocated, and nothing is borrowed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use super::workers::{Net, Worker};
use crate::error::{Error, Result};

/// Where the worker is.
#[derive(Debug)]
enum Slot {
    /// Elsewhere.
    Empty,
    /// Waits for the thread.
    Given(Box<Worker>, Net),
    /// Has run.
    Done(Box<Worker>, Result<()>),
    /// The thread shall end.
    End,
}

#[derive(Debug)]
struct Shared {
    slot: Mutex<Slot>,
    changed: Condvar,
}

/// The thread; ends with this value.
#[derive(Debug)]
pub(super) struct Helper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Shared {
    // A thread that panicked while holding the lock left no half-done change: every change is one step.
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, slot: Slot) {
        *self.lock() = slot;
        self.changed.notify_all();
    }

    /// Waits until `is_wanted` holds, and empties the slot.
    fn take(&self, is_wanted: impl Fn(&Slot) -> bool) -> Slot {
        let mut slot = self.lock();
        while !is_wanted(&slot) {
            slot = self.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::replace(&mut *slot, Slot::Empty)
    }
}

impl Helper {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`Error::Internal`] when the system gives none.
    pub(super) fn start() -> Result<Self> {
        let shared = Arc::new(Shared { slot: Mutex::new(Slot::Empty), changed: Condvar::new() });
        let its = Arc::clone(&shared);
        let thread = thread::Builder::new().name("tiles".into()).spawn(move || serve(&its));
        let thread = Some(thread.map_err(|e| Error::internal("thread for tiles", e))?);
        Ok(Self { shared, thread })
    }

    /// Gives it a worker; [`Self::take`] must follow.
    pub(super) fn give(&self, worker: Box<Worker>, net: Net) {
        self.shared.put(Slot::Given(worker, net));
    }

    /// Waits until the worker has run.
    pub(super) fn take(&self) -> (Option<Box<Worker>>, Result<()>) {
        match self.shared.take(|slot| matches!(slot, Slot::Done(..))) {
            Slot::Done(worker, ran) => (Some(worker), ran),
            _ => (None, Err(Error::internal("thread for tiles", "no worker"))),
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.shared.put(Slot::End);
        if let Some(thread) = self.thread.take() {
            // It has caught its panics.
            let _ = thread.join();
        }
    }
}

fn serve(shared: &Shared) {
    while let Slot::Given(mut worker, net) = shared.take(|slot| matches!(slot, Slot::Given(..) | Slot::End)) {
        let ran = catch_unwind(AssertUnwindSafe(|| worker.run(net)));
        let ran = ran.unwrap_or_else(|_| Err(Error::internal("thread for tiles", "a panic")));
        shared.put(Slot::Done(worker, ran));
    }
}
