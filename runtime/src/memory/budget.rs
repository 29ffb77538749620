//! The memory that a run needs, itemised, before it starts.
//!
//! Planned memory is computed from the plan: weights, arenas, queued frames. The memory kept by the steps is measured
//! once, on this machine, by analysing a noisy frame of the run's size. The heap lines determine a run's
//! [`counting::limit`].

use std::{fmt, time::SystemTime};

use image::RgbImage;

use super::counting;
use crate::{
    error::{Error, Result},
    outbox::limits::MQTT_HEAP_BYTES,
    page::need as page,
    run::{
        limits::{MAX_ABANDONED, RECORD_POOL_LEN, THREAD_STACK_BYTES},
        state::Stage,
    },
};
use bloodseg_records::{
    frame_record::FrameRecord, limits::MAX_RECORD_BUFFER_BYTES, store::limits::MAX_RECORDS_HEAP_BYTES,
};
use bloodseg_vision::{
    frame::{limits::FRAME_POOL_LEN, name::FrameName},
    geometry::SCALE,
    model::golden,
    pictures::MAX_SAVED_PICTURE_BYTES_PER_PX,
    pipeline::Pipeline,
    tile::grid::Grid,
};

/// One consumer of memory.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// Its name.
    pub what: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether it is on the heap that is counted and limited.
    pub heap: bool,
    /// How the figure was determined.
    pub how: String,
}

/// Needs of a run besides pipeline and frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outside {
    /// Size of the program file.
    pub code_bytes: u64,
    /// Heap bytes before the source and the models: arguments, config, signals, output.
    pub process_bytes: u64,
    /// Heap bytes that the source already holds.
    pub source_bytes: u64,
    /// Bytes of a queued frame.
    pub frame_bytes: u64,
    /// Maximum additional bytes while a frame is produced.
    pub making_bytes: u64,
    /// Peak heap bytes while the models were loaded, above those before.
    pub loading_bytes: u64,
    /// Whether frames are published to an MQTT broker.
    pub outbox: bool,
    /// Whether there is a page.
    pub page: bool,
}

/// The itemised needs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Budget {
    /// The lines, in the order of the data.
    pub lines: Vec<Line>,
}

impl Budget {
    /// The needs of a run of `pipeline` on frames of `width` x `height` at the scale of the models.
    ///
    /// # Errors
    /// Those of analysing a frame of that size.
    pub fn of(pipeline: &mut Pipeline, [width, height]: [u32; 2], outside: Outside) -> Result<Self> {
        let analysed_bytes = 3 * u64::from(width) * u64::from(height);
        let noise = golden::input(1, analysed_bytes as usize);
        let frame = RgbImage::from_raw(width, height, noise)
            .ok_or_else(|| Error::internal("budget", "a frame of the wrong length"))?;
        // The first frame allocates what is kept; the second shows what each takes during its analysis.
        let live = || counting::heap().map_or(0, |heap| heap.live_bytes as u64);
        let loaded = live();
        pipeline.analyse_any(&frame)?;
        let kept = live();
        counting::restart_peak();
        pipeline.analyse_any(&frame)?;
        let transient = counting::heap().map_or(0, |heap| (heap.peak_bytes as u64).saturating_sub(kept));
        let threads = pipeline.workers().threads() as u64;
        let arena_bytes = pipeline.workers().arena_bytes() as u64;
        let edge_bytes = pipeline.workers().edge_bytes() as u64;
        let weight_bytes: u64 = pipeline.workers().figures().iter().map(|figures| figures.weight_bytes as u64).sum();
        // A frame of one tile has set up only one worker, whatever is allowed; the first existed before the frame.
        let more = threads.min(Grid::over(width, height).tiles() as u64) - 1;
        let steps = kept.saturating_sub(loaded + more * (arena_bytes + edge_bytes));
        let known =
            weight_bytes + arena_bytes + edge_bytes + analysed_bytes + outside.source_bytes + outside.process_bytes;
        let rest = loaded.saturating_sub(known);
        let saved_bytes = analysed_bytes / 3 * u64::from(SCALE * SCALE) * MAX_SAVED_PICTURE_BYTES_PER_PX;
        // A hanging capture is abandoned with its source, its pool and its current frame.
        let captures = 1 + MAX_ABANDONED as u64;
        let waiting = WAITING_FRAMES;
        let record_bytes = record_bytes(pipeline, frame)?;
        let records = RECORD_POOL_LEN as u64;
        // The output has a thread; so has the outbox, and its connection has one for name resolution.
        let all_threads = threads + Stage::ALL.len() as u64 + 1 + if outside.outbox { 2 } else { 0 };
        // Models are loaded again after a failed analysis or a rollback: the memory of the previous ones is free by then.
        let loading = outside.loading_bytes.saturating_sub(weight_bytes + threads * (arena_bytes + edge_bytes) + steps);
        let line = |what, bytes, how: String| Line { what, bytes, heap: true, how };
        let mut lines = vec![
            Line { heap: false, ..line("program and built-in models", outside.code_bytes, CODE.into()) },
            line("packed weights", weight_bytes, "planned".into()),
            line("arenas", threads * arena_bytes, format!("planned, {threads} of {arena_bytes} bytes")),
            line("inputs and outputs of the models", threads * edge_bytes, "planned, one set per thread".into()),
            line("steps of an analysis", steps, format!("measured at {width}x{height}, kept")),
            line("analysis while it runs", transient, "measured on the second one".into()),
            line("source of frames", captures * outside.source_bytes, format!("measured, {captures} of them")),
            line("a frame in production", captures * outside.making_bytes, "an upper bound, for the largest".into()),
            line("queued frames", waiting * outside.frame_bytes, format!("{waiting} of {} bytes", outside.frame_bytes)),
            // Frames that already have the scale are analysed in the queue.
            line("a frame at the scale of the models", analysed_bytes, format!("{width}x{height}, kept")),
            line("queued records", records * record_bytes, format!("{records} of the noisy frame")),
            line("models that are reloaded", loading, "measured, above the memory freed by the old ones".into()),
            line("distinct fields", bloodseg_fields::limits::MAX_BYTES as u64, "an upper bound".into()),
            line("everything else that is kept", rest, "measured before the first frame".into()),
            line("the process", process_bytes(outside.process_bytes), "an upper bound".into()),
            line("buffers of the tables", MAX_RECORD_BUFFER_BYTES, "an upper bound".into()),
            line("saved pictures", saved_bytes, "computed, for one frame".into()),
            Line { heap: false, ..line("records (SQLite)", MAX_RECORDS_HEAP_BYTES, "an upper bound".into()) },
            Line { heap: false, ..line("stacks", all_threads * THREAD_STACK_BYTES, format!("{all_threads} threads")) },
        ];
        if outside.page {
            lines.push(line("web page", page::bytes(width, height, outside.frame_bytes), page::WORDS.into()));
        }
        if outside.outbox {
            lines.push(line("outbox (MQTT)", MQTT_HEAP_BYTES, "an upper bound".into()));
        }
        Ok(Self { lines })
    }

    /// Bytes of the heap lines.
    pub fn heap_bytes(&self) -> u64 {
        self.lines.iter().filter(|line| line.heap).map(|line| line.bytes).sum()
    }

    /// The part of `total_mib` left for the heap after everything else.
    pub fn heap_limit_bytes(&self, total_mib: f64) -> u64 {
        let else_bytes = self.total_bytes() - self.heap_bytes();
        ((total_mib * MIB) as u64).saturating_sub(else_bytes)
    }

    /// The sum of all lines.
    pub fn total_bytes(&self) -> u64 {
        self.lines.iter().map(|line| line.bytes).sum()
    }

    /// Refuses needs that do not fit.
    ///
    /// # Errors
    /// [`Error::Config`] with the table.
    pub fn check(&self, total_mib: f64, origin: &str) -> Result<()> {
        if self.total_bytes() as f64 <= total_mib * MIB {
            return Ok(());
        }
        Err(Error::config(
            origin,
            format!(
                "budget.total_mib = {total_mib}, but the run needs {:.1} MiB:\n{self}",
                self.total_bytes() as f64 / MIB,
            ),
            "Nothing was started. Raise it, or choose smaller frames or fewer threads",
        ))
    }
}

/// The heap before the models differs between commands by less than this; rounded up to it, their reported needs agree.
const PROCESS_STEP_BYTES: u64 = 256 * 1024;

fn process_bytes(measured_bytes: u64) -> u64 {
    measured_bytes.max(1).next_multiple_of(PROCESS_STEP_BYTES)
}

/// The memory of a record of the latest analysis, of `picture`: noise has more cells than any smear.
fn record_bytes(pipeline: &Pipeline, picture: RgbImage) -> Result<u64> {
    let analysis = pipeline.latest().ok_or_else(|| Error::internal("budget", "no analysis"))?;
    let name = FrameName::Own(String::new());
    let before = counting::heap();
    let record = FrameRecord::of(1, &name, analysis, true, 0, SystemTime::UNIX_EPOCH, None);
    let after = counting::heap();
    drop((record, picture));
    Ok(before.zip(after).map_or(0, |(before, after)| after.live_bytes.saturating_sub(before.live_bytes) as u64))
}

/// The note on the program file.
const CODE: &str = "the file; unused pages are not loaded";
/// Bytes of a MiB.
pub const MIB: f64 = 1_048_576.0;
/// Most frames of a source at a time: the pool of each capture.
pub const WAITING_FRAMES: u64 = FRAME_POOL_LEN as u64 * (1 + MAX_ABANDONED as u64);

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |bytes: u64| bytes.div_ceil(1024);
        for Line { what, bytes, how, .. } in &self.lines {
            writeln!(f, "{what:<34}{:>8} KiB  {how}", kib(*bytes))?;
        }
        write!(f, "{:<34}{:>8} KiB  {:.1} MiB", "total", kib(self.total_bytes()), self.total_bytes() as f64 / MIB)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn budget() -> Budget {
        let line = |what, mib: u64| Line { what, bytes: mib << 20, heap: what != "a", how: String::new() };
        Budget { lines: vec![line("a", 1), line("b", 8), line("c", 2), line("d", 4)] }
    }

    #[test]
    fn needs_above_the_limit_are_refused_with_table() {
        assert_eq!(budget().total_bytes(), 15 << 20);
        budget().check(15.0, "x").unwrap();
        let error = budget().check(14.9, "x").unwrap_err();
        let text = error.to_string();
        assert_eq!(error.exit_code(), 6);
        assert!(text.contains(&budget().to_string()), "{text}");
        assert_eq!((budget().heap_bytes(), budget().heap_limit_bytes(20.0)), (14 << 20, 19 << 20));
    }

    #[test]
    fn table_ends_with_the_sum() {
        let text = budget().to_string();
        assert_eq!(text.lines().count(), 5);
        assert!(text.lines().last().unwrap().ends_with("15360 KiB  15.0 MiB"), "{text}");
    }
}
