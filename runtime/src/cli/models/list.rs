//! Lists the slots.

use clap::Args;
use serde::Serialize;

use super::slots;
use crate::{
    cli::{print, session::Session},
    error::Result,
};
use bloodseg_bundles::{
    limits::MAX_TRIAL_STARTS,
    slots::state::{Place, State},
};
use bloodseg_vision::model::store::Models;

/// Arguments of `models list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// A place and its models.
#[derive(Debug, Serialize)]
struct Row {
    slot: &'static str,
    state: String,
    ssr_version: String,
    unet_version: String,
    bundle_sha256: Option<String>,
    /// `None` for an unsigned bundle, and for the built-in models.
    key_id: Option<String>,
    installed_utc: Option<String>,
}

#[derive(Debug, Serialize)]
struct List {
    active: &'static str,
    trial_starts: Option<u32>,
    slots: Vec<Row>,
    /// Reason and time of the last rollback.
    went_back: Option<String>,
}

pub(super) fn run(session: &Session, args: &ListArgs) -> Result<()> {
    let list = list(&slots(session)?.state()?);
    if args.json {
        print::json("list", &list)?;
        return Ok(());
    }
    print_row("slot", ["ssr", "unet", "bundle", "signed by"], "state");
    for row in &list.slots {
        let bundle = row.bundle_sha256.as_deref().map_or("-", |sha256| sha256.get(..12).unwrap_or(sha256));
        let signed = match (&row.key_id, &row.installed_utc) {
            (Some(key_id), _) => key_id.as_str(),
            (None, Some(_)) => "unsigned",
            (None, None) => "-",
        };
        print_row(row.slot, [&row.ssr_version, &row.unet_version, bundle, signed], &row.state);
    }
    if let Some(went_back) = &list.went_back {
        print::line(format_args!("last rollback {went_back}"));
    }
    Ok(())
}

fn print_row(slot: &str, [ssr, unet, bundle, signed]: [&str; 4], state: &str) {
    print::line(format_args!("{slot:<9} {ssr:<8} {unet:<8} {bundle:<12} {signed:<16} {state}"));
}

fn list(state: &State) -> List {
    let built_in = Models::embedded().ok();
    let version = |pick: fn(&Models) -> &String| built_in.as_ref().map_or("-", |models| pick(models)).to_owned();
    let rows = [Place::A, Place::B, Place::BuiltIn].map(|place| {
        let origin = state.origin(place);
        let is_built_in = place == Place::BuiltIn;
        Row {
            slot: place.name(),
            state: words(state, place),
            ssr_version: match origin {
                Some(origin) => origin.ssr_version.clone(),
                None if is_built_in => version(|models| &models.ssr.manifest.version),
                None => "-".into(),
            },
            unet_version: match origin {
                Some(origin) => origin.unet_version.clone(),
                None if is_built_in => version(|models| &models.unet.manifest.version),
                None => "-".into(),
            },
            bundle_sha256: origin.map(|origin| origin.bundle_sha256.clone()),
            key_id: origin.and_then(|origin| origin.key_id.clone()),
            installed_utc: origin.map(|origin| origin.installed_utc.clone()),
        }
    });
    List {
        active: state.active.name(),
        trial_starts: state.trial_starts,
        slots: rows.into(),
        went_back: state.went_back.as_ref().map(|back| format!("{}: {}", back.utc, back.reason)),
    }
}

fn words(state: &State, place: Place) -> String {
    if state.active == place {
        return match state.trial_starts {
            Some(starts) => format!("active, on trial ({starts} of {MAX_TRIAL_STARTS} starts)"),
            None => "active".into(),
        };
    }
    let left = state.went_back.as_ref().zip(state.origin(place));
    match left.filter(|(back, origin)| back.bundle_sha256 == origin.bundle_sha256) {
        Some((back, _)) => format!("rolled back {}: {}", back.utc, back.reason),
        None if state.previous == place => "previous".into(),
        None if place == Place::BuiltIn => "fallback".into(),
        None if state.origin(place).is_none() => "empty".into(),
        None => "not in use".into(),
    }
}
