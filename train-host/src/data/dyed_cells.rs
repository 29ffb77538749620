//! Gives cells of one kind another dye, beyond the stains of the laboratories: each laboratory has one stain, and a
//! segmenter trained on three of them takes the lobes of a nucleus in a fourth for separate cells, and the darkest red
//! cells for white ones.

use image::RgbImage;
use rand::{Rng, RngExt as _};

use super::{
    cover::{Cover, lay},
    degrade::Dye,
    field::class,
    window::Sample,
};
use bloodseg_vision::error::Result;

/// Share of the brightest levels of a channel that is taken as glass, from the top.
const GLASS_SHARE: f64 = 0.05;
/// Share of the red cells' dyes that reach only some of the cells.
const UNEVEN_SHARE: f64 = 0.6;

/// Gives the white cells of a sample another dye, independent of everything around them.
///
/// # Errors
/// Those of the resize.
pub(super) fn dye_white(sample: &mut Sample, rng: &mut impl Rng) -> Result<()> {
    let Some(cover) = Cover::of(sample, class::WHITE)? else { return Ok(()) };
    apply(sample, &Dye::draw(rng), &cover);
    Ok(())
}

/// Gives the red cells of a sample another dye, often some of them only, so that dark ones lie beside pale ones.
///
/// # Errors
/// Those of the resize.
pub(super) fn dye_red(sample: &mut Sample, rng: &mut impl Rng) -> Result<()> {
    let Some(mut cover) = Cover::of(sample, class::RED)? else { return Ok(()) };
    if rng.random_bool(UNEVEN_SHARE) {
        cover.thin_out(rng);
    }
    apply(sample, &Dye::draw_any(rng), &cover);
    Ok(())
}

fn apply(sample: &mut Sample, dye: &Dye, cover: &Cover) {
    let glass = glass(&sample.hr);
    for (picture, cover) in [(&mut sample.hr, &cover.hr), (&mut sample.lr, &cover.lr)] {
        let mut dyed = picture.clone();
        dye.apply(&mut dyed, glass);
        lay(picture, &dyed, cover);
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

    use super::{super::white_cells::sample_of, *};

    #[test]
    fn dye_changes_only_white_cells_in_both_pictures() {
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        let (before, mut after) = (sample_of(class::WHITE, 90, 60), sample_of(class::WHITE, 90, 60));
        dye_white(&mut after, &mut rng).unwrap();
        assert_ne!(after.hr.get_pixel(90, 90), before.hr.get_pixel(90, 90));
        assert_eq!(after.hr.get_pixel(90, 90), after.lr.get_pixel(22, 22));
        assert_eq!(after.hr.get_pixel(200, 200), before.hr.get_pixel(200, 200));
        let mut red = sample_of(class::RED, 90, 60);
        dye_white(&mut red, &mut rng).unwrap();
        assert_eq!(red.hr, sample_of(class::RED, 90, 60).hr);
    }

    #[test]
    fn red_cells_get_dark_and_pale_dyes_and_leave_the_rest() {
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        let mut levels: Vec<u8> = (0..40)
            .map(|_| {
                let mut sample = sample_of(class::RED, 150, 60);
                dye_red(&mut sample, &mut rng).unwrap();
                assert_eq!(sample.hr.get_pixel(200, 200), sample_of(class::RED, 150, 60).hr.get_pixel(200, 200));
                sample.hr.get_pixel(90, 90).0[1]
            })
            .collect();
        levels.sort_unstable();
        assert!(levels[0] < 75 && levels[39] > 165, "{levels:?}");
        let mut white = sample_of(class::WHITE, 90, 60);
        dye_red(&mut white, &mut rng).unwrap();
        assert_eq!(white.hr, sample_of(class::WHITE, 90, 60).hr);
    }
}
