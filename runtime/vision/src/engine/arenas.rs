//! Memory for the maps between the layers, one arena per concurrent run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::limits::MAX_ARENAS;
use bloodseg_kernels::arena::Arena;

/// Arenas for the programs of all models. A run takes one and returns it.
#[derive(Debug, Default)]
pub struct Arenas(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    bytes: usize,
    free: heapless::Vec<Arena, MAX_ARENAS>,
    lent: usize,
    /// Runs that may happen at a time, each with an arena; see [`Share`].
    shares: usize,
}

impl Arenas {
    /// Sets a minimum size for arenas; without a [`Share`] they are allocated on first use. All are kept.
    pub(super) fn reserve(&self, bytes: usize) {
        let mut inner = self.lock();
        inner.bytes = inner.bytes.max(bytes);
    }

    /// Bytes of each arena: the largest need of any program.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs with an arena, which comes back even if `run` panics.
    pub(super) fn with<T>(&self, run: impl FnOnce(&mut Arena) -> T) -> T {
        let (mut lent, bytes) = self.lend();
        run(lent.arena.get_or_insert_with(|| Arena::new(bytes)))
    }

    fn lend(&self) -> (Lent<'_>, usize) {
        let mut inner = self.lock();
        let bytes = inner.bytes;
        inner.lent += 1;
        // Arenas from before a larger program was loaded are dropped.
        let arena = inner.free.pop().filter(|arena| arena.len() >= bytes);
        (Lent { arena, to: self }, bytes)
    }
}

/// An arena during a run; none if one has to be allocated.
#[derive(Debug)]
struct Lent<'a> {
    arena: Option<Arena>,
    to: &'a Arenas,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut inner = self.to.lock();
        inner.lent -= 1;
        if let Some(arena) = self.arena.take() {
            // Excess arenas are not kept.
            let _ = inner.free.push(arena);
        }
    }
}

/// The right to run programs one after another without an allocation: its arena exists as long as it does.
///
/// Without it the second of two threads would allocate an arena in the first run that overlaps with one of the other
/// thread, which may be hours after the start.
#[derive(Debug)]
pub(crate) struct Share(Arc<Arenas>);

impl Share {
    /// Allocates an arena if there are fewer than shares. The programs are loaded before.
    pub(super) fn of(arenas: &Arc<Arenas>) -> Self {
        let mut inner = arenas.lock();
        inner.shares += 1;
        let bytes = inner.bytes;
        inner.free.retain(|arena| arena.len() >= bytes);
        while bytes > 0 && inner.free.len() + inner.lent < inner.shares.min(MAX_ARENAS) {
            let arena = Arena::new(bytes);
            let _ = inner.free.push(arena);
        }
        drop(inner);
        Self(arenas.clone())
    }

    /// Another one, for another thread.
    pub(crate) fn another(&self) -> Self {
        Self::of(&self.0)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.shares -= 1;
        if inner.free.len() + inner.lent > inner.shares {
            inner.free.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(arenas: &Arenas) -> usize {
        arenas.lock().free.len()
    }

    #[test]
    fn each_share_has_an_arena_before_its_first_run() {
        let arenas = Arc::new(Arenas::default());
        arenas.reserve(100);
        let first = Share::of(&arenas);
        let second = first.another();
        assert_eq!(free(&arenas), 2);
        let third = arenas.with(|_| {
            arenas.with(|_| {
                assert_eq!(free(&arenas), 0);
                second.another()
            })
        });
        assert_eq!(free(&arenas), 3, "lent arenas come back, so one was allocated");
        drop((first, second));
        assert_eq!(free(&arenas), 1);
        drop(third);
        assert_eq!(free(&arenas), 0);
    }

    #[test]
    fn share_replaces_arenas_that_are_too_small() {
        let arenas = Arc::new(Arenas::default());
        arenas.reserve(100);
        let _first = Share::of(&arenas);
        arenas.reserve(200);
        let _second = Share::of(&arenas);
        let lens = arenas.with(|first| arenas.with(|second| [first.len(), second.len(), free(&arenas)]));
        assert_eq!(lens, [200, 200, 0]);
    }

    #[test]
    fn run_without_share_allocates_and_keeps_its_arena() {
        let arenas = Arenas::default();
        arenas.reserve(100);
        assert_eq!(arenas.with(|arena| arena.len()), 100);
        assert_eq!(free(&arenas), 1);
    }

    #[test]
    fn panicking_run_returns_its_arena() {
        let arenas = Arc::new(Arenas::default());
        arenas.reserve(100);
        let _share = Share::of(&arenas);
        let run = std::panic::AssertUnwindSafe(|| arenas.with(|_| std::panic::resume_unwind(Box::new(()))));
        assert!(std::panic::catch_unwind(run).is_err());
        assert_eq!((free(&arenas), arenas.lock().lent), (1, 0));
    }
}
