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

    pub(super) fn take(&self) -> Arena {
        let mut inner = self.lock();
        let bytes = inner.bytes;
        inner.lent += 1;
        // Arenas from before a larger program was loaded are dropped.
        let held = inner.free.pop().filter(|arena| arena.len() >= bytes);
        drop(inner);
        held.unwrap_or_else(|| Arena::new(bytes))
    }

    pub(super) fn give_back(&self, arena: Arena) {
        let mut inner = self.lock();
        inner.lent -= 1;
        // Excess arenas are not kept.
        let _ = inner.free.push(arena);
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
        let lent = [arenas.take(), arenas.take()];
        assert_eq!(free(&arenas), 0);
        let third = second.another();
        assert_eq!(free(&arenas), 1, "lent arenas come back");
        lent.into_iter().for_each(|arena| arenas.give_back(arena));
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
        let lent = [arenas.take(), arenas.take()];
        assert_eq!(lent.map(|arena| arena.len()), [200, 200]);
        assert_eq!(free(&arenas), 0);
    }

    #[test]
    fn run_without_share_allocates_and_keeps_its_arena() {
        let arenas = Arenas::default();
        arenas.reserve(100);
        let arena = arenas.take();
        assert_eq!(arena.len(), 100);
        arenas.give_back(arena);
        assert_eq!(free(&arenas), 1);
    }
}
