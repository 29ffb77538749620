//! The committed fields are those that the renderer makes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use bloodseg_smear::{error::Error, set, write_set};
use bloodseg_vision::error::ErrorKind;

/// As documented in `data/README.md`.
const SEED: u64 = 1;
const SIZE_PX: u32 = 640;

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/synth")
}

#[test]
fn field_zero_renders_as_committed() {
    let smear = set::field(0, SEED, SIZE_PX);
    let picture = image::open(committed().join("img/smear_0000.png")).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), smear.picture.dimensions());
    // Another math library may round a level the other way, but no more.
    let worst = picture.iter().zip(smear.picture.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(worst <= 2, "levels differ by {worst}");
    let labels = image::open(committed().join("labels/smear_0000.png")).unwrap().into_luma16();
    let moved = labels.iter().zip(smear.labels.iter()).filter(|(a, b)| (**a == 0) != (**b == 0)).count();
    assert!(moved * 10_000 < labels.len(), "{moved} pixels changed between cell and background");
    assert_eq!(labels.iter().max(), smear.labels.iter().max());
}

#[test]
fn committed_fields_are_complete() {
    let count = std::fs::read_dir(committed().join("img")).unwrap().count();
    assert_eq!(count, 10);
    for entry in std::fs::read_dir(committed().join("img")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let picture = image::open(&path).unwrap();
        let mask = image::open(committed().join(format!("mask/{name}.png"))).unwrap();
        let labels = image::open(committed().join(format!("labels/{name}.png"))).unwrap().into_luma16();
        assert_eq!(mask.color(), image::ColorType::Rgb8, "{name}");
        assert_eq!((picture.width(), picture.height()), (mask.width(), mask.height()), "{name}");
        assert_eq!((picture.width(), picture.height()), labels.dimensions(), "{name}");
        assert!(mask.to_rgb8().iter().all(|level| *level == 0 || *level == 255), "{name}");
        assert!(labels.iter().max() >= Some(&10), "{name}");
    }
}

#[test]
fn set_has_its_layout_and_refuses_invalid_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let files = write_set(folder.path(), 2, 9, 256).unwrap();
    assert_eq!(files[0].picture, folder.path().join("img/smear_0000.png"));
    assert_eq!(files[1].picture, folder.path().join("img/smear_0001.jpg"));
    assert!(files.iter().all(|field| field.picture.is_file() && field.mask.is_file() && field.labels.is_file()));
    assert!(matches!(write_set(folder.path(), 1, 9, 255), Err(Error::Size(255))));
    assert!(matches!(write_set(folder.path(), 1, 9, 1_000_000), Err(Error::Size(1_000_000))));
    let file = folder.path().join("taken");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(write_set(&file, 1, 9, 256), Err(Error::Vision(error)) if error.kind() == ErrorKind::Output));
}
