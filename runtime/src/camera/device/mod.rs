//! The camera as hardware: what it offers, and its frames as they lie in the driver's memory.
//!
//! All that is known of a driver is behind the trait [`Device`]; what is made of it ([`negotiate`], the
//! [intake](super::intake), the [link](super::link)) is free of hardware and of clocks, and is tested with the scripted
//! one.

pub mod layout;
pub mod list;
pub mod names;
pub mod negotiate;
#[cfg(test)]
pub(crate) mod scripted;
#[cfg(target_os = "linux")]
pub mod v4l2;

use std::{fmt, time::Duration};

use layout::{Layout, Range};

/// A frame size that a driver offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeOffer {
    /// This one, width and height in pixels.
    Exact(u32, u32),
    /// Every size between these two in steps; all in pixels, width before height.
    Between {
        /// Least size.
        least: (u32, u32),
        /// Greatest size.
        most: (u32, u32),
        /// Steps from the least size.
        step: (u32, u32),
    },
}

/// A pixel format that a driver offers, with its sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The four characters by which drivers name the format.
    pub fourcc: [u8; 4],
    /// The sizes; none where the driver does not list them.
    pub sizes: Vec<SizeOffer>,
}

/// What is asked of the camera besides size and format.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Settings {
    /// Frames a second; the driver's own rate without it.
    pub fps: Option<f64>,
    /// Exposure time in microseconds; the driver's own without it.
    pub exposure_us: Option<u32>,
    /// Gain in the driver's own unit; the driver's own without it.
    pub gain: Option<i32>,
}

/// What a stream's frames look like, as the driver granted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// How pixels lie in memory.
    pub layout: Layout,
    /// Width in pixels.
    pub width_px: u32,
    /// Height in pixels.
    pub height_px: u32,
    /// Bytes from one row to the next; 0 for compressed frames.
    pub stride_bytes: u32,
    /// Most bytes of a frame.
    pub most_bytes: u32,
    /// Range of the levels.
    pub range: Range,
}

/// A frame in the driver's memory.
#[derive(Debug, Clone, Copy)]
pub struct RawFrame<'a> {
    /// What the driver wrote.
    pub bytes: &'a [u8],
    /// Whether the driver itself says that it is damaged.
    pub damaged: bool,
}

/// Why a device does not do what it should. All of them may pass: a camera is asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is not there, or not there any more.
    Gone(String),
    /// It is there, and refuses.
    Refused {
        /// What it said.
        found: String,
        /// What to do, or empty.
        todo: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(found) => write!(f, "{found}"),
            Self::Refused { found, todo } if todo.is_empty() => write!(f, "{found}"),
            Self::Refused { found, todo } => write!(f, "{found}. {todo}"),
        }
    }
}

/// Result of everything that a device does.
pub type OrFault<T> = Result<T, Fault>;

/// One camera, which can be opened again and again. Every call returns within a second, on a device that works.
pub trait Device: fmt::Debug + Send {
    /// Opens the device, which ends a stream that runs, and tells what it offers.
    ///
    /// # Errors
    /// [`Fault`].
    fn offers(&mut self) -> OrFault<Vec<Offer>>;

    /// Starts a stream of frames of this layout and size, after [`Device::offers`]. What is granted may differ.
    ///
    /// # Errors
    /// [`Fault`].
    fn start(&mut self, layout: Layout, size_px: (u32, u32), settings: &Settings) -> OrFault<Format>;

    /// Waits up to `within` for a frame and hands it to `take`; tells whether there was one.
    ///
    /// # Errors
    /// [`Fault`]; the stream is then over.
    fn next_frame(&mut self, within: Duration, take: &mut dyn FnMut(RawFrame<'_>)) -> OrFault<bool>;

    /// Ends the stream and closes the device.
    fn close(&mut self);
}
