//! Uncompressed camera frames: YUYV, grey, NV12.

use super::front::Front;
use crate::{
    camera::{
        device::{
            Format, RawFrame,
            layout::{Layout, Range},
            negotiate,
        },
        intake::{Intake, Refusal, Region, Scale},
    },
    error::Result,
};

/// Pixel limit of a frame: low, so that a fuzzer stays fast.
const MOST_PX: u64 = 64 * 1024;

/// Kind of layout, range, region and scale in a byte each; width, height, stride, most bytes, the region's four numbers and
/// the factor (in 1/256) in two bytes each; the length of the first of two frames in two bytes, and the frames.
///
/// # Panics
/// If a frame of another size than the stream's is accepted, a picture is not as announced, or a refused frame keeps its
/// picture.
pub fn meet(bytes: &[u8]) -> bool {
    let mut front = Front(bytes);
    let Some((format, mut intake)) = stream(&mut front) else { return false };
    let Some(least) = format.layout.frame_bytes(format.height_px, format.stride_bytes as usize) else { return false };
    let (length, mut any) = (front.word(), false);
    for bytes in [front.bytes(length.into()), front.0] {
        let taken = intake.take(RawFrame { bytes, damaged: false });
        match taken {
            Ok(picture) => {
                assert!(bytes.len() >= least && picture.dimensions() == intake.size_px());
                any = true;
            }
            Err(refusal) => assert!(matches!(refusal, Refusal::WrongSize(_)), "{refusal:?}"),
        }
    }
    let whole = vec![0; least];
    assert!(intake.take(RawFrame { bytes: &whole, damaged: false }).is_ok(), "a whole frame is refused");
    any
}

/// A stream as a driver might grant it, if it is consistent and small.
fn stream(front: &mut Front<'_>) -> Option<(Format, Intake)> {
    let layout = [Layout::Yuyv, Layout::Grey, Layout::Nv12][usize::from(front.byte() % 3)];
    let range = [Range::Limited, Range::Full][usize::from(front.byte() % 2)];
    let (has_region, scale) = (front.byte() % 2 == 1, front.byte() % 3);
    let mut number = || u32::from(front.word());
    let (width_px, height_px, stride_bytes, most_bytes) = (number(), number(), number(), number());
    let region = Region { x_px: number(), y_px: number(), width_px: number(), height_px: number() };
    let factor = f64::from(number()) / 256.0;
    let format = Format { layout, width_px, height_px, stride_bytes, most_bytes, range };
    negotiate::check_granted(&format, None).ok()?;
    if u64::from(width_px) * u64::from(height_px) > MOST_PX {
        return None;
    }
    let scale = [Scale::AsIs, Scale::Factor(factor), Scale::WholeField][usize::from(scale)];
    let opened: Result<Intake> = Intake::new(format, has_region.then_some(region), None, scale, 1);
    match opened {
        Ok(intake) => Some((format, intake)),
        Err(error) => {
            assert_eq!(error.exit_code(), 3, "{error}");
            None
        }
    }
}
