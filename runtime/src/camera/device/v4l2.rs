//! Linux cameras (V4L2) through `linuxvideo`; the only file that uses it.
//!
//! Frames are read from two buffers that are mapped into memory once per stream. The file is non-blocking, and only read
//! after `poll` with a timeout. The crate has no method for the range of levels, so that is parsed from its debug output;
//! its version is pinned for that.

use std::{
    fmt, io,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    time::Duration,
};

use linuxvideo::{
    BufType, BufTypes, Fract,
    controls::{Cid, ControlFlags, CtrlType},
    format::{FrameSizes, PixFormat, PixelFormat},
    stream::ReadStream,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_setfl},
    io::Errno,
};

use super::{
    Device, Fault, Format, Offer, OrFault, RawFrame, Settings, SizeOffer,
    layout::{Layout, Range, fourcc_text},
    list::Control,
};
use crate::camera::limits::{MAX_CAMERA_CONTROLS, MAX_CAMERA_OFFERS};

/// V4L2's value for manual exposure.
const EXPOSURE_BY_HAND: i32 = 1;

/// V4L2 counts exposure in units of 100 microseconds.
const EXPOSURE_UNIT_US: u32 = 100;

enum State {
    Closed,
    Open(linuxvideo::Device),
    Streaming(ReadStream),
}

/// A camera by its device file.
pub struct V4l2 {
    path: PathBuf,
    state: State,
}

impl V4l2 {
    /// Names a camera without opening it.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), state: State::Closed }
    }

    fn open(&self) -> OrFault<linuxvideo::Device> {
        // Check the path first: opening a pipe would wait for its other end.
        let known = std::fs::metadata(&self.path).map_err(|e| fault("no such device", &e))?;
        if !known.file_type().is_char_device() {
            return Err(Fault::Refused {
                found: format!("{} is not a device", self.path.display()),
                todo: "Use a camera such as /dev/video0; `bloodseg cameras` lists them".into(),
            });
        }
        let device = linuxvideo::Device::open(&self.path).map_err(|e| match Errno::from_io_error(&e) {
            Some(Errno::NOTTY) => not_a_camera(&self.path),
            _ => fault("it cannot be opened", &e),
        })?;
        if device.supported_buf_types().contains(BufTypes::VIDEO_CAPTURE) {
            Ok(device)
        } else {
            Err(not_a_camera(&self.path))
        }
    }

    /// The controls of the device, with their ranges.
    ///
    /// # Errors
    /// As [`Device::offers`].
    pub fn controls(&self) -> OrFault<Vec<Control>> {
        let device = self.open()?;
        let mut controls = Vec::new();
        for control in device.controls().take(MAX_CAMERA_CONTROLS) {
            // A device without controls reports an error.
            let Ok(control) = control else { break };
            let kind = control.control_type();
            if kind == CtrlType::CTRL_CLASS {
                continue;
            }
            controls.push(Control {
                name: control.name().to_owned(),
                kind: format!("{kind:?}").to_lowercase(),
                least: control.minimum(),
                most: control.maximum(),
                step: control.step(),
                default: control.default_value(),
                current: device.read_control_raw(control.id()).ok(),
                settable: !control.flags().intersects(ControlFlags::READ_ONLY | ControlFlags::INACTIVE),
            });
        }
        Ok(controls)
    }
}

fn not_a_camera(path: &Path) -> Fault {
    Fault::Refused {
        found: format!("{} does not capture frames", path.display()),
        todo: "Many cameras have a second device for other data; `bloodseg cameras` lists the capture devices".into(),
    }
}

fn fault(doing: &str, error: &io::Error) -> Fault {
    let found = format!("{doing} ({error})");
    match Errno::from_io_error(error) {
        Some(Errno::NODEV | Errno::NXIO | Errno::NOENT) => Fault::Gone(found),
        Some(Errno::ACCESS | Errno::PERM) => {
            Fault::Refused { found, todo: "Add the user to the group `video`, and log in again".into() }
        }
        Some(Errno::BUSY) => Fault::Refused { found, todo: "Close the other program that uses the camera".into() },
        _ => Fault::Refused { found, todo: String::new() },
    }
}

/// The range of levels, as V4L2 defines it if the driver leaves it open. `printed` is the format as the crate prints it.
fn range_of(layout: Layout, told: &str) -> Range {
    if told.contains("quantization: FULL_RANGE") || layout == Layout::Mjpeg {
        Range::Full
    } else if told.contains("quantization: LIM_RANGE") {
        Range::Limited
    } else if told.contains("colorspace: JPEG") || layout == Layout::Grey {
        // Sensors without colour pass their levels on unchanged.
        Range::Full
    } else {
        Range::Limited
    }
}

fn offered_sizes(device: &linuxvideo::Device, format: PixelFormat) -> Vec<SizeOffer> {
    match device.frame_sizes(format) {
        Ok(FrameSizes::Discrete(sizes)) => {
            sizes.iter().take(MAX_CAMERA_OFFERS).map(|size| SizeOffer::Exact(size.width(), size.height())).collect()
        }
        Ok(FrameSizes::Stepwise(sizes) | FrameSizes::Continuous(sizes)) => vec![SizeOffer::Between {
            least: (sizes.min_width(), sizes.min_height()),
            most: (sizes.max_width(), sizes.max_height()),
            step: (sizes.step_width(), sizes.step_height()),
        }],
        Err(_) => Vec::new(),
    }
}

/// Applies supported settings and warns about the others, which do not prevent capturing.
fn set_controls(device: &mut linuxvideo::Device, settings: &Settings) {
    let mut set = |name: &str, control: Cid, value: i32| {
        device.write_control_raw(control, value).map_err(|e| log::warn!("camera: cannot set {name} to {value}: {e}"))
    };
    if let Some(exposure_us) = settings.exposure_us {
        let value = i32::try_from(exposure_us / EXPOSURE_UNIT_US).unwrap_or(i32::MAX).max(1);
        // A driver may have no automatic exposure to disable.
        let _ = set("exposure_us (by hand)", Cid::EXPOSURE_AUTO, EXPOSURE_BY_HAND);
        let _ = set("exposure_us", Cid::EXPOSURE_ABSOLUTE, value);
    }
    if let Some(gain) = settings.gain {
        let _ = set("gain (by hand)", Cid::AUTOGAIN, 0);
        let _ = set("gain", Cid::GAIN, gain);
    }
}

impl fmt::Debug for V4l2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Closed => "closed",
            State::Open(_) => "open",
            State::Streaming(_) => "streaming",
        };
        f.debug_struct("V4l2").field("path", &self.path).field("state", &state).finish()
    }
}

impl Device for V4l2 {
    fn offers(&mut self) -> OrFault<Vec<Offer>> {
        self.close();
        let device = self.open()?;
        let mut offers = Vec::new();
        for format in device.formats(BufType::VIDEO_CAPTURE).take(MAX_CAMERA_OFFERS) {
            let format = format.map_err(|e| fault("its formats cannot be listed", &e))?.pixel_format();
            offers.push(Offer { fourcc: format.as_fourcc(), sizes: offered_sizes(&device, format) });
        }
        self.state = State::Open(device);
        Ok(offers)
    }

    fn start(&mut self, layout: Layout, size_px: (u32, u32), settings: &Settings) -> OrFault<Format> {
        let State::Open(mut device) = std::mem::replace(&mut self.state, State::Closed) else {
            return Err(Fault::Gone("it is not open".into()));
        };
        set_controls(&mut device, settings);
        let wanted = PixFormat::new(size_px.0, size_px.1, PixelFormat::from_fourcc(layout.fourcc()));
        let capture = device.video_capture(wanted).map_err(|e| fault("it refuses the format", &e))?;
        let granted = capture.format();
        let fourcc = granted.pixel_format().as_fourcc();
        if Layout::of_fourcc(fourcc) != Some(layout) {
            let found = format!("it grants {} where {layout} was asked for", fourcc_text(fourcc));
            return Err(Fault::Refused { found, todo: "This is a bug in the camera's driver".into() });
        }
        let format = Format {
            layout,
            width_px: granted.width(),
            height_px: granted.height(),
            stride_bytes: granted.bytes_per_line(),
            most_bytes: granted.size_image(),
            range: range_of(layout, &format!("{granted:?}")),
        };
        if let Some(fps) = settings.fps {
            let interval = Fract::new(1000, (fps * 1000.0).round().clamp(1.0, 1e9) as u32);
            match capture.set_frame_interval(interval) {
                Ok(granted) => log::debug!("camera: a frame every {granted} s"),
                Err(e) => log::info!("camera: cannot set the frame rate, using its default: {e}"),
            }
        }
        let stream = capture.into_stream().map_err(|e| fault("it does not start", &e))?;
        fcntl_setfl(&stream, OFlags::NONBLOCK).map_err(|e| fault("it cannot be set to non-blocking", &e.into()))?;
        self.state = State::Streaming(stream);
        Ok(format)
    }

    fn next_frame(&mut self, within: Duration, take: &mut dyn FnMut(RawFrame<'_>)) -> OrFault<bool> {
        let State::Streaming(stream) = &mut self.state else {
            return Err(Fault::Gone("there is no stream".into()));
        };
        let within = Timespec {
            tv_sec: i64::try_from(within.as_secs()).unwrap_or(1),
            tv_nsec: i64::from(within.subsec_nanos()),
        };
        let mut waited = [PollFd::new(&*stream, PollFlags::IN)];
        match poll(&mut waited, Some(&within)) {
            Ok(0) | Err(Errno::INTR) => return Ok(false),
            Ok(_) => {}
            Err(e) => return Err(fault("waiting for a frame failed", &e.into())),
        }
        let broke = waited[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL);
        let read = stream.dequeue(|frame| {
            take(RawFrame { damaged: frame.is_error(), bytes: &frame });
            Ok(())
        });
        match read {
            Ok(()) => Ok(true),
            Err(e) if !broke && matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(false),
            Err(e) => {
                self.close();
                Err(fault("it delivers no more frames", &e))
            }
        }
    }

    fn close(&mut self) {
        self.state = State::Closed;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn the_range_is_what_the_driver_says_else_what_v4l2_says() {
        let told = format!("{:?}", PixFormat::new(640, 480, PixelFormat::YUYV));
        assert!(told.contains("quantization: DEFAULT") && told.contains("colorspace: DEFAULT"), "{told}");
        assert_eq!(range_of(Layout::Yuyv, &told), Range::Limited);
        assert_eq!(range_of(Layout::Grey, &told), Range::Full);
        assert_eq!(range_of(Layout::Mjpeg, &told), Range::Full);
        assert_eq!(
            range_of(Layout::Yuyv, &told.replace("quantization: DEFAULT", "quantization: FULL_RANGE")),
            Range::Full
        );
        assert_eq!(
            range_of(Layout::Grey, &told.replace("quantization: DEFAULT", "quantization: LIM_RANGE")),
            Range::Limited
        );
        assert_eq!(range_of(Layout::Yuyv, &told.replace("colorspace: DEFAULT", "colorspace: JPEG")), Range::Full);
    }

    #[test]
    fn what_is_no_camera_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let found = |path: &Path| V4l2::new(path).offers().unwrap_err();
        assert!(matches!(found(&folder.path().join("video0")), Fault::Gone(_)));
        assert!(matches!(found(folder.path()), Fault::Refused { .. }));
        assert!(found(Path::new("/dev/null")).to_string().contains("does not capture"));
        let mut closed = V4l2::new(Path::new("/dev/null"));
        assert!(closed.start(Layout::Yuyv, (64, 64), &Settings::default()).is_err());
        assert!(closed.next_frame(Duration::ZERO, &mut |_| ()).is_err());
    }
}
