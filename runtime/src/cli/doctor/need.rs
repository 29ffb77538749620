//! The memory that a run needs, computed as in `run`, for each source in the config.

use crate::{
    camera::{
        Need,
        open::{Wish, open},
    },
    cli::{budget as needs, session::Session},
    doctor::{Finding, Machine, budget},
    memory::budget::Budget,
};
use bloodseg_vision::{geometry::TILE_PX, pipeline::Pipeline};

/// Checks the greatest need. `pipeline` is that of the models, if they are usable; `frame_px` overrides the frame sizes
/// of the sources.
pub(super) fn check(
    session: &Session,
    pipeline: Option<Pipeline>,
    frame_px: Option<[u32; 2]>,
    machine: &Machine,
) -> Finding {
    // Each need is measured with a fresh pipeline, because frames leave memory on the heap.
    if pipeline.is_none() {
        return Finding::skipped("budget", "the memory need is unknown without models", "");
    }
    drop(pipeline);
    let finding = |budget: &Budget| budget::check(budget.total_bytes(), session.config.budget.total_mib, machine);
    let names: Vec<&str> = session.config.source.keys().map(String::as_str).collect();
    if frame_px.is_some() || names.is_empty() {
        let need = Need::of(frame_px.unwrap_or([TILE_PX; 2]));
        return match needs::of_frames(session, need) {
            Ok(budget) => finding(&budget),
            Err(error) => Finding::fault("budget", &error),
        };
    }
    let (mut greatest, mut closed): (Option<(&str, Budget)>, Vec<&str>) = (None, Vec::new());
    for name in names {
        let before = needs::live_bytes();
        let Ok(source) = open(name, &session.config, Wish::default()) else {
            closed.push(name);
            continue;
        };
        match needs::of_source(session, source, before) {
            Err(error) => return Finding::fault("budget", &error),
            Ok(budget) if greatest.as_ref().is_none_or(|(_, most)| budget.total_bytes() > most.total_bytes()) => {
                greatest = Some((name, budget));
            }
            Ok(_) => {}
        }
    }
    let Some((name, budget)) = greatest else {
        let found = format!("no source can be opened, so their frames are not known: {}", closed.join(", "));
        return Finding::skipped("budget", found, "Pass their size with --frame WxH");
    };
    let mut finding = finding(&budget);
    finding.found = format!("{name}: {}", finding.found);
    if !closed.is_empty() {
        finding.found =
            format!("{}; not included, because they cannot be opened: {}", finding.found, closed.join(", "));
    }
    finding
}
