//! Verifies the slots or a bundle.

use std::path::PathBuf;

use clap::Args;

use super::{install, keys, slots};
use crate::{
    cli::{print, session::Session},
    error::{Error, Result},
};
use bloodseg_bundles::{
    bundle::signature::Keys,
    slots::{
        Slots,
        state::{Place, State},
    },
};
use bloodseg_vision::geometry::TILE_PX;

/// Arguments of `models verify`.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// A bundle; if omitted, the slots
    #[arg(value_name = "BUNDLE")]
    bundle: Option<PathBuf>,

    /// File with a public key to trust in addition to those in the config
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Accept a bundle that no trusted key signed
    #[arg(long, requires = "bundle")]
    unsigned: bool,
}

pub(super) fn run(session: &Session, args: &VerifyArgs) -> Result<()> {
    let keys = keys(session, args.key.as_ref())?;
    if let Some(bundle) = &args.bundle {
        return install::try_out(session, bundle, &keys, args.unsigned, [TILE_PX; 2]).map(drop);
    }
    let slots = slots(session)?;
    let state = slots.state()?;
    let mut first_fault = None;
    for place in [Place::A, Place::B, Place::BuiltIn] {
        if place != Place::BuiltIn && state.origin(place).is_none() {
            print::line(format_args!("{:<9} empty", place.name()));
            continue;
        }
        match check(session, &slots, &state, place, &keys) {
            Ok(signed) => print::line(format_args!("{:<9} ok, {signed}", place.name())),
            Err(error) => {
                print::line(format_args!("{:<9} {error}", place.name()));
                first_fault.get_or_insert(error);
            }
        }
    }
    first_fault.map_or(Ok(()), Err)
}

/// Checks hash, gate and golden inputs of a place, and its signature if there is one.
fn check(session: &Session, slots: &Slots, state: &State, place: Place, keys: &Keys) -> Result<String> {
    session.load(&slots.models_at(state, place)?)?;
    let Some(origin) = state.origin(place) else { return Ok("as this program brings them".into()) };
    let Some(key_id) = &origin.key_id else { return Ok("unsigned".into()) };
    let (bytes, signature) = slots.signed_at(place)?;
    let name = format!("slot {}", place.name());
    match signature {
        // Report signatures that cannot be verified for lack of a key.
        Some(_) if keys.is_empty() => Ok(format!("signed by key {key_id}, not verified: no trusted keys")),
        Some(text) => Ok(format!("signed by key {}", keys.verify(&bytes, &text, &name)?)),
        None => Err(Error::model(name, "no signature", format!("a signature by key {key_id}"), "Install it again")),
    }
}
