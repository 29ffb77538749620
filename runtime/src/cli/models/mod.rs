//! `bloodseg models`: keys, bundles and slots.

mod install;
mod list;
mod make;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::session::Session;
use crate::error::{Error, Result};
use bloodseg_bundles::{
    bundle::{file, signature::Keys},
    slots::Slots,
};

/// Arguments of `models`.
///
/// New models are distributed as one bundle, signed with minisign by its maker. A bundle is checked, its golden inputs
/// are run, and then it is installed into the unused slot and becomes active. It is on trial until it has counted cells
/// in 20 frames of `run`. If it fails before, or three starts end without confirmation, bloodseg rolls back to the
/// previous models, and `list` shows why.
///
/// The slots folder is `--slots DIR`, or `[models] slots` in the config.
#[derive(Debug, Args)]
pub(in crate::cli) struct ModelsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create a key pair: PREFIX.key signs bundles, PREFIX.pub is trusted by devices
    Keygen(make::KeygenArgs),
    /// Pack the four files of a folder into a bundle, and sign it
    Pack(make::PackArgs),
    /// Check a bundle, run its golden inputs, and activate it on trial
    Install(install::InstallArgs),
    /// Show the slots, and why models were rolled back
    List(list::ListArgs),
    /// Check the slots, or a bundle without installing it, including golden inputs and signatures
    Verify(verify::VerifyArgs),
    /// Roll back to the previous models
    Rollback,
}

/// Runs the command.
///
/// # Errors
/// Those of the bundle, the keys and the slots.
pub(in crate::cli) fn run(session: &Session, args: &ModelsArgs) -> Result<()> {
    match &args.action {
        Action::Keygen(args) => make::keygen(args),
        Action::Pack(args) => make::pack(args),
        Action::Install(args) => install::run(session, args),
        Action::List(args) => list::run(session, args),
        Action::Verify(args) => verify::run(session, args),
        Action::Rollback => install::roll_back(session),
    }
}

/// The slots, for a command that needs them.
fn slots(session: &Session) -> Result<Slots> {
    session
        .slots()
        .ok_or_else(|| Error::usage("no slots folder", "Pass --slots DIR, or set models.slots in the config file"))
}

/// The trusted keys: those of the config, and of a given file.
fn keys(session: &Session, named: Option<&PathBuf>) -> Result<Keys> {
    let models = &session.config.models;
    let mut keys = Keys::default();
    for key in &models.keys {
        keys.add(key, "models.keys")?;
    }
    for path in models.key_file.iter().chain(named) {
        keys.add(&file::read_text(path, "a minisign public key")?, &path.display().to_string())?;
    }
    Ok(keys)
}
