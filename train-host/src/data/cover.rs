//! Where the cells of one kind lie, with a fading edge, to change or replace them alone.

use image::{
    GrayImage, Luma, Rgb, RgbImage,
    imageops::{FilterType, blur, resize},
};
use rand::{Rng, RngExt as _};

use super::window::Sample;
use bloodseg_vision::{error::Result, frame::resize::resize_gray};

/// Standard deviation of the fading edge, in pixels of the 256x256 picture.
const EDGE_PX: f32 = 1.5;
/// Edge of a place that is covered or not, in pixels of the 256x256 picture: the diameter of a red cell at the models'
/// pitch.
const PLACE_PX: u32 = 22;

/// How much of each pixel belongs to the cells, 0 to 255.
pub(super) struct Cover {
    /// Of the 256x256 picture.
    pub(super) hr: GrayImage,
    /// Of the input.
    pub(super) lr: GrayImage,
}

impl Cover {
    /// `None` without cells of the class.
    pub(super) fn of(sample: &Sample, class: u8) -> Result<Option<Self>> {
        if !sample.classes.contains(&class) {
            return Ok(None);
        }
        let mut hr = sample.classes.clone();
        hr.iter_mut().for_each(|level| *level = if *level == class { 255 } else { 0 });
        let hr = blur(&hr, EDGE_PX);
        let lr = resize_gray(&hr, sample.lr.width(), sample.lr.height())?;
        Ok(Some(Self { hr, lr }))
    }

    /// Uncovers about half of the places.
    pub(super) fn thin_out(&mut self, rng: &mut impl Rng) {
        let places = (self.hr.width() / PLACE_PX).max(2);
        let covered = GrayImage::from_fn(places, places, |_, _| Luma([if rng.random_bool(0.5) { 255 } else { 0 }]));
        for cover in [&mut self.hr, &mut self.lr] {
            let share = resize(&covered, cover.width(), cover.height(), FilterType::Triangle);
            for (level, share) in cover.iter_mut().zip(share.iter()) {
                *level = (u16::from(*level) * u16::from(*share) / 255) as u8;
            }
        }
    }
}

/// Replaces a picture by another where it is covered.
pub(super) fn lay(onto: &mut RgbImage, other: &RgbImage, cover: &GrayImage) {
    for ((Rgb(below), Rgb(above)), Luma([cover])) in onto.pixels_mut().zip(other.pixels()).zip(cover.pixels()) {
        for (below, above) in below.iter_mut().zip(above) {
            let mixed = u32::from(*below) * u32::from(255 - cover) + u32::from(*above) * u32::from(*cover);
            *below = ((mixed + 127) / 255) as u8;
        }
    }
}
