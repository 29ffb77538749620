//! What the records of a run begin with.

use std::time::SystemTime;

use super::{super::session::Session, RunArgs};
use crate::{
    camera::FrameSource,
    error::Result,
    records::run_info::{ModelInfo, RunInfo},
};

/// Of a run that starts now.
///
/// # Errors
/// Those of the models.
pub(super) fn of(session: &Session, args: &RunArgs, source: &dyn FrameSource, started: SystemTime) -> Result<RunInfo> {
    let models = session.models()?;
    let um_per_px = source.um_per_px();
    let pitch_from = match um_per_px {
        None => "",
        Some(_) if args.um_per_px.is_some() => "--um-per-px",
        Some(_) if source.sensor().is_none() && args.source == "demo" => "the simulation",
        Some(_) => "the config",
    };
    let notes: Vec<&str> =
        [(args.any_quality, "--any-quality"), (args.whole_field, "--whole-field"), (args.repeat, "--repeat")]
            .into_iter()
            .filter_map(|(given, flag)| given.then_some(flag))
            .collect();
    Ok(RunInfo {
        mark: RunInfo::new_mark(),
        source: source.name().to_owned(),
        description: source.describe(),
        started,
        um_per_px,
        pitch_from: pitch_from.to_owned(),
        software: env!("CARGO_PKG_VERSION").to_owned(),
        models: vec![ModelInfo::of("ssr", &models.ssr.manifest), ModelInfo::of("unet", &models.unet.manifest)],
        notes: notes.join(" "),
    })
}
