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
/// New models come as one bundle, signed with minisign by its maker. A bundle is checked before anything runs it, its
/// golden inputs run, and then it goes into the slot that is not in use and becomes active at once. It is on trial
/// until it has counted cells in 20 frames of `run`; where it fails before, or three starts come to nothing, the models
/// before it are active again by themselves, and `list` says why.
///
/// The folder of the slots is `--slots DIR`, or `[models] slots` of the config.
#[derive(Debug, Args)]
pub(in crate::cli) struct ModelsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a pair of keys: PREFIX.key signs bundles, PREFIX.pub is what devices trust
    Keygen(make::KeygenArgs),
    /// Pack the four files of a folder into a bundle, and sign it
    Pack(make::PackArgs),
    /// Check a bundle, run its golden inputs, and make it active, on trial
    Install(install::InstallArgs),
    /// Show what lies in the slots, and why what was left was left
    List(list::ListArgs),
    /// Check the slots, or a bundle without installing it, golden inputs and signatures included
    Verify(verify::VerifyArgs),
    /// Make the models before the active ones active again
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

/// The slots, for a command that is about them.
fn slots(session: &Session) -> Result<Slots> {
    session.slots().ok_or_else(|| {
        Error::config("models", "no folder for the slots", "Give --slots DIR, or models.slots in the config file")
    })
}

/// The keys that are trusted: those of the config, and of a file that was named.
fn keys(session: &Session, named: Option<&PathBuf>) -> Result<Keys> {
    let models = &session.config.models;
    let mut keys = Keys::default();
    for key in &models.keys {
        keys.add(key, "models.keys")?;
    }
    for path in models.key_file.iter().chain(named) {
        keys.add(&file::read_text(path, "a public key of minisign")?, &path.display().to_string())?;
    }
    Ok(keys)
}
