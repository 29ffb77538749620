//! The lines that a run prints.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use crate::run::{Counts, Outcome};
use bloodseg_records::{
    frame_record::FrameRecord,
    frames,
    keeper::KeeperCounters,
    run_info::ModelInfo,
    run_log::{CELLS_TABLE, RunEnd, Tables},
};
use bloodseg_vision::{cells, frame::quality::Verdict, pipeline::StageTimes};

/// Totals printed at the end of a run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Frames whose cells were counted.
    pub(super) counted: u64,
    pub(super) cells: u64,
    pub(super) unsupported: u64,
    /// Red cells, white cells and platelets, once a model has distinguished the kinds.
    pub(super) kinds: Option<[u64; 3]>,
    pub(super) verdicts: BTreeMap<Verdict, u64>,
    /// The goal of the run, once it is reached.
    pub(super) reached: Option<String>,
    /// The overlay of the last frame.
    pub(super) overlay: Option<PathBuf>,
    /// The models in use, if they differ from those the run began with.
    pub(super) models: Option<Vec<ModelInfo>>,
    /// How the records ended, once they have.
    pub(super) end: Option<RunEnd>,
}

impl Tally {
    pub(super) fn add(&mut self, record: &FrameRecord) {
        self.counted += u64::from(record.counted);
        let cells::Counts { cells, red, white, platelets, unsupported } = record.counts;
        self.cells += u64::from(cells);
        self.unsupported += u64::from(unsupported);
        if let (Some(red), Some(white), Some(platelets)) = (red, white, platelets) {
            let kinds = self.kinds.get_or_insert_default();
            for (sum, count) in kinds.iter_mut().zip([red, white, platelets]) {
                *sum += u64::from(count);
            }
        }
        *self.verdicts.entry(record.quality.verdict).or_default() += 1;
    }
}

/// One line per frame, printed when it is known whether its record was stored. Formatting allocates nothing.
#[derive(Debug)]
pub(super) struct FrameLine<'a>(pub(super) &'a FrameRecord, pub(super) bool);

impl fmt::Display for FrameLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(record, kept) = self;
        let FrameRecord { number, dropped, times, .. } = record;
        write!(f, "frame {number:>6}  ")?;
        if record.counted {
            let StageTimes { ssr_ms, unet_ms, cells_ms, total_ms, .. } = times;
            write!(
                f,
                "cells {:>4}  ssr {ssr_ms:>6.1} ms  unet {unet_ms:>6.1} ms  cells {cells_ms:>5.1} ms  \
                 total {total_ms:>6.1} ms  dropped {dropped}",
                record.counts.cells
            )?;
            if let Some(kinds) = record.counts.words() {
                write!(f, "  {kinds}")?;
            }
            match record.counts.unsupported {
                0 => {}
                count => write!(f, "  {count} unsupported")?,
            }
        } else {
            write!(f, "{}: no cells counted  dropped {dropped}", record.quality.reason())?;
        }
        if *kept { write!(f, "  ack {number}") } else { f.write_str("  not kept") }
    }
}

/// How many frames had a quality problem, by verdict; `None` if all were good.
pub(super) fn quality(tally: &Tally, any_quality: bool) -> Option<String> {
    let bad: Vec<(&Verdict, &u64)> = tally.verdicts.iter().filter(|(verdict, _)| !verdict.is_good()).collect();
    let count: u64 = bad.iter().map(|(_, count)| **count).sum();
    let each: Vec<String> = bad.iter().map(|(verdict, count)| format!("{count} {}", verdict.words())).collect();
    let done = if any_quality { "counted despite poor quality" } else { "not counted" };
    (count > 0).then(|| format!("quality  {count} frames {done}: {}", each.join(", ")))
}

/// Totals of the records.
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
            "tables   {frames} frames are too many for a table: bloodseg export --from {} --format csv --out FILE",
            out.display()
        )),
        Tables::CutShort => Some(format!(
            "tables   not written because the run was stopped: bloodseg export --from {} --format csv --out FILE",
            out.display()
        )),
        Tables::NotWanted | Tables::Failed(_) => None,
    }
}

/// Totals of the run.
pub(super) fn summary(outcome: &Outcome, tally: &Tally, seconds: f64) -> String {
    let Counts { captured, analysed, dropped, failed, unreadable, not_kept } = outcome.counts;
    let (cells, unsupported) = (tally.cells, tally.unsupported);
    let why = outcome.ended.why();
    // Frames whose cells were not counted have no cell count.
    let each = match tally.counted {
        0 => "none counted".to_owned(),
        counted => format!("{:.1} per counted frame", cells as f64 / counted as f64),
    };
    let rate = if seconds > 0.0 { analysed as f64 / seconds } else { 0.0 };
    let kinds = tally.kinds.map_or_else(String::new, |[red, white, platelets]| {
        format!(": {red} red, {white} white, {platelets} platelets")
    });
    let unsupported = if unsupported > 0 { format!(" ({unsupported} unsupported)") } else { String::new() };
    let not_kept = if not_kept > 0 { format!("; {not_kept} records NOT KEPT") } else { String::new() };
    format!(
        "end      {why}: {captured} frames captured = {analysed} analysed + {dropped} dropped + {failed} failed; \
         {unreadable} unreadable; {cells} cells{unsupported}{kinds}, {each}; {seconds:.1} s, {rate:.1} frames/s{not_kept}"
    )
}
