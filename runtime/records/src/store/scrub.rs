//! Checks old frames a few at a time while new ones are kept, so that damage is found before anyone needs them.

use rusqlite::Connection;

use super::{
    damage::Span,
    limits::{SCRUB_EVERY_MS, SCRUB_STEP_CELLS, SCRUB_STEP_FRAMES},
    sum::Summed,
};

/// Progress of a pass over all frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scrub {
    /// The next frame of this pass; none between two passes.
    next: Option<i64>,
    /// When the next pass is due, in running time of the box.
    due_box_ms: i64,
    /// Damaged frames of this pass.
    damaged: u64,
}

impl Default for Scrub {
    fn default() -> Self {
        Self { next: None, due_box_ms: i64::MIN, damaged: 0 }
    }
}

/// The result of a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// The first damaged frame of this pass, if it is in this step.
    pub(crate) first: Option<i64>,
    /// The number of damaged frames, if the pass ended with this step and there were more than one.
    pub(crate) all: Option<u64>,
}

impl Scrub {
    /// Checks the next frames.
    ///
    /// # Errors
    /// Those of SQLite, among them that a page is damaged: then the database as a whole is.
    pub(crate) fn step(&mut self, connection: &Connection, box_ms: i64) -> rusqlite::Result<Step> {
        let mut step = Step::default();
        if self.next.is_none() && box_ms < self.due_box_ms {
            return Ok(step);
        }
        let Some((span, _)) = Span::of(connection)? else { return Ok(step) };
        let mut next = self.next.unwrap_or(span.first).max(span.first);
        let (mut frames, mut cells) = (0, 0);
        while next <= span.last && frames < SCRUB_STEP_FRAMES && cells < SCRUB_STEP_CELLS {
            // An error says that a page is damaged.
            if Summed::Frame.is_sound(connection, next)? != Some(true) {
                self.damaged += 1;
                step.first = step.first.or((self.damaged == 1).then_some(next));
            }
            let sql = "SELECT count(*) FROM cells WHERE frame = ?1";
            cells += connection.prepare_cached(sql)?.query_row([next], |row| row.get::<_, i64>(0))?.unsigned_abs();
            (next, frames) = (next + 1, frames + 1);
        }
        self.next = (next <= span.last).then_some(next);
        if self.next.is_none() {
            step.all = Some(self.damaged).filter(|damaged| *damaged > 1);
            *self = Self { next: None, due_box_ms: box_ms.saturating_add(SCRUB_EVERY_MS), damaged: 0 };
        }
        Ok(step)
    }
}
