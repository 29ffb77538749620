//! Counts of each sample, with intervals.

use std::collections::HashMap;

use super::{ExportError, Result};
use crate::{
    count::{CountedFrame, SampleCount, Summary},
    error::Error,
    limits::MAX_EXPORTED_SAMPLES,
    sample::Sample,
    store::read::{Filter, Records},
};
use bloodseg_statistics::{Interval, density::Density, fields::FieldCounts, share::Share};

/// Totals of the frames of a sample.
#[derive(Debug)]
pub(super) struct Counted {
    /// Name of the sample; empty for frames without one.
    pub(super) name: String,
    /// Runs and calls with frames of it.
    pub(super) runs: u64,
    /// Number of the first of them.
    pub(super) first_run: i64,
    pub(super) frames: u64,
    pub(super) first_utc_ms: i64,
    pub(super) last_utc_ms: i64,
    pub(super) count: SampleCount,
    last_run: i64,
}

/// The samples of the wanted frames, in the order of their first frames.
pub(super) fn count(records: &Records, filter: &Filter, progress: &mut dyn FnMut()) -> Result<Vec<Counted>> {
    let mut samples: Vec<Counted> = Vec::new();
    let (mut places, mut last) = (HashMap::<String, usize>::new(), 0);
    records.frames::<ExportError>(filter, |frame| {
        // Frames of a sample are mostly consecutive.
        if samples.get(last).is_none_or(|sample| sample.name != frame.sample) {
            last = match places.get(&frame.sample) {
                Some(known) => *known,
                None if samples.len() == MAX_EXPORTED_SAMPLES => return Err(too_many(records)),
                None => {
                    places.insert(frame.sample.clone(), samples.len());
                    samples.push(Counted {
                        name: frame.sample.clone(),
                        runs: 0,
                        first_run: frame.run,
                        frames: 0,
                        first_utc_ms: frame.at_utc_ms,
                        last_utc_ms: frame.at_utc_ms,
                        count: SampleCount::default(),
                        last_run: 0,
                    });
                    samples.len() - 1
                }
            };
        }
        if let Some(sample) = samples.get_mut(last) {
            if sample.runs == 0 || sample.last_run != frame.run {
                (sample.runs, sample.last_run) = (sample.runs + 1, frame.run);
            }
            sample.frames += 1;
            // The clock of a box may jump.
            sample.first_utc_ms = sample.first_utc_ms.min(frame.at_utc_ms);
            sample.last_utc_ms = sample.last_utc_ms.max(frame.at_utc_ms);
            sample.count.add(&CountedFrame::of_row(frame));
        }
        progress();
        Ok(())
    })?;
    Ok(samples)
}

fn too_many(records: &Records) -> ExportError {
    let expected = format!("frames of at most {MAX_EXPORTED_SAMPLES} samples");
    Error::input(records.path(), "more samples", expected, "Choose a part with --sample, --run, --since or --until")
        .into()
}

/// What users noted about a sample. Values that changed are joined.
#[derive(Debug, Default)]
pub(super) struct About {
    pub(super) operator: String,
    pub(super) stain: String,
    pub(super) note: String,
}

impl About {
    pub(super) fn read(records: &Records, name: &str) -> Result<Self> {
        let mut about = Self::default();
        if name.is_empty() {
            return Ok(about);
        }
        for Sample { operator, stain, note, .. } in records.samples(name)? {
            add(&mut about.operator, &operator);
            add(&mut about.stain, &stain);
            add(&mut about.note, &note);
        }
        Ok(about)
    }
}

fn add(to: &mut String, value: &str) {
    if value.is_empty() || to.split("; ").any(|known| known == value) {
        return;
    }
    if !to.is_empty() {
        to.push_str("; ");
    }
    to.push_str(value);
}

/// The figures of a sample that have intervals.
pub(super) const FIGURES: [&str; 7] = [
    "cells_per_field",
    "red_per_field",
    "white_per_field",
    "platelets_per_field",
    "white_share",
    "unsupported_share",
    "cells_per_mm2",
];

/// Their values with the ends of the intervals, in the order of [`FIGURES`]; none if they are unknown.
pub(super) fn figures(summary: Option<&Summary>) -> [Option<[f64; 3]>; FIGURES.len()] {
    let Some(summary) = summary else { return [None; FIGURES.len()] };
    let with = |value: f64, Interval { low, high }: Interval| [value, low, high];
    let field = |counts: Option<FieldCounts>| counts.map(|counts| with(counts.mean, counts.interval));
    let share = |share: Option<Share>| share.map(|share| with(share.share, share.interval));
    let density = |density: Option<Density>| density.map(|density| with(density.density, density.interval));
    [
        field(summary.cells),
        field(summary.red),
        field(summary.white),
        field(summary.platelets),
        share(summary.white_of_cells),
        share(summary.unsupported_of_cells),
        density(summary.cells_per_mm2),
    ]
}
