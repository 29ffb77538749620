//! The run description at the start of its records.

use std::time::SystemTime;

use super::RunArgs;
use crate::camera::FrameSource;
use bloodseg_records::run_info::{ModelInfo, RunInfo};
use bloodseg_vision::model::manifest::Manifest;

/// The models of a run: super-resolution and segmenter.
pub(super) fn models([ssr, unet]: &[Manifest; 2]) -> Vec<ModelInfo> {
    vec![ModelInfo::of("ssr", ssr), ModelInfo::of("unet", unet)]
}

/// Description of a run that starts now with these models.
pub(super) fn of(args: &RunArgs, source: &dyn FrameSource, models: Vec<ModelInfo>, started: SystemTime) -> RunInfo {
    let um_per_px = source.um_per_px();
    let pitch_from = match um_per_px {
        None => "",
        Some(_) if args.um_per_px.is_some() => "--um-per-px",
        Some(_) if source.sensor().is_none() && args.source == "demo" => "the simulation",
        Some(_) => "the config",
    };
    let notes: Vec<&str> = [
        (args.any_quality, "--any-quality"),
        (args.whole_field, "--whole-field"),
        (args.as_is, "--as-is"),
        (args.repeat, "--repeat"),
    ]
    .into_iter()
    .filter_map(|(given, flag)| given.then_some(flag))
    .collect();
    RunInfo {
        mark: RunInfo::new_mark(),
        source: source.name().to_owned(),
        description: source.describe(),
        started,
        um_per_px,
        pitch_from: pitch_from.to_owned(),
        software: env!("CARGO_PKG_VERSION").to_owned(),
        models,
        notes: notes.join(" "),
    }
}
