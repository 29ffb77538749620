//! `bloodseg budget`: the memory that a run needs.

pub(super) mod fit;

use clap::Args;

use super::{print, session::Session};
use crate::{
    camera::{
        FrameSource, Need,
        open::{Wish, open},
    },
    config::address::Address,
    error::Result,
    memory::{
        budget::{Budget, Outside},
        counting,
    },
};
use bloodseg_vision::{
    geometry::{MAX_FRAME_PX, TILE_PX},
    pipeline::Pipeline,
};

/// Arguments of `budget`.
///
/// Loads the models and analyses one frame, so the figures are those of this machine. `run` does the same before it
/// starts if the config has `[budget] total_mib`.
#[derive(Debug, Args)]
pub(super) struct BudgetArgs {
    /// Source as in `run`: its frames and buffers are measured. Without one, the needs are those of frames alone
    #[arg(value_name = "SOURCE", conflicts_with = "frame")]
    source: Option<String>,

    /// Size of the analysed frames, in pixels
    #[arg(long, value_name = "WxH", default_value = "64x64", value_parser = size)]
    frame: [u32; 2],

    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// `WxH`, of at most [`MAX_FRAME_PX`].
pub(super) fn size(text: &str) -> std::result::Result<[u32; 2], String> {
    let sides = text.split_once('x').and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    match sides {
        Some([w, h]) if w > 0 && h > 0 && u64::from(w) * u64::from(h) <= MAX_FRAME_PX => Ok([w, h]),
        _ => Err(format!("expected WxH, like {TILE_PX}x{TILE_PX}, of at most {MAX_FRAME_PX} pixels")),
    }
}

/// Runs the command.
///
/// # Errors
/// Those of the models and of the source; [`ErrorKind::Config`](crate::error::ErrorKind::Config) if the config allows less than is needed.
pub(super) fn run(session: &Session, args: &BudgetArgs) -> Result<()> {
    let budget = match &args.source {
        Some(name) => {
            let before = live_bytes();
            of_source(session, open(name, &session.config, Wish::default())?, before)?
        }
        None => of_frames(session, Need::of(args.frame))?,
    };
    if args.json {
        print::json("budget", &budget)?;
    } else {
        print::line(&budget);
    }
    check(session, &budget)
}

/// Measurements made before a run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heap {
    /// Bytes before the source and the models.
    pub(super) process_bytes: u64,
    /// Bytes that the source holds.
    pub(super) source_bytes: u64,
    /// Peak bytes while the models were loaded.
    pub(super) loading_bytes: u64,
}

/// The need of a run on such frames, whatever their source.
///
/// # Errors
/// Those of the models.
pub(super) fn of_frames(session: &Session, need: Need) -> Result<Budget> {
    let heap = Heap { process_bytes: live_bytes(), ..Heap::default() };
    of_pipeline(session, session.untried_pipeline()?.pipeline()?, need, heap, None)
}

/// The need of a run on a source; `before` is the number of heap bytes before it was opened.
pub(super) fn of_source(session: &Session, mut source: Box<dyn FrameSource>, before: u64) -> Result<Budget> {
    let opened = live_bytes();
    counting::restart_peak();
    let mut pipeline = session.untried_pipeline()?;
    let loading_bytes = peak_bytes().saturating_sub(opened);
    let loaded = live_bytes();
    source.resample_to(pipeline.um_per_px())?;
    let source_bytes = (opened + live_bytes()).saturating_sub(before + loaded);
    let heap = Heap { process_bytes: before, source_bytes, loading_bytes };
    let (_, budget) = fit::of_source(session, pipeline.pipeline()?, source.as_mut(), heap, None)?;
    let of_need = |pipeline: &mut Pipeline| of_pipeline(session, pipeline, source.need(), heap, None);
    budget.map_or_else(|| of_need(pipeline.pipeline()?), Ok)
}

/// The needs of a run of a pipeline on frames of a source, with a page whose address may differ from the config.
pub(super) fn of_pipeline(
    session: &Session,
    pipeline: &mut Pipeline,
    need: Need,
    Heap { process_bytes, source_bytes, loading_bytes }: Heap,
    http: Option<Address>,
) -> Result<Budget> {
    let code_bytes = std::env::current_exe().and_then(std::fs::metadata).map_or(0, |file| file.len());
    let outbox = session.config.mqtt.broker.is_some();
    let page = http.unwrap_or(session.config.http.address) != Address::Off;
    let (width, height) = need.frame_px;
    let (frame_bytes, making_bytes) = (3 * u64::from(width) * u64::from(height), need.making_bytes);
    let outside =
        Outside { code_bytes, process_bytes, source_bytes, frame_bytes, making_bytes, loading_bytes, outbox, page };
    Budget::of(pipeline, need.analysed_px.unwrap_or(need.frame_px).into(), outside)
}

/// Refuses a budget above the config's limit.
pub(super) fn check(session: &Session, budget: &Budget) -> Result<()> {
    session.config.budget.total_mib.map_or(Ok(()), |total_mib| budget.check(total_mib, "budget"))
}

/// The same, and sets the heap limit: what the config leaves for it.
pub(super) fn enforce(session: &Session, budget: &Budget) -> Result<()> {
    check(session, budget)?;
    if let Some(total_mib) = session.config.budget.total_mib {
        counting::limit(usize::try_from(budget.heap_limit_bytes(total_mib)).unwrap_or(usize::MAX));
    }
    Ok(())
}

/// Peak heap bytes since [`counting::restart_peak`].
pub(super) fn peak_bytes() -> u64 {
    counting::heap().map_or(0, |heap| heap.peak_bytes as u64)
}

/// Current heap bytes.
pub(super) fn live_bytes() -> u64 {
    counting::heap().map_or(0, |heap| heap.live_bytes as u64)
}
