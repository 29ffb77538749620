//! Rendered fields: crowded smears with exact outlines and kinds, which show more overlaps, stacked cells, lobed nuclei
//! and platelets than the laboratories.

use image::GrayImage;
use rayon::prelude::*;

use super::field::{Field, Labelled, class};
use bloodseg_smear::{Kind, Smear, SmearSpec, render};

/// Edge of a rendered field in pixels: half that of the reference fields.
const EDGE_PX: u32 = 600;

/// Name of the source.
pub const SOURCE: &str = "rendered";

/// Sampling weight of rendered fields, relative to a laboratory.
const SHARE: f64 = 1.0;

/// Renders `count` fields; each depends only on `seed` and its number.
pub fn fields(count: u32, seed: u64) -> Vec<Field> {
    (0..count)
        .into_par_iter()
        .map(|index| {
            let own = seed.wrapping_mul(1_000_003).wrapping_add(u64::from(index));
            let Smear { picture, labels, kinds, .. } = render(&SmearSpec::crowded(EDGE_PX, EDGE_PX, own), own);
            let (width, height) = labels.dimensions();
            let class = |label: u16| match label.checked_sub(1).and_then(|at| kinds.get(usize::from(at))) {
                None => class::BACKGROUND,
                Some(Kind::Red) => class::RED,
                Some(Kind::White) => class::WHITE,
                Some(Kind::Platelet) => class::PLATELET,
            };
            let classes = GrayImage::from_fn(width, height, |x, y| image::Luma([class(labels.get_pixel(x, y).0[0])]));
            let labels = Labelled::from_fn(width, height, |x, y| image::Luma([labels.get_pixel(x, y).0[0].into()]));
            let name = format!("{SOURCE}_{index:04}");
            Field { share: SHARE, ..Field::of_labels(name, SOURCE.into(), picture, &labels, classes) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rendered_fields_do_not_depend_on_count_and_have_kinds() {
        let (one, two) = (fields(1, 3), fields(2, 3));
        assert_eq!((&one[0].picture, &one[0].classes), (&two[0].picture, &two[0].classes));
        for wanted in [class::BACKGROUND, class::RED, class::WHITE, class::PLATELET] {
            assert!(two.iter().any(|field| field.classes.contains(&wanted)), "{wanted}");
        }
        assert!(one[0].core.iter().zip(one[0].classes.iter()).all(|(depth, class)| *depth == 0 || *class > 0));
    }
}
