//! The bounded queue between a source and the analysis: memory for it is there from the start, and a late
//! frame is dropped and counted, never piled up.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use heapless::Deque;

use crate::{
    camera::{Frame, Pacing},
    limits::FRAME_QUEUE_LEN,
};

#[derive(Debug)]
struct Inner {
    frames: Deque<Frame, FRAME_QUEUE_LEN>,
    dropped: u64,
    closed: bool,
}

/// What a wait for a frame came to.
#[derive(Debug)]
pub enum Popped {
    /// The oldest frame.
    Frame(Frame),
    /// No frame came in time.
    Nothing,
    /// The queue is closed and empty.
    Closed,
}

/// At most [`FRAME_QUEUE_LEN`] frames, first in first out.
#[derive(Debug)]
pub struct FrameQueue {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Default for FrameQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { inner: Mutex::new(Inner { frames: Deque::new(), dropped: 0, closed: false }), changed: Condvar::new() }
    }

    /// Adds a frame. When the queue is full, [`Pacing::Live`] drops the oldest frame and
    /// [`Pacing::Lossless`] waits for room. A frame for a closed queue is dropped and counted.
    pub fn push(&self, frame: Frame, pacing: Pacing) {
        let mut inner = self.lock();
        while pacing == Pacing::Lossless && inner.frames.is_full() && !inner.closed {
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        if inner.closed {
            inner.dropped += 1;
            return;
        }
        if inner.frames.is_full() && inner.frames.pop_front().is_some() {
            inner.dropped += 1;
        }
        // There is room: one was just taken out.
        if inner.frames.push_back(frame).is_err() {
            inner.dropped += 1;
        }
        self.changed.notify_all();
    }

    /// Takes the oldest frame, waiting for one; none once the queue is closed and empty.
    pub fn pop(&self) -> Option<Frame> {
        let mut inner = self.lock();
        loop {
            if let Some(frame) = inner.frames.pop_front() {
                self.changed.notify_all();
                return Some(frame);
            }
            if inner.closed {
                return None;
            }
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// As [`Self::pop`], but waits no longer than `patience` for a frame.
    pub fn pop_within(&self, patience: Duration) -> Popped {
        let until = Instant::now() + patience;
        let mut inner = self.lock();
        loop {
            if let Some(frame) = inner.frames.pop_front() {
                self.changed.notify_all();
                return Popped::Frame(frame);
            }
            if inner.closed {
                return Popped::Closed;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Popped::Nothing;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// No more frames will come; those that wait can still be taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Closes the queue and drops what waits.
    pub fn abandon(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.dropped += inner.frames.len() as u64;
        inner.frames.clear();
        self.changed.notify_all();
    }

    /// Frames dropped so far.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    // Whoever panicked while holding the lock left no half-done change: every change is one step.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use image::RgbImage;

    use super::*;

    fn frame(number: u64) -> Frame {
        Frame { number, name: number.to_string().into(), picture: RgbImage::new(1, 1).into() }
    }

    fn drain(queue: &FrameQueue) -> Vec<u64> {
        queue.close();
        std::iter::from_fn(|| queue.pop()).map(|frame| frame.number).collect()
    }

    #[test]
    fn a_live_queue_drops_the_oldest_and_counts() {
        let queue = FrameQueue::new();
        let many = FRAME_QUEUE_LEN as u64 * 10;
        for number in 1..=many {
            queue.push(frame(number), Pacing::Live);
        }
        let kept = drain(&queue);
        assert_eq!(kept, (many - FRAME_QUEUE_LEN as u64 + 1..=many).collect::<Vec<_>>());
        assert_eq!(queue.dropped(), many - FRAME_QUEUE_LEN as u64);
    }

    #[test]
    fn a_lossless_queue_keeps_every_frame_in_order() {
        let queue = FrameQueue::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1..=100 {
                    queue.push(frame(number), Pacing::Lossless);
                }
                queue.close();
            });
            let seen: Vec<u64> = std::iter::from_fn(|| queue.pop()).map(|frame| frame.number).collect();
            assert_eq!(seen, (1..=100).collect::<Vec<_>>());
        });
        assert_eq!(queue.dropped(), 0);
    }

    #[test]
    fn an_empty_queue_is_not_waited_for_for_ever() {
        let queue = FrameQueue::new();
        assert!(matches!(queue.pop_within(Duration::from_millis(1)), Popped::Nothing));
        queue.push(frame(1), Pacing::Live);
        assert!(matches!(queue.pop_within(Duration::ZERO), Popped::Frame(Frame { number: 1, .. })));
        queue.close();
        assert!(matches!(queue.pop_within(Duration::from_secs(3600)), Popped::Closed));
    }

    #[test]
    fn an_abandoned_queue_frees_who_waits_and_counts_what_is_lost() {
        let queue = FrameQueue::new();
        std::thread::scope(|scope| {
            let pusher = scope.spawn(|| {
                for number in 1..=FRAME_QUEUE_LEN as u64 + 3 {
                    queue.push(frame(number), Pacing::Lossless);
                }
            });
            assert_eq!(queue.pop().map(|frame| frame.number), Some(1));
            queue.abandon();
            pusher.join().unwrap();
        });
        assert_eq!(queue.pop().map(|frame| frame.number), None);
        assert_eq!(queue.dropped(), FRAME_QUEUE_LEN as u64 + 2);
    }
}
