//! The bounded queues between the stages: their memory is allocated at the start, and excess items are dropped and
//! counted.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use heapless::Deque;

use crate::camera::Pacing;

#[derive(Debug)]
struct Inner<T, const N: usize> {
    items: Deque<T, N>,
    dropped: u64,
    closed: bool,
}

/// The result of a wait.
#[derive(Debug)]
pub enum Popped<T> {
    /// The oldest item.
    Item(T),
    /// None came in time.
    Nothing,
    /// The queue is closed and empty.
    Closed,
}

/// At most `N` items, first in first out.
#[derive(Debug)]
pub struct Queue<T, const N: usize> {
    inner: Mutex<Inner<T, N>>,
    changed: Condvar,
}

impl<T, const N: usize> Default for Queue<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Queue<T, N> {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { inner: Mutex::new(Inner { items: Deque::new(), dropped: 0, closed: false }), changed: Condvar::new() }
    }

    /// Adds an item. If the queue is full, [`Pacing::Live`] drops the oldest and [`Pacing::Lossless`] waits for room.
    /// Items added to a closed queue are dropped and counted. Returns what was dropped.
    pub fn push(&self, item: T, pacing: Pacing) -> Option<T> {
        let mut inner = self.lock();
        while pacing == Pacing::Lossless && inner.items.is_full() && !inner.closed {
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        if inner.closed {
            inner.dropped += 1;
            return Some(item);
        }
        let oldest = if inner.items.is_full() { inner.items.pop_front() } else { None };
        // There is room: one was just taken out.
        let dropped = inner.items.push_back(item).err().or(oldest);
        inner.dropped += u64::from(dropped.is_some());
        self.changed.notify_all();
        dropped
    }

    /// Adds an item if there is room, and returns whether there was. An item without room is not counted.
    pub fn offer(&self, item: T) -> bool {
        let mut inner = self.lock();
        let taken = !inner.closed && inner.items.push_back(item).is_ok();
        if taken {
            self.changed.notify_all();
        }
        taken
    }

    /// Takes the oldest item, if there is one.
    pub fn take(&self) -> Option<T> {
        match self.pop_within(Duration::ZERO) {
            Popped::Item(item) => Some(item),
            Popped::Nothing | Popped::Closed => None,
        }
    }

    /// Takes the oldest item, waiting at most `patience` for one.
    pub fn pop_within(&self, patience: Duration) -> Popped<T> {
        let mut inner = self.lock();
        let mut until = None;
        loop {
            if let Some(item) = inner.items.pop_front() {
                self.changed.notify_all();
                return Popped::Item(item);
            }
            if inner.closed {
                return Popped::Closed;
            }
            let now = Instant::now();
            let left = until.get_or_insert(now + patience).saturating_duration_since(now);
            if left.is_zero() {
                return Popped::Nothing;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits at most `patience` until an item can be added, and returns whether it can. A closed queue accepts everything,
    /// and drops it.
    pub fn room_within(&self, patience: Duration) -> bool {
        self.waits_no_more(patience, Deque::is_full)
    }

    /// Waits at most `patience` until the queue is empty, and returns whether it is. A closed queue counts as empty.
    pub fn empty_within(&self, patience: Duration) -> bool {
        self.waits_no_more(patience, |items| !items.is_empty())
    }

    fn waits_no_more(&self, patience: Duration, waits: impl Fn(&Deque<T, N>) -> bool) -> bool {
        let mut inner = self.lock();
        let mut until = None;
        while waits(&inner.items) && !inner.closed {
            let now = Instant::now();
            let left = until.get_or_insert(now + patience).saturating_duration_since(now);
            if left.is_zero() {
                return false;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// No more items will come; those that wait can still be taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Closes the queue and drops what waits.
    pub fn abandon(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.dropped += inner.items.len() as u64;
        inner.items.clear();
        self.changed.notify_all();
    }

    /// Items dropped so far.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    // A thread that panicked while holding the lock left no partial change: every change is one step.
    fn lock(&self) -> MutexGuard<'_, Inner<T, N>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const LEN: u64 = 4;
    type Numbers = Queue<u64, { LEN as usize }>;

    fn drain(queue: &Numbers) -> Vec<u64> {
        queue.close();
        std::iter::from_fn(|| queue.take()).collect()
    }

    #[test]
    fn live_queue_drops_oldest_and_counts_it() {
        let queue = Numbers::new();
        for number in 1..=10 * LEN {
            queue.push(number, Pacing::Live);
        }
        assert_eq!(drain(&queue), (9 * LEN + 1..=10 * LEN).collect::<Vec<_>>());
        assert_eq!(queue.dropped(), 9 * LEN);
    }

    #[test]
    fn lossless_queue_keeps_every_item_in_order() {
        let queue = Numbers::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1..=100 {
                    queue.push(number, Pacing::Lossless);
                }
                queue.close();
            });
            let next = || match queue.pop_within(Duration::from_secs(60)) {
                Popped::Item(number) => Some(number),
                Popped::Nothing | Popped::Closed => None,
            };
            assert_eq!(std::iter::from_fn(next).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
        });
        assert_eq!(queue.dropped(), 0);
    }

    #[test]
    fn waits_for_items_and_room_are_bounded() {
        let queue = Numbers::new();
        assert!(matches!(queue.pop_within(Duration::from_millis(1)), Popped::Nothing));
        for number in 0..LEN {
            assert!(queue.room_within(Duration::ZERO) && queue.offer(number));
        }
        assert!(!queue.room_within(Duration::from_millis(1)) && !queue.offer(9));
        assert!(matches!(queue.pop_within(Duration::ZERO), Popped::Item(0)));
        assert!(queue.room_within(Duration::from_secs(3600)));
        queue.close();
        assert_eq!(drain(&queue), [1, 2, 3]);
        assert!(matches!(queue.pop_within(Duration::from_secs(3600)), Popped::Closed));
        assert!(!queue.offer(1) && queue.dropped() == 0);
    }

    #[test]
    fn abandoned_queue_unblocks_waiters_and_counts_dropped_items() {
        let queue = Numbers::new();
        std::thread::scope(|scope| {
            let pusher = scope.spawn(|| {
                for number in 1..=LEN + 3 {
                    queue.push(number, Pacing::Lossless);
                }
            });
            assert!(matches!(queue.pop_within(Duration::from_secs(60)), Popped::Item(1)));
            queue.abandon();
            pusher.join().unwrap();
        });
        assert_eq!(queue.take(), None);
        assert_eq!(queue.dropped(), LEN + 2);
    }
}
