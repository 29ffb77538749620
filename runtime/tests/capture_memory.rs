//! Uncompressed camera frames allocate nothing; JPEG frames and picture files take no more memory than estimated.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::{fs, path::Path, time::Instant};

use bloodseg::{
    camera::{
        device::{
            Format, RawFrame,
            layout::{Layout, Range},
        },
        intake::{Intake, Scale, jpeg::JpegReader},
    },
    memory::counting::{Counting, heap, restart_peak},
};
use bloodseg_vision::frame::decode::{read_header, read_picture};
use image::{DynamicImage, RgbImage, codecs::jpeg::JpegEncoder};

#[global_allocator]
static HEAP: Counting = Counting;

const FRAMES: u32 = 4;

// Without the test harness, whose thread allocates at any time and would be counted too.
fn uncompressed_frame_allocates_nothing() {
    for layout in [Layout::Yuyv, Layout::Grey, Layout::Nv12] {
        for scale in [Scale::WholeField, Scale::Factor(1.7), Scale::AsIs] {
            let stride = layout.row_bytes(640).unwrap();
            let bytes = vec![120; layout.frame_bytes(480, stride).unwrap()];
            let format = Format {
                layout,
                width_px: 640,
                height_px: 480,
                stride_bytes: stride as u32,
                most_bytes: bytes.len() as u32,
                range: Range::Limited,
            };
            let mut intake = Intake::new(format, None, None, scale, 2).unwrap();
            let (before, start) = (heap().unwrap(), Instant::now());
            for _ in 0..FRAMES {
                intake.take(RawFrame { bytes: &bytes, damaged: false }).unwrap();
            }
            let after = heap().unwrap();
            let frame_ms = start.elapsed().as_secs_f64() * 1e3 / f64::from(FRAMES);
            assert_eq!(after.allocations, before.allocations, "{layout}, {scale:?}");
            eprintln!("640x480 {layout}, {scale:?}: {frame_ms:.2} ms a frame");
        }
    }
}

// The estimate for the decoder in a camera's need, made before a run has its limit.
fn jpeg_frame_takes_no_more_than_estimated() {
    for (width, height) in [(640, 480), (1920, 1080)] {
        let mut frame = Vec::new();
        let picture = RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8]));
        JpegEncoder::new_with_quality(&mut frame, 90).encode_image(&picture).unwrap();
        let mut reader = JpegReader::new((width, height), frame.len());
        let before = heap().unwrap().live_bytes;
        restart_peak();
        reader.read(&frame).unwrap();
        let taken = (heap().unwrap().peak_bytes - before) as u64;
        let reckoned = JpegReader::making_bytes(width);
        eprintln!("{width}x{height} MJPEG: {taken} bytes of {reckoned}");
        assert!(taken <= reckoned, "{taken} of {reckoned}");
    }
}

// Frames of a folder are estimated from their headers, before a run has its limit.
fn reading_takes_no_more_than_estimated_from_header() {
    let folder = tempfile::tempdir().unwrap();
    let picture = DynamicImage::from(RgbImage::from_fn(700, 500, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8])));
    let kinds = [
        ("rgb8", picture.to_rgb8().into()),
        ("rgb16", picture.to_rgb16().into()),
        ("rgba16", DynamicImage::from(picture.to_rgba16())),
        ("luma8", picture.to_luma8().into()),
    ];
    for (kind, picture) in &kinds {
        for ending in ["png", "tif", "bmp", "jpg"] {
            // Not every format has every depth.
            let _ = picture.save(folder.path().join(format!("{kind}.{ending}")));
        }
    }
    let progressive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/progressive.jpg");
    fs::copy(progressive, folder.path().join("progressive.jpg")).unwrap();
    let mut read = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        // A picture that could not be saved may have left a partial file.
        let Ok(header) = read_header(&path, 2 << 20) else { continue };
        restart_peak();
        let before = heap().unwrap().live_bytes;
        let Ok(picture) = read_picture(&path, 2 << 20) else { continue };
        let peak = (heap().unwrap().peak_bytes - before) as u64;
        eprintln!("{}: {peak} bytes of {}", path.file_name().unwrap().display(), header.reading_bytes);
        assert_eq!(picture.dimensions(), header.size_px);
        assert!(peak <= header.reading_bytes, "{}: {peak} of {}", path.display(), header.reading_bytes);
        read += 1;
    }
    assert!(read >= 9, "{read} pictures could be read");
}

fn main() {
    uncompressed_frame_allocates_nothing();
    jpeg_frame_takes_no_more_than_estimated();
    reading_takes_no_more_than_estimated_from_header();
}
