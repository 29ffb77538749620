//! A camera through all its failures, in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use image::{Rgb, RgbImage};

use super::*;
use crate::camera::{
    device::scripted::{Deed, Scripted, offer},
    intake::jpeg::tests::{encode, without_tables},
    limits::{CAMERA_STALL, MAX_CAMERA_RETRY},
};

/// A uniformly grey YUYV frame.
fn grey(width: usize, height: usize, level: u8) -> Vec<u8> {
    [level, 128].repeat(width * height)
}

fn camera(script: &Scripted, wanted: Wanted) -> Camera {
    Camera::open("camera0", "/dev/video0".into(), Box::new(script.clone()), wanted).unwrap()
}

/// The output of a camera in a run, and the number of calls.
struct Seen {
    levels: Vec<u8>,
    errors: Vec<String>,
    calls: u32,
}

/// Runs from `from` to `to`; a call takes a millisecond.
fn run(camera: &mut Camera, from: f64, to: f64) -> Seen {
    let mut seen = Seen { levels: Vec::new(), errors: Vec::new(), calls: 0 };
    let mut now = Duration::from_secs_f64(from);
    while now < Duration::from_secs_f64(to) {
        seen.calls += 1;
        let next = camera.next_frame(now).unwrap();
        now += Duration::from_millis(1);
        match next {
            Next::Frame(frame) => seen.levels.push(frame.picture.get_pixel(0, 0).0[0]),
            Next::Unreadable(error) => seen.errors.push(error.to_string()),
            Next::Wait(until) => now = now.max(until),
            Next::End => panic!("a camera does not end"),
        }
    }
    seen
}

#[test]
fn frames_without_pitch_are_unscaled_named_and_numbered() {
    let script = Scripted::new(offer(b"YUYV", 80, 60), [1, 2].map(|n| Deed::Frame(grey(80, 60, n))));
    let mut camera = camera(&script, Wanted::default());
    let Next::Frame(frame) = camera.next_frame(Duration::ZERO).unwrap() else { panic!() };
    assert_eq!((frame.number, frame.name.to_string()), (1, "camera0_000001".to_owned()));
    assert_eq!((frame.picture.dimensions(), *frame.picture.get_pixel(9, 9)), ((80, 60), Rgb([1; 3])));
    assert!(matches!(camera.next_frame(Duration::ZERO).unwrap(), Next::Frame(frame) if frame.number == 2));
    let text = camera.describe();
    assert!(text.contains("YUYV 80x60") && text.contains("measured") && text.contains("calibrate"), "{text}");
    assert_eq!((camera.um_per_px(), camera.pacing()), (None, Pacing::Live));
    assert!(camera.needs_scale() && camera.need().analysed_px.is_none());
}

#[test]
fn frames_without_pitch_are_shrunk_to_limit_with_placement() {
    let script = Scripted::new(offer(b"YUYV", 80, 60), [Deed::Frame(grey(80, 60, 1))]);
    let region = Region { x_px: 10, y_px: 4, width_px: 60, height_px: 50 };
    let mut camera = camera(&script, Wanted { region: Some(region), ..Wanted::default() });
    camera.shrink_to(60 * 50 / 4).unwrap();
    let Next::Frame(frame) = camera.next_frame(Duration::ZERO).unwrap() else { panic!() };
    assert_eq!(frame.picture.dimensions(), (30, 25));
    let placement = frame.origin.placement;
    assert_eq!((placement.scale, placement.start_px, frame.origin.um_per_px), (2.0, [10.0, 4.0], None));
}

#[test]
fn whole_field_is_one_tile() {
    let script = Scripted::new(offer(b"YUYV", 80, 60), [Deed::Frame(grey(80, 60, 1))]);
    let mut camera = camera(&script, Wanted { whole_field: true, um_per_px: Some(2.0), ..Wanted::default() });
    let Next::Frame(frame) = camera.next_frame(Duration::ZERO).unwrap() else { panic!() };
    assert_eq!((frame.picture.dimensions(), camera.needs_scale()), ((64, 64), false));
    let placement = frame.origin.placement;
    assert_eq!((placement.scale, placement.start_px, frame.origin.um_per_px), (0.9375, [10.0, 0.0], Some(2.0)));
}

#[test]
fn unplugged_camera_is_retried_and_reopened() {
    let frame = |n| Deed::Frame(grey(80, 60, n));
    let script = Scripted::new(offer(b"YUYV", 80, 60), [frame(1), Deed::Unplug(4), frame(2), frame(3)]);
    let mut camera = camera(&script, Wanted::default());
    let seen = run(&mut camera, 0.0, 12.0);
    assert_eq!(seen.levels, [1, 2, 3]);
    let counters = camera.counters().unwrap();
    assert_eq!((counters.lost, counters.refused, counters.frames), (1, 4, 3));
    assert!(counters.reopened >= 1);
}

#[test]
fn missing_camera_is_retried_rarely() {
    let script = Scripted::new(offer(b"YUYV", 80, 60), [Deed::Unplug(u32::MAX)]);
    let mut camera = camera(&script, Wanted::default());
    let seen = run(&mut camera, 0.0, 3600.0);
    let most = 3600 / MAX_CAMERA_RETRY.as_secs() + 10;
    assert!(camera.counters().unwrap().refused <= most, "{:?}", camera.counters());
    assert!(u64::from(seen.calls) < 4 * most, "{} calls in an hour", seen.calls);
}

#[test]
fn silent_camera_is_reopened_and_counted() {
    let script = Scripted::new(offer(b"YUYV", 80, 60), [Deed::Frame(grey(80, 60, 1))]);
    let mut camera = camera(&script, Wanted::default());
    run(&mut camera, 0.0, CAMERA_STALL.as_secs_f64() - 0.2);
    assert_eq!(camera.counters().unwrap().stalled, 0);
    run(&mut camera, CAMERA_STALL.as_secs_f64() - 0.2, CAMERA_STALL.as_secs_f64() + 1.0);
    let counters = camera.counters().unwrap();
    assert_eq!((counters.stalled, counters.reopened, counters.lost), (1, 1, 0));
    script.0.lock().unwrap().deeds.push_back(Deed::Frame(grey(80, 60, 9)));
    assert_eq!(run(&mut camera, 6.5, 7.0).levels, [9]);
}

#[test]
fn wrong_size_and_damaged_frames_are_discarded_and_counted() {
    let deeds = [
        Deed::Frame(grey(80, 59, 1)),
        Deed::Frame(grey(80, 60, 2)),
        Deed::Frame(grey(80, 61, 3)),
        Deed::Frame(Vec::new()),
        Deed::Damaged,
        Deed::Frame(grey(80, 60, 4)),
    ];
    let mut camera = camera(&Scripted::new(offer(b"YUYV", 80, 60), deeds), Wanted::default());
    let seen = run(&mut camera, 0.0, 1.0);
    assert_eq!((seen.levels, seen.errors.len()), (vec![2, 4], 4));
    assert!(seen.errors[0].contains("9440 bytes where 9600"), "{}", seen.errors[0]);
    let counters = camera.counters().unwrap();
    assert_eq!((counters.wrong_size, counters.damaged, counters.left_out()), (3, 1, 4));
    assert_eq!((counters.format_changes, counters.reopened), (0, 0));
}

#[test]
fn stream_is_reopened_after_format_change() {
    let other = |n| Deed::Frame(grey(100, 60, n));
    let deeds = [Deed::Frame(grey(80, 60, 1)), Deed::Becomes(offer(b"YUYV", 100, 60)), other(2), other(3), other(4)];
    let script = Scripted::new(offer(b"YUYV", 80, 60), deeds);
    let mut camera = camera(&script, Wanted::default());
    assert_eq!(run(&mut camera, 0.0, 1.0).levels, [1]);
    script.0.lock().unwrap().deeds.push_back(other(5));
    assert_eq!(run(&mut camera, 1.0, 2.0).levels, [5]);
    let counters = camera.counters().unwrap();
    assert_eq!((counters.wrong_size, counters.format_changes, counters.reopened), (3, 1, 1));

    // Another camera with the same name.
    let mut script = script.0.lock().unwrap();
    script.deeds.extend([Deed::Unplug(0), Deed::Frame(vec![77; 64 * 64])]);
    script.offers = vec![offer(b"GREY", 64, 64)];
    drop(script);
    assert_eq!(run(&mut camera, 2.0, 3.0).levels, [77]);
    assert_eq!(camera.counters().unwrap().format_changes, 2);
}

#[test]
fn camera_is_retried_while_configured_size_is_unavailable() {
    let script = Scripted::new(offer(b"YUYV", 80, 60), [Deed::Becomes(offer(b"YUYV", 100, 60)), Deed::Unplug(0)]);
    let mut camera = camera(&script, Wanted { size_px: Some((80, 60)), ..Wanted::default() });
    run(&mut camera, 0.0, 5.0);
    let counters = camera.counters().unwrap();
    assert!(counters.reopened == 0 && counters.refused > 2, "{counters:?}");
}

#[test]
fn torn_and_wrong_size_jpeg_frames_are_counted() {
    let jpeg = encode(&RgbImage::from_pixel(80, 64, Rgb([90; 3])));
    let deeds = [
        Deed::Frame(jpeg.clone()),
        Deed::Frame(jpeg[..jpeg.len() / 2].to_vec()),
        Deed::Frame(without_tables(&jpeg)),
        Deed::Frame(encode(&RgbImage::new(64, 64))),
        Deed::Frame(b"no picture".to_vec()),
    ];
    let mut camera = camera(&Scripted::new(offer(b"MJPG", 80, 64), deeds), Wanted::default());
    let seen = run(&mut camera, 0.0, 1.0);
    assert_eq!(seen.levels, [90, 90]);
    let counters = camera.counters().unwrap();
    assert_eq!((counters.torn, counters.wrong_size, counters.frames), (2, 1, 2));
}

#[test]
fn excess_frames_are_skipped_and_matching_rate_loses_none() {
    let fps = |fps| Wanted { settings: Settings { fps: Some(fps), ..Settings::default() }, ..Wanted::default() };
    let frames = |count: usize| (0..count).map(|_| Deed::Frame(grey(80, 60, 1)));
    let script = Scripted::new(offer(b"YUYV", 80, 60), frames(1000));
    let mut fast = camera(&script, fps(10.0));
    // One frame per millisecond for a second.
    let seen = run(&mut fast, 0.0, 1.0);
    assert!((10..=11).contains(&seen.levels.len()), "{}", seen.levels.len());
    assert_eq!(fast.counters().unwrap().skipped + seen.levels.len() as u64, 1000);
    assert_eq!(script.0.lock().unwrap().settings.fps, Some(10.0));

    let mut fitting = camera(&Scripted::new(offer(b"YUYV", 80, 60), frames(100)), fps(10.0));
    for n in 0..100_u64 {
        let jitter = [20, 30, 0, 15][n as usize % 4];
        fitting.next_frame(Duration::from_millis(100 * n + jitter)).unwrap();
    }
    assert_eq!(fitting.counters().unwrap().skipped, 0);
}

#[test]
fn held_pictures_exhaust_pool_without_growing_it() {
    let frames = (0..FRAME_POOL_LEN + 3).map(|_| Deed::Frame(grey(80, 60, 1)));
    let mut camera = camera(&Scripted::new(offer(b"YUYV", 80, 60), frames), Wanted::default());
    let kept: Vec<Next> = (0..FRAME_POOL_LEN + 2).map(|_| camera.next_frame(Duration::ZERO).unwrap()).collect();
    let counters = camera.counters().unwrap();
    assert_eq!((counters.frames, counters.no_buffer), (FRAME_POOL_LEN as u64, 2));
    drop(kept);
    assert!(matches!(camera.next_frame(Duration::ZERO).unwrap(), Next::Frame(_)));
}

#[test]
fn known_pitch_is_resampled_to_pitch_of_models() {
    let script = Scripted::new(offer(b"GREY", 640, 480), [Deed::Frame(vec![50; 640 * 480])]);
    let mut camera = camera(&script, Wanted { um_per_px: Some(0.5), ..Wanted::default() });
    camera.resample_to(1.25).unwrap();
    let Next::Frame(frame) = camera.next_frame(Duration::ZERO).unwrap() else { panic!() };
    assert_eq!((frame.picture.dimensions(), camera.um_per_px()), ((256, 192), Some(0.5)));
    assert_eq!((frame.origin.placement.scale, frame.origin.um_per_analysed_px()), (2.5, Some(1.25)));
    assert!(camera.describe().contains("256x192 px of 1.250 um"), "{}", camera.describe());
    assert_eq!((camera.need().frame_px, camera.frame_size_px()), ((256, 192), None));
    // An implausible pitch.
    let script = Scripted::new(offer(b"GREY", 640, 480), []);
    let mut absurd = self::camera(&script, Wanted { um_per_px: Some(50.0), ..Wanted::default() });
    assert_eq!(absurd.resample_to(1.25).unwrap_err().exit_code(), 7);
}

#[test]
fn rejects_region_outside_frame() {
    let script = Scripted::new(offer(b"GREY", 64, 64), []);
    let region = Some(Region { x_px: 1, y_px: 0, width_px: 64, height_px: 64 });
    let wanted = Wanted { region, ..Wanted::default() };
    let fault = Camera::open("c", "/dev/video0".into(), Box::new(script), wanted).unwrap_err();
    assert!(fault.to_string().contains("64x64 pixels at 1, 0"), "{fault}");
}
