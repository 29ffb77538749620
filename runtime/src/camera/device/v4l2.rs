//! Linux cameras (V4L2) through `linuxvideo`; the only file that uses it.
//!
//! Frames are read from buffers that are mapped into memory once per stream. The file is non-blocking, and only read after
//! `poll` with a timeout. The crate has no method for the range of levels, so that is parsed from its debug output; its
//! version is pinned for that. It does not read frames of multi-planar devices: `multi_planar` does.

use std::{
    fmt, io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::FileTypeExt,
    },
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
    multi_planar,
};
use crate::camera::limits::{MAX_CAMERA_CONTROLS, MAX_CAMERA_OFFERS};

/// V4L2's value for manual exposure.
const EXPOSURE_BY_HAND: i32 = 1;

/// V4L2 counts exposure in units of 100 microseconds.
const EXPOSURE_UNIT_US: u32 = 100;

/// V4L2's value for the colour space of JPEG.
const COLORSPACE_JPEG: u32 = 7;

enum State {
    Closed,
    Open(linuxvideo::Device),
    Streaming(Stream),
}

/// A running stream, by the kind of its buffers.
enum Stream {
    SinglePlanar(ReadStream),
    MultiPlanar(multi_planar::Stream),
}

impl Stream {
    fn dequeue(&mut self, take: &mut dyn FnMut(RawFrame<'_>)) -> io::Result<()> {
        match self {
            Self::SinglePlanar(stream) => stream.dequeue(|frame| {
                take(RawFrame { damaged: frame.is_error(), bytes: &frame });
                Ok(())
            }),
            Self::MultiPlanar(stream) => stream.dequeue(take),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::SinglePlanar(stream) => stream.as_fd(),
            Self::MultiPlanar(stream) => stream.as_fd(),
        }
    }
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
        if buffers_of(&device).is_some() { Ok(device) } else { Err(not_a_camera(&self.path)) }
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

/// The kind of buffers to capture into; single-planar ones if the device has both. `None` if it does not capture.
fn buffers_of(device: &linuxvideo::Device) -> Option<BufType> {
    let kinds = device.supported_buf_types();
    if kinds.contains(BufTypes::VIDEO_CAPTURE) {
        Some(BufType::VIDEO_CAPTURE)
    } else if kinds.contains(BufTypes::VIDEO_CAPTURE_MPLANE) {
        Some(BufType::VIDEO_CAPTURE_MPLANE)
    } else {
        None
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
        None if error.kind() == io::ErrorKind::InvalidData => driver_bug(found),
        _ => Fault::Refused { found, todo: String::new() },
    }
}

/// The range of levels. `printed` is the format as the crate prints it.
fn range_of(layout: Layout, printed: &str) -> Range {
    let stated = if printed.contains("quantization: FULL_RANGE") {
        Some(Range::Full)
    } else if printed.contains("quantization: LIM_RANGE") {
        Some(Range::Limited)
    } else {
        None
    };
    Range::of(layout, stated, printed.contains("colorspace: JPEG"))
}

fn check_layout(granted: [u8; 4], asked: Layout) -> OrFault<()> {
    if Layout::of_fourcc(granted) == Some(asked) {
        return Ok(());
    }
    Err(driver_bug(format!("it grants {} where {asked} was asked for", fourcc_text(granted))))
}

fn driver_bug(found: String) -> Fault {
    Fault::Refused { found, todo: "This is a bug in the camera's driver".into() }
}

/// The format that a multi-planar device granted.
fn format_of(granted: &multi_planar::Granted, layout: Layout) -> OrFault<Format> {
    check_layout(granted.fourcc, layout)?;
    if granted.planes != 1 {
        return Err(driver_bug(format!("it grants {layout} in {} memory planes, expected 1", granted.planes)));
    }
    let stated = match granted.quantization {
        1 => Some(Range::Full),
        2 => Some(Range::Limited),
        _ => None,
    };
    Ok(Format {
        layout,
        width_px: granted.width_px,
        height_px: granted.height_px,
        stride_bytes: granted.stride_bytes,
        most_bytes: granted.most_bytes,
        range: Range::of(layout, stated, granted.colorspace == COLORSPACE_JPEG),
    })
}

/// The seconds from one frame to the next: numerator and denominator.
fn interval_of(fps: f64) -> [u32; 2] {
    [1000, (fps * 1000.0).round().clamp(1.0, 1e9) as u32]
}

fn log_interval(granted: io::Result<[u32; 2]>) {
    match granted {
        Ok([numerator, denominator]) => log::debug!("camera: a frame every {numerator}/{denominator} s"),
        Err(e) => log::info!("camera: cannot set the frame rate, using its default: {e}"),
    }
}

fn start_single_planar(
    device: linuxvideo::Device,
    layout: Layout,
    size_px: (u32, u32),
    fps: Option<f64>,
) -> OrFault<(Format, Stream)> {
    let wanted = PixFormat::new(size_px.0, size_px.1, PixelFormat::from_fourcc(layout.fourcc()));
    let capture = device.video_capture(wanted).map_err(|e| fault("it refuses the format", &e))?;
    let granted = capture.format();
    check_layout(granted.pixel_format().as_fourcc(), layout)?;
    let format = Format {
        layout,
        width_px: granted.width(),
        height_px: granted.height(),
        stride_bytes: granted.bytes_per_line(),
        most_bytes: granted.size_image(),
        range: range_of(layout, &format!("{granted:?}")),
    };
    if let Some([numerator, denominator]) = fps.map(interval_of) {
        let granted = capture.set_frame_interval(Fract::new(numerator, denominator));
        log_interval(granted.map(|granted| [granted.numerator(), granted.denominator()]));
    }
    let stream = capture.into_stream().map_err(|e| fault("it does not start", &e))?;
    Ok((format, Stream::SinglePlanar(stream)))
}

fn start_multi_planar(
    device: &linuxvideo::Device,
    layout: Layout,
    size_px: (u32, u32),
    fps: Option<f64>,
) -> OrFault<(Format, Stream)> {
    let file = device.as_fd();
    let granted =
        multi_planar::set_format(file, layout.fourcc(), size_px).map_err(|e| fault("it refuses the format", &e))?;
    let format = format_of(&granted, layout)?;
    if let Some(interval) = fps.map(interval_of) {
        log_interval(multi_planar::set_frame_interval(file, interval));
    }
    // The same open file: the device that was configured is the one that streams.
    let stream = file.try_clone_to_owned().and_then(multi_planar::Stream::start);
    let stream = stream.map_err(|e| fault("it does not start", &e))?;
    Ok((format, Stream::MultiPlanar(stream)))
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
        let buffers = buffers_of(&device).ok_or_else(|| not_a_camera(&self.path))?;
        let mut offers = Vec::new();
        for format in device.formats(buffers).take(MAX_CAMERA_OFFERS) {
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
        let (format, stream) = match buffers_of(&device) {
            Some(BufType::VIDEO_CAPTURE_MPLANE) => start_multi_planar(&device, layout, size_px, settings.fps),
            _ => start_single_planar(device, layout, size_px, settings.fps),
        }?;
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
        match stream.dequeue(take) {
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
    fn range_is_parsed_from_driver_format_or_v4l2_default() {
        let printed = format!("{:?}", PixFormat::new(640, 480, PixelFormat::YUYV));
        assert!(printed.contains("quantization: DEFAULT") && printed.contains("colorspace: DEFAULT"), "{printed}");
        assert_eq!(range_of(Layout::Yuyv, &printed), Range::Limited);
        assert_eq!(range_of(Layout::Grey, &printed), Range::Full);
        assert_eq!(range_of(Layout::Mjpeg, &printed), Range::Full);
        assert_eq!(
            range_of(Layout::Yuyv, &printed.replace("quantization: DEFAULT", "quantization: FULL_RANGE")),
            Range::Full
        );
        assert_eq!(
            range_of(Layout::Grey, &printed.replace("quantization: DEFAULT", "quantization: LIM_RANGE")),
            Range::Limited
        );
        assert_eq!(range_of(Layout::Yuyv, &printed.replace("colorspace: DEFAULT", "colorspace: JPEG")), Range::Full);
    }

    #[test]
    fn multi_planar_format_must_have_one_plane() {
        let granted = multi_planar::Granted {
            fourcc: *b"NV12",
            width_px: 640,
            height_px: 480,
            planes: 1,
            stride_bytes: 640,
            most_bytes: 460_800,
            colorspace: 8,
            quantization: 0,
        };
        let format = format_of(&granted, Layout::Nv12).unwrap();
        assert_eq!((format.width_px, format.height_px, format.stride_bytes), (640, 480, 640));
        assert_eq!((format.most_bytes, format.range), (460_800, Range::Limited));
        let range = |granted| format_of(&granted, Layout::Nv12).unwrap().range;
        assert_eq!(range(multi_planar::Granted { quantization: 1, ..granted }), Range::Full);
        assert_eq!(range(multi_planar::Granted { colorspace: COLORSPACE_JPEG, ..granted }), Range::Full);
        let refused = |granted| format_of(&granted, Layout::Nv12).unwrap_err().to_string();
        for planes in [0, 2, u8::MAX] {
            let found = refused(multi_planar::Granted { planes, ..granted });
            assert!(found.contains(&format!("in {planes} memory planes, expected 1")), "{found}");
        }
        assert!(refused(multi_planar::Granted { fourcc: *b"NM12", ..granted }).contains("it grants NM12"));
    }

    #[test]
    fn rejects_paths_that_are_not_cameras() {
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
