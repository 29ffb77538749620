//! `bloodseg calibrate`: the pitch of a source from the size of its red cells.

use clap::Args;

use super::{frames, print, segment::above_zero, session::Session};
use crate::{
    camera::open::{Wish, open},
    error::{Error, Result},
};
use bloodseg_vision::{
    calibration::{Calibration, RED_CELL_UM},
    scale::RED_CELL_UM as RANGE_UM,
};

/// Arguments of `calibrate`.
///
/// Focus on a place with single red cells of a healthy person, and move the stage slightly during the measurement. The
/// median diameter is taken as 7.5 um, that of a dry smear. People differ, so the pitch is an estimate: use a stage
/// micrometer if micrometres matter. A field that does not allow a calibration is refused with the reason.
#[derive(Debug, Args)]
pub(super) struct CalibrateArgs {
    /// A source from the config, a camera (`camera0`), a folder of pictures, or `demo`
    #[arg(value_name = "SOURCE")]
    source: String,

    /// Maximum number of frames to measure
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    frames: u32,

    /// Frames per second
    #[arg(long, value_name = "F", value_parser = above_zero)]
    fps: Option<f64>,
}

/// Runs the command.
///
/// # Errors
/// Those of the source and the models, and [`Error::Source`] for an unsuitable field.
pub(super) fn run(session: &Session, args: &CalibrateArgs) -> Result<()> {
    let wish = Wish { fps: args.fps, as_is: true, ..Wish::default() };
    let mut source = open(&args.source, &session.config, wish)?;
    let mut pipeline = session.pipeline()?;
    print::line(format_args!("source   {}: {}", source.name(), source.describe()));
    let mut calibration = Calibration::default();
    let bar = print::progress(args.frames as usize, "frames", session.quiet);
    let taken = frames::take(source.as_mut(), args.frames, |frame| {
        bar.inc(1);
        Ok(calibration.add(&mut pipeline, frame)?)
    });
    bar.finish_and_clear();
    taken?;
    let estimate = calibration
        .finish()
        .map_err(|error| Error::unfit(error, source.name(), "the pitch cannot be measured on this field"))?;
    let (low, high) = estimate.interval_um_per_px;
    print::line(format_args!(
        "pitch    {:.4} um/px, 95 % confidence {low:.4} to {high:.4} (red cells taken as {RED_CELL_UM} um)",
        estimate.um_per_px
    ));
    let ((least_um, _, most_um), (low, high)) = (RANGE_UM, estimate.any_person_um_per_px);
    print::line(format_args!(
        "range    {low:.4} to {high:.4} um/px (people's red cells have {least_um} to {most_um} um)"
    ));
    print::line(format_args!(
        "from     {} cells of {:.2} px (median; quartiles {:.0} % apart) in {} frames",
        estimate.cells,
        estimate.diameter_px,
        estimate.spread * 100.0,
        estimate.frames
    ));
    print::line("\nAdd to the config file:\n");
    match source.sensor() {
        Some(sensor) => {
            let (width, height) = sensor.size_px;
            print::line(format_args!(
                "[source.{}]\nkind = \"camera\"\ndevice = \"{}\"\nwidth_px = {width}\nheight_px = {height}",
                source.name(),
                sensor.device.display()
            ));
        }
        None => print::line("[optics]"),
    }
    print::line(format_args!("um_per_px = {:.4}", estimate.um_per_px));
    Ok(())
}
