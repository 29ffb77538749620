//! What a run will need of the memory, line by line, before it starts.
//!
//! What is planned is told from the plan: weights, arenas, the frames that wait. What a library allocates is measured once,
//! on this machine, by analysing one noisy frame of the size that the run will have.

use std::fmt;

use image::RgbImage;

use super::counting;
use crate::{
    error::{Error, Result},
    limits::{FRAME_QUEUE_LEN, RECORD_BUFFER_BYTES, THREAD_STACK_BYTES},
    model::golden,
    page::need as page,
    pipeline::Pipeline,
    tile::grid::Grid,
};

/// One thing that takes memory.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// What it is.
    pub what: &'static str,
    /// Bytes that it takes.
    pub bytes: u64,
    /// Where the figure comes from.
    pub how: String,
}

/// Every line.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Budget {
    /// The lines, in the order of the data.
    pub lines: Vec<Line>,
}

impl Budget {
    /// The need of a run of `pipeline` on frames of `width` x `height`. `code_bytes` is the size of the program's file.
    ///
    /// # Errors
    /// Those of analysing a frame of that size.
    pub fn of(pipeline: &mut Pipeline, [width, height]: [u32; 2], code_bytes: u64) -> Result<Self> {
        let frame_bytes = 3 * u64::from(width) * u64::from(height);
        let threads = pipeline.workers().threads() as u64;
        let arena_bytes = pipeline.workers().arena_bytes() as u64;
        let figures = pipeline.workers().figures();
        let weight_bytes: u64 = figures.iter().map(|figures| figures.weight_bytes as u64).sum();
        // Each input and output is there twice: as a tensor of the engine and as a worker's picture or maps.
        let edge_bytes: u64 = figures.iter().map(|figures| 2 * figures.edge_bytes as u64).sum();
        let noise = golden::input(1, frame_bytes as usize);
        let frame = RgbImage::from_raw(width, height, noise)
            .ok_or_else(|| Error::internal("budget", "a frame of the wrong length"))?;
        // The first frame makes what is kept; the second shows what each takes while it is analysed.
        pipeline.analyse_any(&frame)?;
        counting::restart_peak();
        let before = counting::heap();
        pipeline.analyse_any(&frame)?;
        let (kept, transient) = before.zip(counting::heap()).map_or((0, 0), |(before, after)| {
            (before.live_bytes as u64, (after.peak_bytes - before.live_bytes.min(after.peak_bytes)) as u64)
        });
        // A frame of one tile has set up one worker alone, whatever is allowed.
        let set_up = threads.min(Grid::over(width, height).tiles() as u64);
        let known = weight_bytes + set_up * (arena_bytes + edge_bytes) + frame_bytes;
        let line = |what, bytes, how: String| Line { what, bytes, how };
        let waiting = FRAME_QUEUE_LEN as u64 + 2;
        let lines = vec![
            line("program and built-in models", code_bytes, "the file; pages that are never touched stay out".into()),
            line("packed weights", weight_bytes, "planned".into()),
            line("arenas", threads * arena_bytes, format!("planned, {threads} of {arena_bytes} bytes")),
            line("tensors and tiles at the edges", threads * edge_bytes, "planned, a set a thread".into()),
            line("plans and all else that is kept", kept.saturating_sub(known), "measured after a frame".into()),
            line("frames that wait", waiting * frame_bytes, format!("{waiting} of {width}x{height}")),
            line("analysis of a frame", transient, format!("measured on one of {width}x{height}, noise")),
            line("records", RECORD_BUFFER_BYTES, "buffers of the tables".into()),
            line("stacks", (threads + 2) * THREAD_STACK_BYTES, format!("{} threads", threads + 2)),
            line(PAGE, page::bytes(width, height), page::WORDS.into()),
        ];
        Ok(Self { lines })
    }

    /// The same for a run without a page.
    pub fn without_page(mut self) -> Self {
        self.lines.retain(|line| line.what != PAGE);
        self
    }

    /// All lines together.
    pub fn total_bytes(&self) -> u64 {
        self.lines.iter().map(|line| line.bytes).sum()
    }

    /// Refuses what does not fit.
    ///
    /// # Errors
    /// [`Error::Config`] that names the largest lines.
    pub fn check(&self, total_mib: f64, origin: &str) -> Result<()> {
        if self.total_bytes() as f64 <= total_mib * MIB {
            return Ok(());
        }
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by_key(|line| std::cmp::Reverse(line.bytes));
        let largest: Vec<String> =
            lines.iter().take(3).map(|line| format!("{} {:.1} MiB", line.what, line.bytes as f64 / MIB)).collect();
        Err(Error::Config {
            origin: origin.to_owned(),
            found: format!(
                "budget.total_mib = {total_mib}, but the run needs {:.1} MiB; the most of it: {}",
                self.total_bytes() as f64 / MIB,
                largest.join(", ")
            ),
            todo: "Raise it, choose smaller frames, or see `bloodseg budget`".to_owned(),
        })
    }
}

/// The line of the page.
const PAGE: &str = "web page";

/// Bytes of a MiB.
const MIB: f64 = 1_048_576.0;

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |bytes: u64| bytes.div_ceil(1024);
        for Line { what, bytes, how } in &self.lines {
            writeln!(f, "{what:<34}{:>8} KiB  {how}", kib(*bytes))?;
        }
        write!(f, "{:<34}{:>8} KiB  {:.1} MiB", "in all", kib(self.total_bytes()), self.total_bytes() as f64 / MIB)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn budget() -> Budget {
        let line = |what, mib: u64| Line { what, bytes: mib << 20, how: String::new() };
        Budget { lines: vec![line("a", 1), line("b", 8), line("c", 2), line("d", 4)] }
    }

    #[test]
    fn what_fits_is_let_through_and_what_does_not_names_the_largest() {
        assert_eq!(budget().total_bytes(), 15 << 20);
        budget().check(15.0, "x").unwrap();
        let error = budget().check(14.9, "x").unwrap_err();
        let text = error.to_string();
        assert_eq!(error.exit_code(), 6);
        assert!(text.contains("b 8.0 MiB, d 4.0 MiB, c 2.0 MiB") && !text.contains("a 1.0"), "{text}");
    }

    #[test]
    fn the_table_ends_with_the_sum() {
        let text = budget().to_string();
        assert_eq!(text.lines().count(), 5);
        assert!(text.lines().last().unwrap().ends_with("15360 KiB  15.0 MiB"), "{text}");
    }
}
