//! Each layout, with regions, against plain arithmetic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use image::{Rgb, RgbImage, imageops};

use super::*;
use crate::camera::device::layout::Range;
use bloodseg_vision::frame::{flat_field::FlatFieldMeter, reference};

fn format(layout: Layout, width_px: u32, height_px: u32, stride_bytes: u32) -> Format {
    let most = layout.frame_bytes(height_px, stride_bytes as usize).unwrap_or(1 << 20) as u32;
    Format { layout, width_px, height_px, stride_bytes, most_bytes: most, range: Range::Full }
}

fn take(intake: &mut Intake, bytes: &[u8]) -> RgbImage {
    RgbImage::clone(&intake.take(RawFrame { bytes, damaged: false }).unwrap())
}

/// Rows of brightness `x + 10 y` with padding at the end.
fn luma(width: u32, height: u32, stride: u32) -> Vec<u8> {
    (0..height).flat_map(|y| (0..stride).map(move |x| if x < width { (x + 10 * y) as u8 } else { 201 })).collect()
}

fn wanted(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x + 10 * y) as u8; 3]))
}

#[test]
fn converts_frames_with_strides_odd_sizes_and_regions() {
    let frames: [(Layout, u32, Vec<u8>); 3] = [
        (Layout::Grey, 9, luma(7, 5, 9)),
        (Layout::Nv12, 8, [luma(7, 5, 8), vec![128; 3 * 8]].concat()),
        (Layout::Yuyv, 20, luma(8, 5, 10).iter().flat_map(|y| [*y, 128]).collect()),
    ];
    for (layout, stride, bytes) in frames {
        let mut whole = Intake::new(format(layout, 7, 5, stride), None, None, Scale::AsIs, 1).unwrap();
        assert_eq!(take(&mut whole, &bytes), wanted(7, 5), "{layout}");
        assert_eq!(take(&mut whole, &bytes), wanted(7, 5), "{layout}, again");
        let region = Region { x_px: 3, y_px: 1, width_px: 4, height_px: 4 };
        let mut part = Intake::new(format(layout, 7, 5, stride), Some(region), None, Scale::AsIs, 1).unwrap();
        let cut = imageops::crop_imm(&wanted(7, 5), 3, 1, 4, 4).to_image();
        assert_eq!(take(&mut part, &bytes), cut, "{layout}");
    }
}

#[test]
fn whole_field_matches_reference_preparation() {
    let (width, height) = (200, 150);
    let levels: Vec<u8> = (0..width * height).map(|at| (at * 7919 % 251) as u8).collect();
    let mut intake = Intake::new(format(Layout::Grey, width, height, width), None, None, Scale::WholeField, 1).unwrap();
    let picture = RgbImage::from_fn(width, height, |x, y| Rgb([levels[(y * width + x) as usize]; 3]));
    let (mine, reference) = (take(&mut intake, &levels), reference::prepare(&picture).unwrap().lr);
    assert!(mine.as_raw().iter().zip(reference.as_raw()).all(|(a, b)| a.abs_diff(*b) <= 1));
    assert_eq!((intake.size_px(), intake.placement().scale), ((64, 64), 150.0 / 64.0));
}

#[test]
fn dropped_picture_returns_to_pool() {
    let mut intake = Intake::new(format(Layout::Grey, 4, 4, 4), None, None, Scale::AsIs, 1).unwrap();
    let raw = RawFrame { bytes: &[1; 16], damaged: false };
    let held = intake.take(raw).unwrap();
    assert_eq!(intake.take(raw).unwrap_err(), Refusal::NoBuffer);
    drop(held);
    assert!(intake.take(raw).is_ok());
}

#[test]
fn rejects_implausible_scales_and_regions() {
    let of =
        |scale| Intake::new(format(Layout::Grey, 640, 480, 640), None, None, scale, 1).map(|intake| intake.size_px());
    assert_eq!(of(Scale::Factor(2.0)).unwrap(), (320, 240));
    for factor in [1000.0, 0.01, 0.0, f64::NAN, f64::INFINITY] {
        assert_eq!(of(Scale::Factor(factor)).unwrap_err().exit_code(), 3, "{factor}");
    }
    for region in [(0, 0, 0, 4), (637, 0, 4, 4), (u32::MAX, 0, u32::MAX, 4)] {
        let (x_px, y_px, width_px, height_px) = region;
        let region = Some(Region { x_px, y_px, width_px, height_px });
        assert!(Intake::new(format(Layout::Grey, 640, 480, 640), region, None, Scale::AsIs, 1).is_err());
    }
}

#[test]
fn every_refusal_reports_what_was_found_with_exit_code_3() {
    let all = [
        (Refusal::Damaged, "a frame flagged as damaged by the driver"),
        (Refusal::WrongSize("a frame of 3 bytes".into()), "a frame of 3 bytes"),
        (Refusal::Torn("cut off".into()), "a torn JPEG frame: cut off"),
        (Refusal::NoBuffer, "a frame without a free picture"),
    ];
    for (refusal, found) in all {
        let error = refusal.error();
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().contains(&format!("{found}; expected ")), "{error}");
    }
}

#[test]
fn flat_field_is_applied_before_region_and_must_match_size() {
    let lamp = RgbImage::from_fn(64, 48, |x, _| Rgb([200 - x as u8; 3]));
    let mut meter = FlatFieldMeter::new(64, 48);
    meter.add(&lamp).unwrap();
    let field = meter.finish().unwrap();
    let bytes: Vec<u8> = lamp.pixels().map(|pixel| pixel.0[0]).collect();
    let region = Region { x_px: 20, y_px: 8, width_px: 40, height_px: 30 };
    let with = |field| Intake::new(format(Layout::Grey, 64, 48, 64), Some(region), field, Scale::AsIs, 1);
    let level_range = |intake: &mut Intake| {
        let picture = take(intake, &bytes);
        picture.iter().max().unwrap() - picture.iter().min().unwrap()
    };
    assert!(level_range(&mut with(None).unwrap()) == 39);
    assert!(level_range(&mut with(Some(field.clone())).unwrap()) <= 8);
    let error = Intake::new(format(Layout::Grey, 64, 40, 64), None, Some(field), Scale::AsIs, 1).unwrap_err();
    assert!(error.to_string().contains("64x48") && error.to_string().contains("64x40"), "{error}");
}
