//! A camera as a source of frames: combines device, [link](super::link) and [intake](super::intake).
//!
//! Once opened, it never ends by itself. Failures are logged, counted, and retried.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{
    Clockwork, FrameSource, Need, Next, Pacing, Sensor,
    counters::CameraCounters,
    device::{Device, Fault, Format, OrFault, Settings, layout::Layout, negotiate},
    intake::{Intake, Refusal, Region, Scale, jpeg::JpegReader},
    link::{Act, Link},
};
use crate::{
    camera::limits::{CAMERA_FORMAT_PATIENCE, CAMERA_POLL},
    error::{Error, Result},
};
use bloodseg_vision::{
    frame::{Frame, flat_field::FlatField, limits::FRAME_POOL_LEN, name::FrameName},
    geometry::MAX_FRAME_PX,
    placement::{PitchSource, Scaled},
};

/// Frames enlarged by more than this have too few pixels per cell for the models.
const MOST_ENLARGED: f64 = 2.0;

/// The requested configuration of a camera.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// Width and height of the sensor's frames in pixels; selected automatically if `None`.
    pub size_px: Option<(u32, u32)>,
    /// Rate, exposure, gain.
    pub settings: Settings,
    /// Region of interest of the sensor's frames.
    pub region: Option<Region>,
    /// Flat-field correction, applied to the sensor's frames first.
    pub flat_field: Option<FlatField>,
    /// Edge of a pixel of the sensor's frames in the specimen, in micrometres.
    pub um_per_px: Option<f64>,
    /// Shrink the whole field to one tile even if the pitch is known.
    pub whole_field: bool,
    /// Deliver the sensor's frames, or a region of them, unscaled.
    pub as_is: bool,
}

/// A camera that was opened.
#[derive(Debug)]
pub struct Camera {
    name: String,
    path: PathBuf,
    device: Box<dyn Device>,
    wanted: Wanted,
    /// Pitch to which frames are scaled, in micrometres per pixel, if the sensor's is known.
    target_um_per_px: Option<f64>,
    /// Most pixels of a frame of unknown pitch.
    most_px: u64,
    intake: Intake,
    link: Link,
    counters: CameraCounters,
    number: u64,
    /// Prefix of frame names.
    frames_name: Arc<str>,
    pace: Option<Clockwork>,
    wrong_size_in_a_row: u32,
    /// The stream was given up because its format changed, which is already counted.
    changed: bool,
}

impl Camera {
    /// Opens a device and starts its stream. `path` is for messages.
    ///
    /// # Errors
    /// [`Fault`] if it is missing or refuses the configuration.
    pub fn open(name: &str, path: PathBuf, mut device: Box<dyn Device>, wanted: Wanted) -> OrFault<Self> {
        let format = start(device.as_mut(), &wanted)?;
        let intake = intake(&wanted, None, MAX_FRAME_PX, format)?;
        let pace = wanted.settings.fps.map(Clockwork::new);
        Ok(Self {
            name: name.to_owned(),
            path,
            device,
            wanted,
            target_um_per_px: None,
            most_px: MAX_FRAME_PX,
            intake,
            link: Link::begun(),
            counters: CameraCounters::default(),
            number: 0,
            frames_name: name.into(),
            pace,
            wrong_size_in_a_row: 0,
            changed: false,
        })
    }

    fn read(&mut self, now: Duration) -> Next {
        let Self { device, intake, pace, .. } = self;
        let mut taken = None;
        let came = device.next_frame(CAMERA_POLL, &mut |raw| {
            // Half a period of tolerance, so that a camera that already has the requested rate loses no frame to jitter.
            let early = pace.as_mut().is_some_and(|pace| pace.take(now + pace.period() / 2).is_some());
            taken = (!early).then(|| intake.take(raw));
        });
        match came {
            Err(fault) => {
                self.counters.lost += 1;
                log::warn!("{}: lost: {fault}; retrying until it is back", self.name);
                self.part(now)
            }
            Ok(false) if self.link.silent(now) => {
                self.counters.stalled += 1;
                log::warn!("{}: no frame for too long; reopening", self.name);
                self.part(now)
            }
            // The time is that of the call, and the wait is over by now: return immediately.
            Ok(false) => Next::Wait(now + CAMERA_POLL),
            Ok(true) => {
                self.link.heard();
                match taken {
                    None => {
                        self.counters.skipped += 1;
                        Next::Wait(now)
                    }
                    Some(Ok(picture)) => {
                        self.wrong_size_in_a_row = 0;
                        self.counters.frames += 1;
                        self.number += 1;
                        let number = self.number;
                        let name = FrameName::Numbered(Arc::clone(&self.frames_name), number);
                        Next::Frame(Frame { number, name, picture, origin: self.origin() })
                    }
                    Some(Err(refusal)) => self.refuse(now, &refusal),
                }
            }
        }
    }

    fn refuse(&mut self, now: Duration, refusal: &Refusal) -> Next {
        match refusal {
            Refusal::Damaged => self.counters.damaged += 1,
            Refusal::Torn(_) => self.counters.torn += 1,
            Refusal::NoBuffer => self.counters.no_buffer += 1,
            Refusal::WrongSize(found) => {
                self.counters.wrong_size += 1;
                self.wrong_size_in_a_row += 1;
                if self.wrong_size_in_a_row >= CAMERA_FORMAT_PATIENCE {
                    self.counters.format_changes += 1;
                    self.changed = true;
                    log::warn!("{}: format changed ({found}); reopening", self.name);
                    self.part(now);
                }
            }
        }
        Next::Unreadable(refusal.error())
    }

    /// Gives the stream up, to be retried later.
    fn part(&mut self, now: Duration) -> Next {
        self.device.close();
        self.wrong_size_in_a_row = 0;
        self.link.parted(now);
        Next::Wait(now)
    }

    fn reopen(&mut self, now: Duration) -> Next {
        match start(self.device.as_mut(), &self.wanted).and_then(|format| self.go_on_with(format)) {
            Ok(()) => {
                self.counters.reopened += 1;
                self.link.opened();
                log::warn!("{}: reopened ({})", self.name, described(self.intake.format()));
            }
            Err(fault) => {
                self.counters.refused += 1;
                self.device.close();
                // Log the first failure only, so that a box without its camera does not fill its log.
                let level = if self.link.tries() <= 1 { log::Level::Warn } else { log::Level::Debug };
                log::log!(level, "{}: still missing: {fault}", self.name);
                self.link.parted(now);
            }
        }
        Next::Wait(now)
    }

    fn go_on_with(&mut self, format: Format) -> OrFault<()> {
        if format != *self.intake.format() {
            self.intake = intake(&self.wanted, self.target_um_per_px, self.most_px, format)?;
            self.counters.format_changes += u64::from(!self.changed);
        }
        self.changed = false;
        Ok(())
    }
}

impl Camera {
    /// Rebuilds the intake for the current stream format, pitch and size limit.
    fn set_intake(&mut self) -> Result<()> {
        let fault = |fault: Fault| Error::frames(&self.name, fault.to_string(), "");
        let format = *self.intake.format();
        self.intake = intake(&self.wanted, self.target_um_per_px, self.most_px, format).map_err(fault)?;
        Ok(())
    }

    /// The placement and pitch of its frames.
    fn origin(&self) -> Scaled {
        let known = Scaled::as_it_is(self.wanted.um_per_px, PitchSource::Given);
        Scaled { placement: self.intake.placement(), ..known }
    }
}

fn start(device: &mut dyn Device, wanted: &Wanted) -> OrFault<Format> {
    let offers = device.offers()?;
    let (layout, size_px) = negotiate::choose(&offers, wanted.size_px)?;
    let format = device.start(layout, size_px, &wanted.settings)?;
    negotiate::check_granted(&format, wanted.size_px)?;
    Ok(format)
}

/// Allocates the memory for a stream.
fn intake(wanted: &Wanted, target_um_per_px: Option<f64>, most_px: u64, format: Format) -> OrFault<Intake> {
    let scale = match (wanted.um_per_px, target_um_per_px) {
        _ if wanted.as_is => Scale::AsIs,
        _ if wanted.whole_field => Scale::WholeField,
        (Some(um_per_px), Some(target)) => Scale::Factor(target / um_per_px),
        _ => Scale::Within(most_px),
    };
    Intake::new(format, wanted.region, wanted.flat_field.clone(), scale, FRAME_POOL_LEN)
        .map_err(|e| Fault::Refused { found: e.to_string(), todo: String::new() })
}

fn described(format: &Format) -> String {
    let Format { layout, width_px, height_px, range, .. } = format;
    format!("{layout} {width_px}x{height_px}, {range}")
}

impl FrameSource for Camera {
    fn name(&self) -> &str {
        &self.name
    }

    fn describe(&self) -> String {
        let (width, height) = self.intake.size_px();
        let becomes = match (self.um_per_px(), self.wanted.as_is) {
            (_, true) => "unscaled".to_owned(),
            (Some(um), _) => {
                let um = um * self.intake.placement().scale;
                format!("resized to {width}x{height} px of {um:.3} um")
            }
            _ if self.wanted.whole_field => format!("the centre square shrunk to {width}x{height} px"),
            (None, _) => format!(
                "frames of {width}x{height} px, with the scale measured from red cells; `bloodseg calibrate` measures \
                 the pitch"
            ),
        };
        let flat = if self.wanted.flat_field.is_some() { ", flat-field corrected" } else { "" };
        format!("camera {}, {}{flat}; {becomes}", self.path.display(), described(self.intake.format()))
    }

    fn pacing(&self) -> Pacing {
        Pacing::Live
    }

    // A camera may come back with another format: size and completeness are checked per frame.
    fn frame_size_px(&self) -> Option<(u32, u32)> {
        None
    }

    fn need(&self) -> Need {
        let Format { layout, width_px, .. } = *self.intake.format();
        let making_bytes = if layout == Layout::Mjpeg { JpegReader::making_bytes(width_px) } else { 0 };
        let frame_px = self.intake.size_px();
        let is_known = !self.needs_scale() || self.wanted.um_per_px.is_some();
        Need { frame_px, analysed_px: is_known.then_some(frame_px), making_bytes }
    }

    fn um_per_px(&self) -> Option<f64> {
        self.wanted.um_per_px
    }

    fn needs_scale(&self) -> bool {
        !self.wanted.as_is && !self.wanted.whole_field
    }

    fn shrink_to(&mut self, most_px: u64) -> Result<()> {
        self.most_px = most_px.min(MAX_FRAME_PX);
        self.set_intake()
    }

    fn sensor(&self) -> Option<Sensor> {
        let Format { width_px, height_px, .. } = *self.intake.format();
        Some(Sensor { device: self.path.clone(), size_px: (width_px, height_px) })
    }

    fn resample_to(&mut self, um_per_px: f64) -> Result<()> {
        self.target_um_per_px = Some(um_per_px);
        if let Some(own) = self.wanted.um_per_px.filter(|own| *own > MOST_ENLARGED * um_per_px) {
            log::warn!(
                "{}: pixels of {own:.3} um are coarse for models of {um_per_px:.3} um; use a stronger objective or a \
                 larger frame size",
                self.name
            );
        }
        self.set_intake()
    }

    fn go_on_after(&mut self, number: u64, _unreadable: u64) {
        self.number = number;
    }

    fn is_away(&self) -> bool {
        self.link.tries() > 0
    }

    fn counters(&self) -> Option<CameraCounters> {
        Some(self.counters)
    }

    fn next_frame(&mut self, now: Duration) -> Result<Next> {
        Ok(match self.link.act(now) {
            Act::Read => self.read(now),
            Act::Open => self.reopen(now),
            Act::Wait(until) => Next::Wait(until),
        })
    }
}

#[cfg(test)]
mod tests;
