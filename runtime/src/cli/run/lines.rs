//! The lines that a run prints.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::super::segment::unsupported;
use crate::{
    frame::quality::Verdict,
    records::{
        frame_record::FrameRecord,
        frames,
        keeper::KeeperCounters,
        run_log::{CELLS_TABLE, RunEnd, Tables},
    },
    run::{Counts, Outcome},
};

/// What the end of a run tells of its frames.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) cells: u64,
    pub(super) unsupported: u64,
    pub(super) verdicts: BTreeMap<Verdict, u64>,
    /// The overlay of the last frame.
    pub(super) overlay: Option<PathBuf>,
    /// How the records ended, once they did.
    pub(super) end: Option<RunEnd>,
}

impl Tally {
    pub(super) fn add(&mut self, record: &FrameRecord) {
        self.cells += record.cells.len() as u64;
        self.unsupported += record.unsupported_cells() as u64;
        *self.verdicts.entry(record.quality.verdict).or_default() += 1;
    }
}

/// One line a frame, printed when what becomes of its record is known.
pub(super) fn frame(record: &FrameRecord, kept: bool) -> String {
    let FrameRecord { number, dropped, times, .. } = record;
    let kept = if kept { format!("ack {number}") } else { "not kept".to_owned() };
    if !record.counted {
        return format!("frame {number:>6}  {}: no cells counted  dropped {dropped}  {kept}", record.quality.reason());
    }
    let unsupported = unsupported(record.unsupported_cells()).map_or_else(String::new, |count| format!("  {count}"));
    format!(
        "frame {number:>6}  cells {:>4}  ssr {:>6.1} ms  unet {:>6.1} ms  cells {:>5.1} ms  total {:>6.1} ms  \
         dropped {dropped}{unsupported}  {kept}",
        record.cells.len(),
        times.ssr_ms,
        times.unet_ms,
        times.cells_ms,
        times.total_ms,
    )
}

/// How many frames were not good, by what they were; nothing when all were.
pub(super) fn quality(tally: &Tally, any_quality: bool) -> Option<String> {
    let bad: Vec<(&Verdict, &u64)> = tally.verdicts.iter().filter(|(verdict, _)| !verdict.is_good()).collect();
    let count: u64 = bad.iter().map(|(_, count)| **count).sum();
    let each: Vec<String> = bad.iter().map(|(verdict, count)| format!("{count} {}", verdict.words())).collect();
    let done = if any_quality { "not good, and counted all the same" } else { "not counted" };
    (count > 0).then(|| format!("quality  {count} frames {done}: {}", each.join(", ")))
}

/// What the records came to.
pub(super) fn records(end: &RunEnd) -> String {
    let KeeperCounters { kept, lost, deleted, bytes, .. } = end.counters;
    let mut line = format!("{kept} frames kept, {:.1} MiB", bytes as f64 / 1_048_576.0);
    for (count, what) in [(lost, "not kept"), (deleted, "old ones deleted")] {
        if count > 0 {
            line += &format!(", {count} {what}");
        }
    }
    line
}

/// Where the tables are, or how to make them.
pub(super) fn tables(end: &RunEnd, out: &Path) -> Option<String> {
    match &end.tables {
        Tables::Written => {
            let [cells, frames] = [CELLS_TABLE, frames::TABLE].map(|table| out.join(table));
            Some(format!("tables   {} and {}", cells.display(), frames.display()))
        }
        Tables::TooMany(frames) => Some(format!(
            "tables   {frames} frames are many for a table: bloodseg export --from {} --format csv --out FILE",
            out.display()
        )),
        Tables::NotWanted | Tables::Failed(_) => None,
    }
}

/// What the run came to.
pub(super) fn summary(outcome: &Outcome, tally: &Tally, seconds: f64) -> String {
    let Counts { captured, analysed, dropped, failed, unreadable, not_kept } = outcome.counts;
    let (cells, unsupported) = (tally.cells, tally.unsupported);
    let why = outcome.ended.why();
    let each = if analysed > 0 { cells as f64 / analysed as f64 } else { 0.0 };
    let rate = if seconds > 0.0 { analysed as f64 / seconds } else { 0.0 };
    let unsupported = if unsupported > 0 { format!(" ({unsupported} unsupported)") } else { String::new() };
    let not_kept = if not_kept > 0 { format!("; {not_kept} records NOT KEPT") } else { String::new() };
    format!(
        "end      {why}: {captured} frames captured = {analysed} analysed + {dropped} dropped + {failed} failed; \
         {unreadable} unreadable; {cells} cells{unsupported}, {each:.1} a frame; {seconds:.1} s, {rate:.1} frames/s{not_kept}"
    )
}
