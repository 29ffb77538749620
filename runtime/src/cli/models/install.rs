//! Installs a bundle into the slots, and rolls back.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{keys, slots};
use crate::{
    camera::Need,
    cli::{budget, corrections, print, session::Session},
    error::Result,
};
use bloodseg_bundles::{
    bundle::{
        accept::{Accepted, accept},
        file,
        signature::Keys,
    },
    limits::{MAX_TRIAL_STARTS, MIN_TRIAL_FRAMES},
};

/// Arguments of `models install`.
///
/// Checks in this order: size, container, signature, manifests, the gate in front of the engine, memory, golden inputs,
/// validation, slot. Stops at the first failure and leaves the active models unchanged. An active run keeps its models until its next
/// start.
#[derive(Debug, Args)]
pub(super) struct InstallArgs {
    /// The bundle; its signature is beside it, with .minisig appended to the name
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,

    /// File with a public key to trust in addition to those in the config
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Accept a bundle that no trusted key signed
    #[arg(long)]
    unsigned: bool,

    /// Size of the frames to be analysed, for their memory needs
    #[arg(long, value_name = "WxH", default_value = "64x64", value_parser = budget::size)]
    frame: [u32; 2],
}

pub(super) fn run(session: &Session, args: &InstallArgs) -> Result<()> {
    let slots = slots(session)?;
    let keys = keys(session, args.key.as_ref())?;
    let accepted = try_out(session, &args.bundle, &keys, args.unsigned, args.frame)?;
    let state = slots.install(&accepted)?;
    print::line(format_args!("slot     {} of {}", state.active.name(), slots.folder().display()));
    print::line(format_args!(
        "active   from the next start on, on trial for {MIN_TRIAL_FRAMES} frames and at most {MAX_TRIAL_STARTS} starts"
    ));
    if session.slots_in_use().is_none() {
        log::warn!("models.dir takes precedence over the slots: the installed models are not used");
    }
    Ok(())
}

/// All checks of a bundle before it is installed.
pub(super) fn try_out(
    session: &Session,
    path: &Path,
    keys: &Keys,
    unsigned: bool,
    frame: [u32; 2],
) -> Result<Accepted> {
    let origin = path.display().to_string();
    let accepted = accept(file::read(path)?, file::read_signature(path)?, keys, unsigned, &origin)?;
    let total_mib = session.config.budget.total_mib;
    total_mib.map_or(Ok(()), |total_mib| accepted.check_memory(total_mib, &origin))?;
    // From here on the engine reads it. Loading runs the golden inputs.
    let mut pipeline = session.load(&accepted.contents.models)?;
    if total_mib.is_some() {
        budget::check(
            session,
            &budget::of_pipeline(session, &mut pipeline, Need::of(frame), budget::Heap::default(), None)?,
        )?;
    }
    let validation = corrections::check(&accepted.contents, &origin)?;
    let models = &accepted.contents.models;
    let versions = format!("ssr {}, unet {}", models.ssr.manifest.version, models.unet.manifest.version);
    print::line(format_args!("bundle   {origin}: {versions}"));
    match &accepted.key_id {
        Some(key_id) => print::line(format_args!("signed   by key {key_id}")),
        None => print::line("signed   not by a trusted key"),
    }
    print::line("golden   the outputs of both models match their manifests");
    if let Some(validation) = validation {
        let pictures = validation.agreement.pairs;
        print::line(format_args!("counts   corrected by a validation on {pictures} pictures"));
    }
    Ok(accepted)
}

/// Runs `models rollback`.
pub(super) fn roll_back(session: &Session) -> Result<()> {
    let state = slots(session)?.roll_back()?;
    print::line(format_args!("active   {}, from the next start on", state.active.name()));
    Ok(())
}
