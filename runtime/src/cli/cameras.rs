//! `bloodseg cameras`: lists cameras and what each offers.

use std::path::Path;

use clap::Args;

use super::print;
use crate::{
    camera::device::list::{self, ListedCamera},
    error::Result,
};

/// What to do if there is no camera.
const NONE: &str = "no camera found: there is no /dev/video*. Plug one in (on a Raspberry Pi, check the ribbon cable and \
                    `camera_auto_detect` in config.txt), or try `bloodseg run demo`";

/// Arguments of `cameras`.
///
/// Opens each camera for a moment; cameras used by another program can still be listed.
#[derive(Debug, Args)]
pub(super) struct CamerasArgs {
    /// Print one JSON array instead of text
    #[arg(long)]
    json: bool,
}

/// Runs the command. Finding no camera is not an error.
pub(super) fn run(args: &CamerasArgs) -> Result<()> {
    let found = list::cameras(Path::new("/dev"));
    if args.json {
        print::json("cameras", &found)?;
    } else if found.is_empty() {
        print::line(NONE);
    } else {
        found.iter().for_each(print_one);
    }
    Ok(())
}

fn print_one(camera: &ListedCamera) {
    let name = camera.name.as_deref().unwrap_or("unnamed");
    print::line(format_args!("{}  {name}", camera.device.display()));
    if let Some(fault) = &camera.fault {
        print::line(format_args!("  cannot be used: {fault}"));
    }
    for format in &camera.formats {
        let sizes = if format.sizes_px.is_empty() { "sizes not listed".to_owned() } else { format.sizes_px.join(" ") };
        let unreadable = if format.readable { "" } else { "  (not read by bloodseg)" };
        print::line(format_args!("  format   {:<6} {sizes}{unreadable}", format.fourcc));
    }
    for control in &camera.controls {
        let current = control.current.map_or_else(|| "not readable".to_owned(), |value| value.to_string());
        let fixed = if control.settable { "" } else { "  (cannot be set now)" };
        print::line(format_args!(
            "  control  {:<32} {:<9} {} to {} step {}, default {}, now {current}{fixed}",
            control.name, control.kind, control.least, control.most, control.step, control.default
        ));
    }
}
