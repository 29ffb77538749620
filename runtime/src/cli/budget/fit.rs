//! The size of a source's frames if the config limits the memory.

use super::{Heap, of_pipeline};
use crate::{
    camera::{FrameSource, Need},
    cli::session::Session,
    config::address::Address,
    error::Result,
    memory::budget::{Budget, MIB, WAITING_FRAMES},
};
use bloodseg_vision::{
    geometry::{MAX_FRAME_PX, TILE_PX},
    pipeline::Pipeline,
};

/// The sizes of two analyses, both of several tiles, whose difference gives the cost of a pixel.
const PROBES: [[u32; 2]; 2] = [[80, 64], [128, 96]];

/// Reserve of the available memory, because the cost of a pixel varies with the shape.
const SLACK_BYTES: f64 = 1.5 * MIB;
const MARGIN: f64 = 0.9;

/// Bytes per pixel of a frame.
const RGB_BYTES: u64 = 3;

/// Size limits of frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cli) struct Fit {
    /// Whether frames are scaled for the models.
    pub(in crate::cli) needs_scale: bool,
    /// Most pixels of a frame at the scale of the models.
    pub(in crate::cli) analysed_most_px: u64,
    /// Most pixels of a frame whose scale is measured.
    frame_most_px: Option<u64>,
    /// The needs that the budget assumes, if it is limited.
    held_to: Option<Need>,
}

impl Fit {
    /// Applies the limits to a source.
    ///
    /// # Errors
    /// Those of the source.
    pub(in crate::cli) fn hold(&self, source: &mut dyn FrameSource) -> Result<()> {
        if let Some(most_px) = self.frame_most_px {
            source.shrink_to(most_px)?;
        }
        if let Some(need) = self.held_to {
            source.hold_to(need);
        }
        Ok(())
    }
}

/// Determines the frame sizes of a source and their needs; does nothing without a limit in the config. Frames of unknown
/// scale are as large as the memory allows.
///
/// # Errors
/// Those of the analysis and of the source.
pub(in crate::cli) fn of_source(
    session: &Session,
    pipeline: &mut Pipeline,
    source: &mut dyn FrameSource,
    heap: Heap,
    http: Option<Address>,
) -> Result<(Fit, Option<Budget>)> {
    let needs_scale = source.needs_scale();
    let free = Fit { needs_scale, analysed_most_px: MAX_FRAME_PX, frame_most_px: None, held_to: None };
    let Some(total_mib) = session.config.budget.total_mib else { return Ok((free, None)) };
    let mut need = source.need();
    let mut fit = free;
    if need.analysed_px.is_none() {
        let (frame_px, analysed_px) = room(session, pipeline, source, total_mib, heap, http)?;
        fit.frame_most_px = Some(frame_px);
        source.shrink_to(frame_px)?;
        need = source.need();
        let before_px = px(need.frame_px);
        need.analysed_px = Some(shrunk(need.frame_px, before_px, analysed_px));
        if analysed_px < before_px {
            log::info!(
                "frames are limited to {}x{} px, and {analysed_px} px at the scale of the models, by the memory budget",
                need.frame_px.0,
                need.frame_px.1
            );
        }
    }
    // Slightly more than computed is a rounding error of a side.
    fit.analysed_most_px = need.analysed_px.map_or(MAX_FRAME_PX, px).min(MAX_FRAME_PX);
    let budget = of_pipeline(session, pipeline, need, heap, http)?;
    fit.held_to = Some(need);
    Ok((fit, Some(budget)))
}

/// Pixels of a frame, and of one at the scale of the models, that fit into the memory.
fn room(
    session: &Session,
    pipeline: &mut Pipeline,
    source: &dyn FrameSource,
    total_mib: f64,
    heap: Heap,
    http: Option<Address>,
) -> Result<(u64, u64)> {
    let Need { frame_px, making_bytes, .. } = source.need();
    let full_px = px(frame_px);
    if full_px <= px(PROBES[1].into()) {
        return Ok((full_px, full_px));
    }
    let mut costs = [0.0; 2];
    for (cost, size) in costs.iter_mut().zip(PROBES) {
        let need = Need { frame_px: (0, 0), analysed_px: Some(size.into()), making_bytes };
        *cost = of_pipeline(session, pipeline, need, heap, http)?.total_bytes() as f64;
    }
    let [small_px, large_px] = PROBES.map(|size| px(size.into()) as f64);
    let per_px = ((costs[1] - costs[0]) / (large_px - small_px)).max(0.0);
    let waiting_per_px = (RGB_BYTES * WAITING_FRAMES) as f64;
    let left_bytes = MARGIN * (total_mib * MIB - costs[1] - SLACK_BYTES);
    let analysed = |frame_px: f64| match left_bytes - waiting_per_px * frame_px {
        left_bytes if left_bytes > 0.0 => large_px + left_bytes / per_px,
        _ => 0.0,
    };
    let least_px = f64::from(TILE_PX * TILE_PX);
    // First the whole frame at most at its own scale; then cells of at least twice the models' size; then smaller frames,
    // if the source can deliver them.
    let mut frame = full_px as f64;
    loop {
        let most = analysed(frame).min(frame).min(MAX_FRAME_PX as f64);
        let is_least = frame <= 4.0 * least_px;
        if most >= frame.min(MAX_FRAME_PX as f64) / 4.0 || is_least || source.is_of_files() {
            return Ok((frame as u64, most.max(least_px) as u64));
        }
        frame = (frame / 1.25).max(4.0 * least_px);
    }
}

/// A size of the same shape with at most this many pixels.
fn shrunk((width, height): (u32, u32), before_px: u64, most_px: u64) -> (u32, u32) {
    if before_px <= most_px {
        return (width, height);
    }
    let factor = (most_px as f64 / before_px as f64).sqrt();
    let side = |px: u32| ((f64::from(px) * factor).floor() as u32).max(1);
    (side(width), side(height))
}

fn px((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrunk_size_keeps_shape_and_limit() {
        assert_eq!(shrunk((640, 480), 640 * 480, 1 << 30), (640, 480));
        let (width, height) = shrunk((640, 480), 640 * 480, 20_000);
        assert!(u64::from(width) * u64::from(height) <= 20_000 && width > 160 && height > 119);
        assert_eq!(shrunk((1, 9), 9, 1), (1, 3));
    }
}
