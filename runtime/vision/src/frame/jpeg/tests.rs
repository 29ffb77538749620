#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use image::{ExtendedColorType, Rgb, RgbImage, codecs::jpeg::JpegEncoder};

use super::{Fault, Walk, kind_of};

/// Cells on a grainy ground, so that every block has data.
fn field(side: u32) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| {
        let (dx, dy) = (f64::from(x % 40) - 20.0, f64::from(y % 40) - 20.0);
        let level = if dx.hypot(dy) < 12.0 { 120 } else { 220 } + (x * 7919 + y * 104_729 + x * y) % 23;
        Rgb([level as u8, (level - 60) as u8, (level - 20) as u8])
    })
}

fn jpeg(quality: u8) -> Vec<u8> {
    let (picture, mut bytes) = (field(200), Vec::new());
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    encoder.encode(&picture, 200, 200, ExtendedColorType::Rgb8).unwrap();
    bytes
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../tests/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Every kind: baseline, progressive, progressive with subsampled colours, with restart markers, with a thumbnail in
/// EXIF.
fn all() -> Vec<(&'static str, Vec<u8>)> {
    let made = [("quality 60", jpeg(60)), ("quality 95", jpeg(95))];
    let kept = [
        "progressive.jpg",
        "jpeg/progressive-420.jpg",
        "jpeg/baseline-420.jpg",
        "jpeg/restart.jpg",
        "jpeg/grey.jpg",
        "jpeg/thumbnail.jpg",
    ];
    made.into_iter().chain(kept.map(|name| (name, fixture(name)))).collect()
}

/// Start of the entropy-coded data of the first scan.
fn data_at(bytes: &[u8]) -> usize {
    // The last header, ignoring an EXIF thumbnail before it.
    let mut at = 2;
    loop {
        let length = usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        if bytes[at + 1] == 0xda {
            return at + 2 + length;
        }
        at += 2 + length;
    }
}

#[test]
fn complete_jpegs_pass() {
    for (name, bytes) in all() {
        assert_eq!(Walk::through(&bytes), Ok(Walk { has_end: true }), "{name}");
        let size = image::load_from_memory(&bytes).unwrap();
        assert_eq!(kind_of(&bytes), Ok((size.width(), size.height())), "{name}");
    }
}

#[test]
fn truncation_is_detected() {
    for (name, bytes) in all() {
        // Everything but the end marker must be there; the last data byte can be padding only.
        let whole = bytes.len() - 3;
        let cuts = (1..100).map(|hundredth| bytes.len() * hundredth / 100);
        for cut in cuts.chain(data_at(&bytes)..data_at(&bytes) + 40).chain(whole - 40..whole) {
            let found = Walk::through(&bytes[..cut]);
            assert_eq!(found, Err(Fault::CutOff), "{name} cut at {cut} of {}", bytes.len());
        }
    }
}

#[test]
fn truncated_baseline_with_end_marker_is_detected() {
    for (name, bytes) in all() {
        for share in [10, 50, 90] {
            let first = data_at(&bytes);
            let cut = first + (bytes.len() - first) * share / 100;
            let found = Walk::through(&[&bytes[..cut], &[0xff, 0xd9]].concat());
            // A progressive picture may end after any of its scans: it is complete, but coarse.
            let coarse = name.contains("progressive");
            assert!(found.is_err() || coarse, "{name} cut at {share} %: {found:?}");
        }
    }
}

#[test]
fn missing_end_marker_is_reported_but_passes() {
    for (name, bytes) in all() {
        for left_out in [1, 2] {
            let found = Walk::through(&bytes[..bytes.len() - left_out]);
            assert_eq!(found, Ok(Walk { has_end: false }), "{name} without {left_out}");
        }
    }
}

#[test]
fn data_after_end_marker_is_ignored() {
    for (name, bytes) in all() {
        for after in [&[0; 5000][..], b"\xff\xd8\xff\xe0 another picture, cut off", &[0xff]] {
            assert_eq!(Walk::through(&[&bytes, after].concat()), Ok(Walk { has_end: true }), "{name}");
        }
    }
}

#[test]
fn zeroed_or_removed_data_is_detected() {
    for (name, bytes) in all() {
        let first = data_at(&bytes);
        let data = bytes.len() - first;
        for share in [5, 30, 50, 80] {
            for length in [data / 50, data / 10, data / 5] {
                let at = first + data * share / 100;
                let mut zeros = bytes.clone();
                zeros[at..at + length.max(64)].fill(0);
                assert!(Walk::through(&zeros).is_err(), "{name}: {length} zeros at {share} %");
                let removed = [&bytes[..at], &bytes[at + length..]].concat();
                assert!(Walk::through(&removed).is_err(), "{name}: {length} removed at {share} %");
            }
        }
        let mut rest = bytes.clone();
        rest[first + data / 2..].fill(0);
        assert!(Walk::through(&rest).is_err(), "{name}: zeros to the end");
    }
}

#[test]
fn missing_restart_interval_is_detected() {
    let bytes = fixture("jpeg/restart.jpg");
    let first = data_at(&bytes);
    let marks: Vec<usize> =
        (first..bytes.len() - 1).filter(|&at| bytes[at] == 0xff && (0xd0..=0xd7).contains(&bytes[at + 1])).collect();
    assert!(marks.len() > 9, "{}", marks.len());
    // Eight at a time keep the marker numbers in sequence.
    for count in [1, 8] {
        let removed = [&bytes[..marks[0]], &bytes[marks[count]..]].concat();
        assert!(Walk::through(&removed).is_err(), "{count} intervals");
    }
}

#[test]
fn unsupported_kinds_are_named() {
    let frame = |marker: u8, depth: u8, height: u8| {
        [&[0xff, 0xd8, 0xff, marker, 0, 11, depth, 0, height, 0, 8, 1, 1, 0x11, 0][..], &[0xff, 0xd9]].concat()
    };
    for (bytes, words) in [
        (frame(0xc1, 12, 8), "12-bit"),
        (frame(0xc3, 8, 8), "lossless"),
        (frame(0xc5, 8, 8), "hierarchical"),
        (frame(0xc9, 8, 8), "arithmetic"),
        (frame(0xc0, 8, 0), "height"),
    ] {
        assert!(matches!(kind_of(&bytes), Err(Fault::Unread(kind)) if kind.contains(words)), "{words}");
        assert!(matches!(Walk::through(&bytes), Err(Fault::Unread(_))), "{words}");
    }
}

#[test]
fn corrupted_jpegs_do_not_panic() {
    for (_, bytes) in all().into_iter().filter(|(_, bytes)| bytes.len() < 20_000) {
        let mut seed = 1_u32;
        for _ in 0..300 {
            let mut spoilt = bytes.clone();
            for _ in 0..4 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = seed as usize % spoilt.len();
                spoilt[at] = (seed >> 24) as u8;
            }
            // The size is checked before the scan.
            if kind_of(&spoilt).is_ok_and(|(width, height)| width * height < 1 << 20) {
                let _ = Walk::through(&spoilt);
            }
        }
    }
}
