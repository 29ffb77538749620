//! Frames by how they ended, and the problems that the stages report.

use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use super::{Counts, state::Reason};
use crate::run::limits::REFUSED_IN_A_ROW;

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Tally {
    captured: AtomicU64,
    unreadable: AtomicU64,
    analysed: AtomicU64,
    failed: AtomicU64,
    kept: AtomicU64,
    not_kept: AtomicU64,
    refused_in_a_row: AtomicU64,
    camera_away: AtomicBool,
    records_fail: AtomicBool,
    /// The analysis has taken a frame and not yet reported its result.
    in_hand: AtomicBool,
    /// The same for the records.
    writing: AtomicBool,
}

impl Tally {
    /// Frames so far; the queue counts those that were `dropped`.
    pub(super) fn counts(&self, dropped: u64) -> Counts {
        // Before `analysed`, and with `Acquire`: a frame that is seen here is then also seen as analysed.
        let not_kept = self.not_kept.load(Acquire);
        Counts {
            captured: self.captured.load(Relaxed),
            analysed: self.analysed.load(Relaxed),
            dropped,
            failed: self.failed.load(Relaxed),
            unreadable: self.unreadable.load(Relaxed),
            not_kept,
        }
    }

    /// To compare with the [`counts`](Self::counts), read this first: it counts frames that are already analysed.
    pub(super) fn kept(&self) -> u64 {
        self.kept.load(Acquire)
    }

    /// The most serious problem reported by the stages.
    pub(super) fn problem(&self) -> Option<Reason> {
        let refused = self.refused_in_a_row.load(Relaxed) >= REFUSED_IN_A_ROW;
        [
            (self.records_fail.load(Relaxed), Reason::RecordsNotKept),
            (self.camera_away.load(Relaxed), Reason::CameraAway),
            (refused, Reason::FramesRefused),
        ]
        .into_iter()
        .find_map(|(is_so, reason)| is_so.then_some(reason))
    }

    pub(super) fn set_camera_away(&self, away: bool) {
        self.camera_away.store(away, Relaxed);
    }

    /// Counts one more frame; returns its number.
    pub(super) fn captured_one(&self) -> u64 {
        self.captured.fetch_add(1, Relaxed) + 1
    }

    pub(super) fn unreadable_one(&self) {
        self.unreadable.fetch_add(1, Relaxed);
    }

    pub(super) fn not_kept_one(&self) {
        self.not_kept.fetch_add(1, Release);
    }

    pub(super) fn take_in_hand(&self) {
        self.in_hand.store(true, Relaxed);
    }

    /// The current frame was analysed, or not. Counts it once, whichever thread reports it.
    pub(super) fn put_down(&self, analysed: bool) {
        if !self.in_hand.swap(false, Relaxed) {
            return;
        }
        if analysed {
            self.analysed.fetch_add(1, Relaxed);
            self.refused_in_a_row.store(0, Relaxed);
        } else {
            self.failed.fetch_add(1, Relaxed);
            self.refused_in_a_row.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn take_to_write(&self) {
        self.writing.store(true, Relaxed);
    }

    /// The current record was kept, or not. Counts it once, whichever thread reports it.
    pub(super) fn written(&self, kept: bool) {
        if self.writing.swap(false, Relaxed) {
            self.kept.fetch_add(u64::from(kept), Release);
            self.not_kept.fetch_add(u64::from(!kept), Release);
            self.records_fail.store(!kept, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_counts_once_and_consecutive_refusals_are_reported() {
        let tally = Tally::default();
        for _ in 0..REFUSED_IN_A_ROW {
            assert_eq!(tally.problem(), None);
            tally.take_in_hand();
            tally.put_down(false);
            tally.put_down(false);
        }
        assert_eq!((tally.counts(0).failed, tally.problem()), (REFUSED_IN_A_ROW, Some(Reason::FramesRefused)));
        tally.take_in_hand();
        tally.put_down(true);
        assert_eq!(tally.problem(), None);
    }
}
