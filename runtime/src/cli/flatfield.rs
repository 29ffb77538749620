//! `bloodseg flatfield`: measures uneven illumination on an empty field.

use std::path::PathBuf;

use clap::Args;

use super::{frames, print, session::Session};
use crate::{
    camera::open::{Wish, open},
    error::{Error, Result},
};
use bloodseg_vision::frame::flat_field::FlatFieldMeter;

/// Arguments of `flatfield`.
///
/// Move to a place of the slide without cells, or remove the slide, and focus as usual. Frames are averaged and smoothed;
/// a field that is not empty, not evenly lit, too bright or too dark is refused.
#[derive(Debug, Args)]
pub(super) struct FlatFieldArgs {
    /// A source from the config, a camera (`camera0`), or a folder of pictures of one size
    #[arg(value_name = "SOURCE")]
    source: String,

    /// Output file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Maximum number of frames to average
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    frames: u32,
}

/// Runs the command.
///
/// # Errors
/// Those of the source, [`Error::Source`] for an unsuitable field, and
/// [`ErrorKind::Output`](crate::error::ErrorKind::Output).
pub(super) fn run(session: &Session, args: &FlatFieldArgs) -> Result<()> {
    // Measures the sensor's whole frame, without corrections.
    let mut config = session.config.clone();
    if let Some(source) = config.source.get_mut(&args.source) {
        source.flatfield = None;
        source.region = None;
    }
    let mut source = open(&args.source, &config, Wish { as_is: true, ..Wish::default() })?;
    print::line(format_args!("source   {}: {}", source.name(), source.describe()));
    let mut meter: Option<FlatFieldMeter> = None;
    let name = source.name().to_owned();
    let unfit = |error| Error::unfit(error, &name, "its field is not fit");
    let measured = frames::take(source.as_mut(), args.frames, |frame| {
        meter.get_or_insert_with(|| FlatFieldMeter::new(frame.width(), frame.height())).add(frame).map_err(unfit)
    });
    measured?;
    let meter = meter.ok_or_else(|| Error::internal("flatfield", "no frame"))?;
    let field = meter.finish().map_err(unfit)?;
    field.write(&args.out)?;
    print::line(format_args!(
        "flat     {}: {} frames; the darkest part of the field has {:.0} % of the light of the brightest",
        args.out.display(),
        meter.frames(),
        100.0 / field.most_gain()
    ));
    if let Some(sensor) = source.sensor() {
        let (width, height) = sensor.size_px;
        let (name, device) = (source.name(), sensor.device.display());
        print::line("\nAdd to the config file (paths are relative to its folder):\n");
        print::line(format_args!("[source.{name}]\nkind = \"camera\"\ndevice = \"{device}\""));
        print::line(format_args!("width_px = {width}\nheight_px = {height}\nflatfield = \"{}\"", args.out.display()));
    }
    Ok(())
}
