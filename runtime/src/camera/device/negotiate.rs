//! Selects the format and size to request from a camera.
//!
//! A configured size must be offered, because a pitch is valid for one size only. Otherwise the cheapest format with a
//! size of at least [`USUAL_SIZE_PX`] is selected, at its smallest such size; if no format has one, the cheapest at its
//! largest size.

use super::{Fault, Format, Offer, OrFault, SizeOffer, layout::Layout};
use bloodseg_vision::frame::limits::{MAX_CAMERA_PX, MAX_CAMERA_SIDE_PX};

/// The default size, if the camera offers it, in pixels.
pub const USUAL_SIZE_PX: (u32, u32) = (640, 480);

/// The layout and size to request.
///
/// # Errors
/// [`Fault::Refused`] with what the camera offers.
pub fn choose(offers: &[Offer], wished_px: Option<(u32, u32)>) -> OrFault<(Layout, (u32, u32))> {
    let readable: Vec<(Layout, &Offer)> =
        offers.iter().filter_map(|offer| Some((Layout::of_fourcc(offer.fourcc)?, offer))).collect();
    if readable.is_empty() {
        let there: Vec<String> = offers.iter().map(|offer| super::layout::fourcc_text(offer.fourcc)).collect();
        let there = if there.is_empty() { "no format".to_owned() } else { there.join(", ") };
        return Err(refused(
            format!("it offers {there}, expected one of YUYV, GREY, NV12, MJPEG"),
            "Choose another camera; `bloodseg cameras` lists what each offers",
        ));
    }
    let wanted = wished_px.unwrap_or(USUAL_SIZE_PX);
    let best = readable
        .iter()
        .flat_map(|(layout, offer)| sizes(offer, wanted).into_iter().map(|size| (*layout, size)))
        .filter(|(_, size)| is_sensible(*size) && wished_px.is_none_or(|wished| wished == *size))
        .min_by_key(|(layout, size)| {
            let (too_small, pixels) = distance(*size, wanted);
            (too_small, *layout, pixels)
        });
    best.ok_or_else(|| {
        let (width, height) = wanted;
        refused(
            format!("it does not offer {width}x{height} pixels; it offers {}", listed(&readable)),
            "Set width_px and height_px to one of these, or omit both",
        )
    })
}

/// Checks what the driver granted.
///
/// # Errors
/// [`Fault::Refused`] for a size that differs from the configured one or is implausible, and for inconsistent rows.
pub fn check_granted(granted: &Format, wished_px: Option<(u32, u32)>) -> OrFault<()> {
    let size = (granted.width_px, granted.height_px);
    let (width, height) = size;
    if !is_sensible(size) {
        let found = format!("it grants frames of {width}x{height} pixels, expected at most {MAX_CAMERA_PX} pixels");
        return Err(refused(found, "Set width_px and height_px to a smaller size"));
    }
    if let Some((wished_width, wished_height)) = wished_px.filter(|wished| *wished != size) {
        let found = format!("it grants {width}x{height} pixels, expected {wished_width}x{wished_height}");
        return Err(refused(found, "Set width_px and height_px to a size that `bloodseg cameras` lists"));
    }
    if let Some(least) = granted.layout.row_bytes(width).filter(|least| (granted.stride_bytes as usize) < *least) {
        let found = format!("rows of {} bytes, expected at least {least}", granted.stride_bytes);
        return Err(refused(found, "This is a bug in the camera's driver"));
    }
    Ok(())
}

fn refused(found: String, todo: &str) -> Fault {
    Fault::Refused { found, todo: todo.to_owned() }
}

fn is_sensible((width, height): (u32, u32)) -> bool {
    let sides = 1..=MAX_CAMERA_SIDE_PX;
    sides.contains(&width) && sides.contains(&height) && u64::from(width) * u64::from(height) <= MAX_CAMERA_PX
}

/// The sizes of an offer that qualify; a driver that lists none is asked for the configured one.
fn sizes(offer: &Offer, wanted: (u32, u32)) -> Vec<(u32, u32)> {
    if offer.sizes.is_empty() {
        return vec![wanted];
    }
    offer
        .sizes
        .iter()
        .map(|size| match *size {
            SizeOffer::Exact(width, height) => (width, height),
            SizeOffer::Between { least, most, step } => {
                (nearest(wanted.0, least.0, most.0, step.0), nearest(wanted.1, least.1, most.1, step.1))
            }
        })
        .collect()
}

/// The side that is `wanted`, or the next larger one.
fn nearest(wanted: u32, least: u32, most: u32, step: u32) -> u32 {
    if wanted <= least || least >= most {
        return least;
    }
    let steps = (wanted - least).div_ceil(step.max(1));
    let side = u64::from(least) + u64::from(steps) * u64::from(step.max(1));
    u32::try_from(side).unwrap_or(most).min(most)
}

/// Sort key: sizes of at least `wanted` first, smallest first; then the others, largest first.
fn distance((width, height): (u32, u32), wanted: (u32, u32)) -> (bool, u64) {
    let pixels = u64::from(width) * u64::from(height);
    if width >= wanted.0 && height >= wanted.1 { (false, pixels) } else { (true, u64::MAX - pixels) }
}

fn listed(offers: &[(Layout, &Offer)]) -> String {
    let size = |size: &SizeOffer| match size {
        SizeOffer::Exact(width, height) => format!("{width}x{height}"),
        SizeOffer::Between { least, most, .. } => format!("{}x{} to {}x{}", least.0, least.1, most.0, most.1),
    };
    let each = offers.iter().map(|(layout, offer)| {
        let sizes: Vec<String> = offer.sizes.iter().map(size).collect();
        if sizes.is_empty() { layout.to_string() } else { format!("{layout} {}", sizes.join(" ")) }
    });
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::camera::device::layout::Range;

    fn offer(fourcc: &[u8; 4], sizes: &[(u32, u32)]) -> Offer {
        Offer { fourcc: *fourcc, sizes: sizes.iter().map(|(w, h)| SizeOffer::Exact(*w, *h)).collect() }
    }

    #[test]
    fn picks_cheapest_format_of_at_least_default_size() {
        let offers = [
            offer(b"H264", &[(640, 480)]),
            offer(b"MJPG", &[(1920, 1080), (640, 480)]),
            offer(b"YUYV", &[(320, 240), (800, 600), (1280, 720)]),
        ];
        assert_eq!(choose(&offers, None), Ok((Layout::Yuyv, (800, 600))));
        assert_eq!(choose(&offers, Some((1280, 720))), Ok((Layout::Yuyv, (1280, 720))));
        assert_eq!(choose(&offers, Some((1920, 1080))), Ok((Layout::Mjpeg, (1920, 1080))));
    }

    #[test]
    fn falls_back_to_next_larger_or_largest_size() {
        let sizes = [(160, 120), (320, 240), (800, 600), (1600, 1200)];
        assert_eq!(choose(&[offer(b"GREY", &sizes)], None), Ok((Layout::Grey, (800, 600))));
        assert_eq!(choose(&[offer(b"NV12", &sizes[..2])], None), Ok((Layout::Nv12, (320, 240))));
        let between = SizeOffer::Between { least: (16, 16), most: (2000, 2000), step: (32, 8) };
        let offers = [Offer { fourcc: *b"YUYV", sizes: vec![between] }];
        assert_eq!(choose(&offers, None), Ok((Layout::Yuyv, (656, 480))));
        assert_eq!(choose(&offers, Some((48, 24))), Ok((Layout::Yuyv, (48, 24))));
        assert_eq!(choose(&[offer(b"YUYV", &[])], None), Ok((Layout::Yuyv, USUAL_SIZE_PX)));
    }

    #[test]
    fn unoffered_format_is_rejected_with_list_of_offers() {
        let text = |fault: Result<_, Fault>| fault.unwrap_err().to_string();
        let missing = text(choose(&[offer(b"YUYV", &[(320, 240)])], Some((640, 480))));
        assert!(missing.contains("640x480") && missing.contains("YUYV 320x240"), "{missing}");
        assert!(text(choose(&[offer(b"H264", &[])], None)).contains("H264"));
        assert!(text(choose(&[], None)).contains("no format"));
        // Implausible sizes are ignored.
        assert!(choose(&[offer(b"YUYV", &[(0, 5), (u32::MAX, u32::MAX)])], None).is_err());
        let absurd = SizeOffer::Between { least: (5, 5), most: (4, u32::MAX), step: (0, u32::MAX) };
        assert!(choose(&[Offer { fourcc: *b"YUYV", sizes: vec![absurd] }], None).is_err());
    }

    #[test]
    fn granted_format_is_checked() {
        let granted = Format {
            layout: Layout::Yuyv,
            width_px: 640,
            height_px: 360,
            stride_bytes: 1280,
            most_bytes: 640 * 360 * 2,
            range: Range::Limited,
        };
        assert_eq!(check_granted(&granted, None), Ok(()));
        assert!(check_granted(&granted, Some((640, 480))).is_err());
        assert!(check_granted(&Format { stride_bytes: 1279, ..granted }, None).is_err());
        assert!(check_granted(&Format { width_px: 0, ..granted }, None).is_err());
        assert!(check_granted(&Format { height_px: u32::MAX, ..granted }, None).is_err());
    }
}
