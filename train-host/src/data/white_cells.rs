//! Pastes white cells into other pictures than they come from: each laboratory shows its own kinds of cells around them.

use image::Luma;

use super::{
    cover::{Cover, lay},
    field::{Field, class},
    window::Sample,
};
use bloodseg_vision::error::Result;

/// Whether a field has white cells that can be pasted into others.
pub(super) fn has_white_cells(field: &Field) -> bool {
    field.classes.contains(&class::WHITE)
}

/// Pastes the white cells of `donor` onto a sample of the same size.
///
/// # Errors
/// Those of the resize.
pub(super) fn paste(sample: &mut Sample, donor: &Sample) -> Result<()> {
    let Some(cover) = Cover::of(donor, class::WHITE)? else { return Ok(()) };
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

/// A picture of one level with a square of a class in it, which is darker.
#[cfg(test)]
pub(super) fn sample_of(class: u8, level: u8, from: u32) -> Sample {
    use image::{GrayImage, Rgb, RgbImage};

    let inside = |x: u32, y: u32| (from..from + 60).contains(&x) && (from..from + 60).contains(&y);
    let of =
        |value: u8, other: u8| GrayImage::from_fn(256, 256, |x, y| Luma([if inside(x, y) { value } else { other }]));
    let rgb = |px: u32| {
        let step = 256 / px;
        RgbImage::from_fn(px, px, |x, y| Rgb([if inside(x * step, y * step) { level } else { 230 }; 3]))
    };
    let (lr, hr) = (rgb(64), rgb(256));
    Sample { lr, hr, foreground: of(255, 0), core: of(200, 0), classes: of(class, class::BACKGROUND) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pasted_cells_bring_labels_and_leave_the_rest() {
        let mut onto = sample_of(class::RED, 120, 20);
        paste(&mut onto, &sample_of(class::WHITE, 60, 120)).unwrap();
        let class = |x: u32, y: u32| onto.classes.get_pixel(x, y).0[0];
        assert_eq!((class(40, 40), class(150, 150), class(230, 230)), (class::RED, class::WHITE, class::BACKGROUND));
        assert_eq!((onto.hr.get_pixel(150, 150).0[0], onto.lr.get_pixel(37, 37).0[0]), (60, 60));
        assert_eq!((onto.foreground.get_pixel(150, 150).0[0], onto.core.get_pixel(150, 150).0[0]), (255, 200));
        assert_eq!(onto.hr.get_pixel(40, 40).0[0], 120);
    }
}
