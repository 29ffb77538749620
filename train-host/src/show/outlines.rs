//! Pictures of laboratories with the training target of each pixel, for inspection before a training.

use image::{Rgb, RgbImage};

use crate::data::field::{Field, class};

/// The picture with the edges of its cells in the colour of their class, and ignored pixels darkened.
pub fn outlined(field: &Field) -> RgbImage {
    let (width, height) = field.classes.dimensions();
    let at = |x: u32, y: u32| {
        (x < width && y < height).then(|| (field.classes.get_pixel(x, y).0[0], field.core.get_pixel(x, y).0[0]))
    };
    RgbImage::from_fn(width, height, |x, y| {
        let here = field.classes.get_pixel(x, y).0[0];
        let depth = field.core.get_pixel(x, y).0[0];
        let is_cell = |class: u8| (class::RED..=class::CELL).contains(&class);
        let beside = [at(x + 1, y), at(x, y + 1), at(x.wrapping_sub(1), y), at(x, y.wrapping_sub(1))];
        let edge = beside.into_iter().flatten().any(|(class, _)| class != here);
        let picture = field.picture.get_pixel(x, y);
        match here {
            // The line between two cells of one class has no depth.
            _ if is_cell(here) && (edge || depth == 0) => colour(here),
            class::IGNORED => Rgb(picture.0.map(|level| level / 2)),
            _ => *picture,
        }
    })
}

fn colour(class: u8) -> Rgb<u8> {
    match class {
        class::RED => Rgb([255, 220, 0]),
        class::WHITE => Rgb([0, 190, 255]),
        class::PLATELET => Rgb([0, 230, 90]),
        _ => Rgb([255, 255, 255]),
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma};

    use super::*;

    #[test]
    fn edges_have_class_colour_and_insides_are_unchanged() {
        let mask = GrayImage::from_fn(60, 60, |x, y| {
            Luma([if (20..40).contains(&x) && (20..40).contains(&y) { 255 } else { 0 }])
        });
        let mut field = Field::of_mask("f".into(), RgbImage::from_pixel(60, 60, Rgb([100; 3])), mask);
        field.classes.iter_mut().filter(|class| **class == class::CELL).for_each(|class| *class = class::WHITE);
        field.classes.put_pixel(50, 50, Luma([class::IGNORED]));
        let shown = outlined(&field);
        let of = |x, y| shown.get_pixel(x, y).0;
        assert_eq!((of(20, 30), of(30, 30), of(5, 5), of(50, 50)), ([0, 190, 255], [100; 3], [100; 3], [50; 3]));
    }
}
