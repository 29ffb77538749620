//! Varies the appearance of white cells beyond that of the laboratories: each laboratory has one stain, and a segmenter
//! trained on three of them takes the lobes of a nucleus in a fourth for separate cells.

use image::{GrayImage, Luma, Rgb, RgbImage, imageops::blur};
use rand::Rng;

use super::{
    degrade::Dye,
    field::{Field, class},
    window::Sample,
};
use bloodseg_vision::{error::Result, frame::resize::resize_gray};

/// Standard deviation of the fading edge, in pixels of the 256x256 picture.
const EDGE_PX: f32 = 1.5;

/// Share of the brightest levels of a channel that is taken as glass, from the top.
const GLASS_SHARE: f64 = 0.05;

/// Whether a field has white cells that can be pasted into others.
pub fn has_white_cells(field: &Field) -> bool {
    field.classes.contains(&class::WHITE)
}

/// Gives the white cells of a sample another dye, independent of everything around them.
///
/// # Errors
/// Those of the resize.
pub fn recolour(sample: &mut Sample, rng: &mut impl Rng) -> Result<()> {
    let Some(cover) = Cover::of(sample)? else { return Ok(()) };
    let (dye, glass) = (Dye::draw(rng), glass(&sample.hr));
    for (picture, cover) in [(&mut sample.hr, &cover.hr), (&mut sample.lr, &cover.lr)] {
        let mut dyed = picture.clone();
        dye.apply(&mut dyed, glass);
        lay(picture, &dyed, cover);
    }
    Ok(())
}

/// Pastes the white cells of `donor` onto a sample of the same size.
///
/// # Errors
/// Those of the resize.
pub fn paste(sample: &mut Sample, donor: &Sample) -> Result<()> {
    let Some(cover) = Cover::of(donor)? else { return Ok(()) };
    lay(&mut sample.hr, &donor.hr, &cover.hr);
    lay(&mut sample.lr, &donor.lr, &cover.lr);
    for (at, Luma([level])) in donor.classes.pixels().enumerate() {
        if *level == class::WHITE {
            sample.classes.as_mut()[at] = class::WHITE;
            sample.foreground.as_mut()[at] = 255;
            sample.core.as_mut()[at] = donor.core.as_raw()[at];
        }
    }
    Ok(())
}

/// How much of each pixel belongs to a white cell, 0 to 255.
struct Cover {
    hr: GrayImage,
    lr: GrayImage,
}

impl Cover {
    /// `None` without white cells.
    fn of(sample: &Sample) -> Result<Option<Self>> {
        if !sample.classes.contains(&class::WHITE) {
            return Ok(None);
        }
        let mut hr = sample.classes.clone();
        hr.iter_mut().for_each(|level| *level = if *level == class::WHITE { 255 } else { 0 });
        let hr = blur(&hr, EDGE_PX);
        let lr = resize_gray(&hr, sample.lr.width(), sample.lr.height())?;
        Ok(Some(Self { hr, lr }))
    }
}

fn lay(onto: &mut RgbImage, other: &RgbImage, cover: &GrayImage) {
    for ((Rgb(below), Rgb(above)), Luma([cover])) in onto.pixels_mut().zip(other.pixels()).zip(cover.pixels()) {
        for (below, above) in below.iter_mut().zip(above) {
            let mixed = u32::from(*below) * u32::from(255 - cover) + u32::from(*above) * u32::from(*cover);
            *below = ((mixed + 127) / 255) as u8;
        }
    }
}

/// The level of each channel that the brightest pixels reach.
fn glass(picture: &RgbImage) -> [u8; 3] {
    std::array::from_fn(|channel| {
        let mut levels: Vec<u8> = picture.pixels().map(|pixel| pixel.0[channel]).collect();
        levels.sort_unstable();
        let at = (levels.len() as f64 * (1.0 - GLASS_SHARE)) as usize;
        levels.get(at).copied().unwrap_or(255)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng};

    use super::*;

    /// A picture of one level with a square of a class in it, which is darker.
    fn sample(class: u8, level: u8, from: u32) -> Sample {
        let inside = |x: u32, y: u32| (from..from + 60).contains(&x) && (from..from + 60).contains(&y);
        let of = |value: u8, other: u8| {
            GrayImage::from_fn(256, 256, |x, y| Luma([if inside(x, y) { value } else { other }]))
        };
        let rgb = |px: u32| {
            let step = 256 / px;
            RgbImage::from_fn(px, px, |x, y| Rgb([if inside(x * step, y * step) { level } else { 230 }; 3]))
        };
        let (lr, hr) = (rgb(64), rgb(256));
        Sample { lr, hr, foreground: of(255, 0), core: of(200, 0), classes: of(class, class::BACKGROUND) }
    }

    #[test]
    fn dye_changes_only_white_cells_in_both_pictures() {
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        let (before, mut after) = (sample(class::WHITE, 90, 60), sample(class::WHITE, 90, 60));
        recolour(&mut after, &mut rng).unwrap();
        assert_ne!(after.hr.get_pixel(90, 90), before.hr.get_pixel(90, 90));
        assert_eq!(after.hr.get_pixel(90, 90), after.lr.get_pixel(22, 22));
        assert_eq!(after.hr.get_pixel(200, 200), before.hr.get_pixel(200, 200));
        let mut red = sample(class::RED, 90, 60);
        recolour(&mut red, &mut rng).unwrap();
        assert_eq!(red.hr, sample(class::RED, 90, 60).hr);
    }

    #[test]
    fn pasted_cells_bring_labels_and_leave_the_rest() {
        let mut onto = sample(class::RED, 120, 20);
        paste(&mut onto, &sample(class::WHITE, 60, 120)).unwrap();
        let class = |x: u32, y: u32| onto.classes.get_pixel(x, y).0[0];
        assert_eq!((class(40, 40), class(150, 150), class(230, 230)), (class::RED, class::WHITE, class::BACKGROUND));
        assert_eq!((onto.hr.get_pixel(150, 150).0[0], onto.lr.get_pixel(37, 37).0[0]), (60, 60));
        assert_eq!((onto.foreground.get_pixel(150, 150).0[0], onto.core.get_pixel(150, 150).0[0]), (255, 200));
        assert_eq!(onto.hr.get_pixel(40, 40).0[0], 120);
    }
}
