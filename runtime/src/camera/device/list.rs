//! Lists the cameras, for people who choose one.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    Offer, SizeOffer,
    layout::{Layout, fourcc_text},
    names,
};

/// A control of a camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Control {
    /// Name, from the driver.
    pub name: String,
    /// Kind of value: `integer`, `boolean`, `menu` and others.
    pub kind: String,
    /// Least value.
    pub least: i32,
    /// Greatest value.
    pub most: i32,
    /// Step between values.
    pub step: i32,
    /// The driver's default.
    pub default: i32,
    /// The current value, if it can be read.
    pub current: Option<i32>,
    /// Whether it can currently be set.
    pub settable: bool,
}

/// A format of a camera with its sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedFormat {
    /// The driver's four characters.
    pub fourcc: String,
    /// Whether frames of this format can be read.
    pub readable: bool,
    /// Sizes: `WxH`, or `WxH to WxH` for a range; pixels.
    pub sizes_px: Vec<String>,
}

/// One device file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedCamera {
    /// The file.
    pub device: PathBuf,
    /// The device's name, if the system knows it.
    pub name: Option<String>,
    /// Formats, in the driver's order.
    pub formats: Vec<ListedFormat>,
    /// Controls, in the driver's order.
    pub controls: Vec<Control>,
    /// Why it cannot be used.
    pub fault: Option<String>,
}

/// The cameras among the devices in `folder` (usually `/dev`), sorted. Opens each for a moment.
pub fn cameras(folder: &Path) -> Vec<ListedCamera> {
    names::find(folder).iter().map(|path| look_at(path)).collect()
}

/// A format for display.
pub fn listed_format(offer: &Offer) -> ListedFormat {
    let size = |size: &SizeOffer| match size {
        SizeOffer::Exact(width, height) => format!("{width}x{height}"),
        SizeOffer::Between { least, most, .. } => format!("{}x{} to {}x{}", least.0, least.1, most.0, most.1),
    };
    ListedFormat {
        fourcc: fourcc_text(offer.fourcc),
        readable: Layout::of_fourcc(offer.fourcc).is_some(),
        sizes_px: offer.sizes.iter().map(size).collect(),
    }
}

#[cfg(target_os = "linux")]
fn look_at(path: &Path) -> ListedCamera {
    use super::{Device, v4l2::V4l2};

    let mut device = V4l2::new(path);
    let (formats, fault) = match device.offers() {
        Ok(offers) => (offers.iter().map(listed_format).collect(), None),
        Err(fault) => (Vec::new(), Some(fault.to_string())),
    };
    device.close();
    let controls = if fault.is_none() { device.controls().unwrap_or_default() } else { Vec::new() };
    ListedCamera { device: path.to_owned(), name: name_of(path), formats, controls, fault }
}

#[cfg(not(target_os = "linux"))]
fn look_at(path: &Path) -> ListedCamera {
    let fault = Some("cameras are only supported on Linux".to_owned());
    ListedCamera { device: path.to_owned(), name: None, formats: Vec::new(), controls: Vec::new(), fault }
}

/// The name that the kernel keeps. The driver is not asked, because the name of a USB device may be arbitrary bytes, and
/// the crate expects UTF-8.
#[cfg(target_os = "linux")]
fn name_of(path: &Path) -> Option<String> {
    use std::io::Read;

    let file = path.file_name()?;
    let mut name = Vec::new();
    let known = std::fs::File::open(Path::new("/sys/class/video4linux").join(file).join("name")).ok()?;
    known.take(256).read_to_end(&mut name).ok()?;
    let name: String = String::from_utf8_lossy(&name).chars().filter(|c| !c.is_control()).collect();
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn non_camera_file_is_listed_with_fault() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("video7"), "").unwrap();
        let found = cameras(folder.path());
        assert_eq!(found.len(), 1);
        assert!(found[0].fault.is_some() && found[0].formats.is_empty());
        assert!(cameras(&folder.path().join("none")).is_empty());
    }

    #[test]
    fn formats_are_reported_with_their_sizes() {
        let between = SizeOffer::Between { least: (2, 2), most: (64, 48), step: (2, 2) };
        let format = listed_format(&Offer { fourcc: *b"YUYV", sizes: vec![SizeOffer::Exact(640, 480), between] });
        assert_eq!((format.fourcc.as_str(), format.readable), ("YUYV", true));
        assert_eq!(format.sizes_px, ["640x480", "2x2 to 64x48"]);
        assert!(!listed_format(&Offer { fourcc: *b"H264", sizes: vec![] }).readable);
    }
}
