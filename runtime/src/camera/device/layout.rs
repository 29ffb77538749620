//! Pixel layouts of camera frames.

use std::fmt;

/// Supported pixel formats, ordered by the cost of a frame, cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// `Y0 U Y1 V`: colour for every second pixel of a row.
    Yuyv,
    /// Luma only.
    Grey,
    /// A luma plane, then one of `U V` for every 2x2 pixels.
    Nv12,
    /// One JPEG picture per frame.
    Mjpeg,
}

/// Levels of black and white in frames that are not RGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// 16 to 235.
    Limited,
    /// 0 to 255.
    Full,
}

impl Layout {
    /// All layouts, cheapest first.
    pub const ALL: [Self; 4] = [Self::Yuyv, Self::Grey, Self::Nv12, Self::Mjpeg];

    /// The layout with this driver name.
    pub fn of_fourcc(fourcc: [u8; 4]) -> Option<Self> {
        match &fourcc {
            b"YUYV" => Some(Self::Yuyv),
            b"GREY" => Some(Self::Grey),
            b"NV12" => Some(Self::Nv12),
            b"MJPG" | b"JPEG" => Some(Self::Mjpeg),
            _ => None,
        }
    }

    /// The driver's name.
    pub fn fourcc(self) -> [u8; 4] {
        *match self {
            Self::Yuyv => b"YUYV",
            Self::Grey => b"GREY",
            Self::Nv12 => b"NV12",
            Self::Mjpeg => b"MJPG",
        }
    }

    /// Minimum bytes of a row of `width_px` pixels; `None` for a compressed frame.
    pub fn row_bytes(self, width_px: u32) -> Option<usize> {
        match self {
            Self::Yuyv => Some(width_px.next_multiple_of(2) as usize * 2),
            Self::Grey => Some(width_px as usize),
            Self::Nv12 => Some(width_px.next_multiple_of(2) as usize),
            Self::Mjpeg => None,
        }
    }

    /// Minimum bytes of a frame of `height_px` rows with this stride; `None` for a compressed frame.
    pub fn frame_bytes(self, height_px: u32, stride: usize) -> Option<usize> {
        let rows = height_px as usize;
        match self {
            Self::Yuyv | Self::Grey => stride.checked_mul(rows),
            Self::Nv12 => stride.checked_mul(rows + rows.div_ceil(2)),
            Self::Mjpeg => None,
        }
    }
}

impl Range {
    /// The range of a stream: what its driver states, otherwise what V4L2 defines for its colours.
    pub fn of(layout: Layout, stated: Option<Self>, jpeg_colours: bool) -> Self {
        match stated {
            _ if layout == Layout::Mjpeg => Self::Full,
            Some(stated) => stated,
            // Sensors without colour pass their levels on unchanged.
            None if jpeg_colours || layout == Layout::Grey => Self::Full,
            None => Self::Limited,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yuyv => "YUYV",
            Self::Grey => "GREY",
            Self::Nv12 => "NV12",
            Self::Mjpeg => "MJPEG",
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Limited => "limited range",
            Self::Full => "full range",
        })
    }
}

/// The four characters of a driver, which may be arbitrary, for display.
pub fn fourcc_text(fourcc: [u8; 4]) -> String {
    fourcc.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fourcc_codes_and_frame_sizes() {
        for layout in Layout::ALL {
            assert_eq!(Layout::of_fourcc(layout.fourcc()), Some(layout));
        }
        assert_eq!(Layout::of_fourcc(*b"H264"), None);
        assert_eq!((Layout::Yuyv.row_bytes(5), Layout::Yuyv.frame_bytes(3, 12)), (Some(12), Some(36)));
        assert_eq!((Layout::Nv12.row_bytes(5), Layout::Nv12.frame_bytes(3, 6)), (Some(6), Some(30)));
        assert_eq!(Layout::Grey.frame_bytes(u32::MAX, usize::MAX), None);
        assert_eq!(fourcc_text([b'Y', 0, 200, b'8']), "Y..8");
    }

    #[test]
    fn range_is_stated_by_driver_or_defined_by_v4l2() {
        let (full, limited) = (Some(Range::Full), Some(Range::Limited));
        assert_eq!(Range::of(Layout::Yuyv, None, false), Range::Limited);
        assert_eq!(Range::of(Layout::Yuyv, None, true), Range::Full);
        assert_eq!(Range::of(Layout::Yuyv, full, false), Range::Full);
        assert_eq!(Range::of(Layout::Yuyv, limited, true), Range::Limited);
        assert_eq!(Range::of(Layout::Grey, None, false), Range::Full);
        assert_eq!(Range::of(Layout::Grey, limited, false), Range::Limited);
        assert_eq!(Range::of(Layout::Mjpeg, limited, false), Range::Full);
    }
}
