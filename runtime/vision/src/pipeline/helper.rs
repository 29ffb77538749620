//! A second thread for every other tile.
//!
//! It sleeps until it receives a worker, runs it, and returns it. The worker passes through one slot under a lock:
//! nothing is allocated or borrowed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use super::workers::{Net, Worker};
use crate::error::{Error, Result};

/// The state of the slot.
#[derive(Debug)]
enum Slot {
    /// The worker is elsewhere.
    Empty,
    /// Waiting for the thread.
    Given(Box<Worker>, Net),
    /// Finished.
    Done(Box<Worker>, Result<()>),
    /// The thread should end.
    End,
}

#[derive(Debug)]
struct Shared {
    slot: Mutex<Slot>,
    changed: Condvar,
}

/// The thread; dropping this ends it.
#[derive(Debug)]
pub(super) struct Helper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Shared {
    // Every change is a single step, so a thread that panicked while holding the lock left nothing half done.
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
    /// [`Error::Internal`] if the system cannot create one.
    pub(super) fn start() -> Result<Self> {
        let shared = Arc::new(Shared { slot: Mutex::new(Slot::Empty), changed: Condvar::new() });
        let its = Arc::clone(&shared);
        let thread = thread::Builder::new().name("tiles".into()).spawn(move || serve(&its));
        let thread = Some(thread.map_err(|e| Error::internal("tile thread", e))?);
        Ok(Self { shared, thread })
    }

    /// Passes it a worker; [`Self::take`] must follow.
    pub(super) fn give(&self, worker: Box<Worker>, net: Net) {
        self.shared.put(Slot::Given(worker, net));
    }

    /// Waits until the worker has finished.
    pub(super) fn take(&self) -> (Option<Box<Worker>>, Result<()>) {
        match self.shared.take(|slot| matches!(slot, Slot::Done(..))) {
            Slot::Done(worker, ran) => (Some(worker), ran),
            _ => (None, Err(Error::internal("tile thread", "no worker"))),
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.shared.put(Slot::End);
        if let Some(thread) = self.thread.take() {
            // It has caught its own panics.
            let _ = thread.join();
        }
    }
}

fn serve(shared: &Shared) {
    while let Slot::Given(mut worker, net) = shared.take(|slot| matches!(slot, Slot::Given(..) | Slot::End)) {
        let ran = catch_unwind(AssertUnwindSafe(|| worker.run(net)));
        let ran = ran.unwrap_or_else(|_| Err(Error::internal("tile thread", "a panic")));
        shared.put(Slot::Done(worker, ran));
    }
}
