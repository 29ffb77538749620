//! The measures against known figures of the reference data set. Skipped if the set is missing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::path::{Path, PathBuf};

use bloodseg_evaluate::measures::{foreground, instances, mean, psnr, reference_cells, ssim, truth};
use bloodseg_vision::{
    cells::Labels,
    frame::{
        components::components,
        reference::{Field, mask_hr, mask_square, prepare},
        resize::resize_rgb,
    },
};
use image::{GrayImage, Luma};

/// Pictures with their masks; empty if the set is missing.
fn validation_fields() -> Vec<(Field, GrayImage)> {
    let root = std::env::var_os("BLOODSEG_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from)
        .join("val_tmp");
    let Ok(folder) = std::fs::read_dir(root.join("img")) else {
        println!("skipped: no reference data in {}; BLOODSEG_DATA names another place", root.display());
        return Vec::new();
    };
    let mut pictures: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    pictures.sort();
    pictures
        .iter()
        .map(|path| {
            let mask = root.join("mask").join(path.file_stem().unwrap()).with_extension("png");
            let field = prepare(&image::open(path).unwrap().to_rgb8()).unwrap();
            (field, mask_square(&image::open(mask).unwrap().to_luma8()))
        })
        .collect()
}

#[test]
fn measures_match_known_figures_of_reference_set() {
    let fields = validation_fields();
    if fields.is_empty() {
        return;
    }
    let (mut bicubic_psnr_db, mut bicubic_ssim, mut dice, mut count_errors) = (vec![], vec![], vec![], vec![]);
    let mut true_cells = 0;
    let mut reference = reference_cells::ReferenceCells::default();
    let mut sums = instances::InstanceSums::default();
    for (field, square) in &fields {
        let bicubic = resize_rgb(&field.lr, 256, 256).unwrap();
        bicubic_psnr_db.push(psnr::psnr_db(&field.hr, &bicubic).unwrap());
        bicubic_ssim.push(ssim::ssim(&field.hr, &bicubic).unwrap());
        let full = truth::instances(square).unwrap();
        true_cells += truth::count(&full);
        let resized = mask_hr(square).unwrap();
        let perfect =
            GrayImage::from_fn(256, 256, |x, y| Luma([if resized.get_pixel(x, y).0[0] > 127 { 255 } else { 0 }]));
        dice.push(foreground::overlap(&resized, &perfect).unwrap().dice());
        reference.add(&reference_cells::reference_cells(&resized, &perfect).unwrap());
        let components = components(&perfect);
        let labels = Labels::from_fn(256, 256, |x, y| Luma([u16::try_from(components.get_pixel(x, y).0[0]).unwrap()]));
        let matches = instances::match_instances(&truth::sample(&full, 256), &labels).unwrap();
        sums.add(&matches.sums());
        count_errors.extend(matches.count_error());
    }
    let (bicubic_psnr_db, bicubic_ssim) = (mean(bicubic_psnr_db).unwrap(), mean(bicubic_ssim).unwrap());
    let (ap50, pq, count_error) = (sums.ap50().unwrap(), sums.pq().unwrap(), mean(count_errors).unwrap());
    let (cell_dice, cell_iou) = (reference.dice().unwrap(), reference.iou().unwrap());
    println!(
        "bicubic PSNR {bicubic_psnr_db:.3} dB, SSIM {bicubic_ssim:.4}; {true_cells} true cells; \
         a perfect mask: AP50 {ap50:.4}, PQ {pq:.4}, count error {count_error:.4}, \
         reference rule: {} cells, Dice {cell_dice:.4}, IoU {cell_iou:.4}",
        reference.cells
    );
    assert_eq!(true_cells, 708);
    assert!((bicubic_psnr_db - 24.07).abs() < 0.02, "{bicubic_psnr_db}");
    assert!(dice.iter().all(|dice| *dice == 1.0));
    // No foreground mask counts cells, and the reference rule dilates the truth.
    assert!(ap50 < 0.8 && pq < 0.85 && count_error > 0.1);
    assert!((cell_dice - 0.9175).abs() < 0.02 && (cell_iou - 0.8494).abs() < 0.02);
}
