//! The camera as hardware: what it offers, and its frames in driver memory.
//!
//! Everything about a driver is behind the trait [`Device`]. The code that uses it ([`negotiate`], the
//! [intake](super::intake), the [link](super::link)) is independent of hardware and clocks, and is tested with the
//! scripted device.

pub mod layout;
pub mod list;
#[cfg(target_os = "linux")]
mod multi_planar;
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
    /// This size, width and height in pixels.
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
    /// The four characters that identify the format.
    pub fourcc: [u8; 4],
    /// The sizes; empty if the driver does not list them.
    pub sizes: Vec<SizeOffer>,
}

/// Camera settings besides size and format.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Settings {
    /// Frames per second; the driver's default if `None`.
    pub fps: Option<f64>,
    /// Exposure time in microseconds; the driver's default if `None`.
    pub exposure_us: Option<u32>,
    /// Gain in the driver's unit; the driver's default if `None`.
    pub gain: Option<i32>,
}

/// The format of a stream's frames, as granted by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// The pixel layout.
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

/// A frame in driver memory.
#[derive(Debug, Clone, Copy)]
pub struct RawFrame<'a> {
    /// What the driver wrote.
    pub bytes: &'a [u8],
    /// Whether the driver flagged it as damaged.
    pub damaged: bool,
}

/// Why a device fails. All faults may be temporary, so the camera is retried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is not present, or no longer present.
    Gone(String),
    /// It is present but refuses.
    Refused {
        /// What it reported.
        found: String,
        /// What to do; may be empty.
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

/// Result of every device operation.
pub type OrFault<T> = Result<T, Fault>;

/// A camera, which can be reopened. On a working device, every call returns within a second.
pub trait Device: fmt::Debug + Send {
    /// Opens the device, ending a running stream, and returns what it offers.
    ///
    /// # Errors
    /// [`Fault`].
    fn offers(&mut self) -> OrFault<Vec<Offer>>;

    /// Starts a stream with this layout and size, after [`Device::offers`]. The granted format may differ.
    ///
    /// # Errors
    /// [`Fault`].
    fn start(&mut self, layout: Layout, size_px: (u32, u32), settings: &Settings) -> OrFault<Format>;

    /// Waits up to `within` for a frame and passes it to `take`; returns whether there was one.
    ///
    /// # Errors
    /// [`Fault`]; the stream has then ended.
    fn next_frame(&mut self, within: Duration, take: &mut dyn FnMut(RawFrame<'_>)) -> OrFault<bool>;

    /// Ends the stream and closes the device.
    fn close(&mut self);
}
