//! Frames that were not kept: counted for the whole run, and reported.
//!
//! The keeper does not see all of them. If it writes too slowly, frames find no room in the queue before it; and a
//! previous recorder, in a thread that failed or hangs, lost frames of its own. The run counts them all.

use super::{Keeper, Reason};
use crate::{
    limits::MAX_EVENT_BYTES,
    store::write::{self, cut},
};

/// Frames of the run that were not kept.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// All of them, so far.
    pub(super) of_run: u64,
    /// How many of them events have reported.
    pub(super) announced: u64,
    /// The frames not kept here in a row until now.
    pub(super) trouble: Option<Trouble>,
}

/// Frames in a row that were not kept.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) frames: u64,
    pub(super) why: heapless::String<MAX_EVENT_BYTES>,
    /// Bytes in use when the disk was first full.
    pub(super) used_bytes: Option<u64>,
}

impl Keeper {
    /// Notes how many frames of the run were not kept so far, by the run's count, whichever stage lost them.
    pub fn lost_by_run(&mut self, frames: u64) {
        self.losses.of_run = self.losses.of_run.max(frames);
    }

    /// A frame could not be kept.
    pub(super) fn lost(&mut self, number: u64, why: &Reason) {
        self.counters.lost += 1;
        self.losses.of_run += 1;
        if matches!(why, Reason::Fault(fault) if fault.lacks_space()) {
            self.counters.lost_for_space += 1;
        }
        let all = self.losses.of_run;
        let path = self.path.clone();
        let trouble = self.trouble_mut();
        trouble.frames += 1;
        if let Reason::Fault(fault) = why {
            trouble.why = cut(fault);
        }
        // Reported immediately, and then each time that their number has doubled.
        if trouble.frames.is_power_of_two() {
            log::warn!("{}: frame {number} is not kept: {}; {all} so far", path.display(), trouble.why);
        }
    }

    /// A frame was kept: the lost frames before it are reported.
    pub(super) fn recovered(&mut self) {
        let trouble = self.losses.trouble.take().filter(|trouble| trouble.frames > 0);
        let Losses { of_run, announced, .. } = self.losses;
        // A disk that is slightly too slow loses every other frame: one event each would make it slower still.
        if trouble.is_some() || of_run >= 2 * announced {
            self.report_losses(trouble);
        }
    }

    /// At the end of the run, reports the rest.
    pub(super) fn report_last_losses(&mut self) {
        let trouble = self.losses.trouble.take().filter(|trouble| trouble.frames > 0);
        self.report_losses(trouble);
    }

    fn report_losses(&mut self, trouble: Option<Trouble>) {
        let Losses { of_run, announced, .. } = self.losses;
        let frames = of_run.saturating_sub(announced);
        if frames == 0 {
            return;
        }
        let slow = || cut("they came faster than the records were written, or while those were restarted");
        let why = trouble.map_or_else(slow, |trouble| trouble.why);
        let text = cut::<MAX_EVENT_BYTES>(format_args!("{frames} frames were not kept: {why}"));
        log::warn!("{}: {text}", self.path.display());
        self.wait("not-kept", &text);
        self.losses.announced = of_run;
        // A successor, or a reader of a run that has no end, must know it too; the end reports it once more.
        if let (Some(connection), Some(run)) = (&self.connection, self.run_id)
            && let Err(error) = write::lost(connection, run, of_run)
        {
            log::debug!("{}: {of_run} lost frames are not recorded yet: {error}", self.path.display());
        }
    }

    pub(super) fn trouble_mut(&mut self) -> &mut Trouble {
        self.losses.trouble.get_or_insert_with(|| Trouble { frames: 0, why: cut("unknown"), used_bytes: None })
    }
}
