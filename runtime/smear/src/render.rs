//! Renders one field: places, cells, light.

use image::RgbImage;

use super::{
    Smear,
    canvas::Canvas,
    draw::Draw,
    layout::{self, Kind},
    platelet::Platelet,
    red_cell::RedCell,
    spec::SmearSpec,
    truth,
    white_cell::WhiteCell,
};

/// Renders a smear. The same spec and seed give the same picture; between processors a level may differ by one because of
/// rounding in the mathematical library.
pub fn render(spec: &SmearSpec, seed: u64) -> Smear {
    let mut canvas = Canvas::new(spec.width_px, spec.height_px);
    let things = lay(&mut canvas, spec, seed);
    let (labels, owners) = truth::labels(&canvas);
    let kinds = owners.into_iter().map(|number| things[number as usize - 1]).collect();
    let mask = truth::mask(&labels, spec.scale);
    Smear { picture: spec.optics.expose(canvas, spec.scale, &mut Draw::new(seed, 3)), labels, kinds, mask }
}

/// Only the picture of [`render`], in a third of the memory: 24 bytes per pixel.
pub fn render_picture(spec: &SmearSpec, seed: u64) -> RgbImage {
    let mut canvas = Canvas::without_owners(spec.width_px, spec.height_px);
    lay(&mut canvas, spec, seed);
    spec.optics.expose(canvas, spec.scale, &mut Draw::new(seed, 3))
}

/// Draws all objects of a smear on the glass, numbered from 1, and lists their kinds.
fn lay(canvas: &mut Canvas, spec: &SmearSpec, seed: u64) -> Vec<Kind> {
    let mut draw = Draw::new(seed, 2);
    let places = layout::scatter(&mut draw, spec);
    for (place, number) in places.iter().zip(1_u32..) {
        let (x, y, radius) = (place.x_px, place.y_px, place.radius_px);
        match place.kind {
            Kind::Red => {
                let cell = RedCell::draw(&mut draw, spec, x, y, radius);
                canvas.lay(&cell.outline, Some(number), |at| cell.density(at, &spec.stain));
            }
            Kind::White => {
                let any = if spec.any_white_cells { WhiteCell::any } else { WhiteCell::draw };
                let cell = any(&mut draw, spec.scale, x, y, radius);
                canvas.lay(&cell.outline, Some(number), |at| cell.density(at, &spec.stain));
            }
            Kind::Platelet => {
                let platelet = Platelet::draw(&mut draw, spec.scale, x, y, radius);
                let number = spec.labels_platelets.then_some(number);
                canvas.lay(&platelet.outline, number, |at| platelet.density(at, &spec.stain));
            }
        }
    }
    places.iter().map(|place| place.kind).collect()
}

#[cfg(test)]
mod tests {
    use image::Luma;

    use super::*;
    use crate::stain::Stain;

    fn spec() -> SmearSpec {
        SmearSpec::field(300, 260)
    }

    #[test]
    fn seed_determines_picture() {
        let (one, again, other) = (render(&spec(), 7), render(&spec(), 7), render(&spec(), 8));
        assert_eq!(one.picture, again.picture);
        assert_eq!(one.picture, render_picture(&spec(), 7), "the truth leaves no trace in the picture");
        assert_eq!(one.labels, again.labels);
        assert_ne!(one.labels, other.labels);
    }

    #[test]
    fn labels_are_in_raster_order_and_connected() {
        let labels = render(&spec(), 3).labels;
        let mut seen = 0;
        for Luma([label]) in labels.pixels() {
            assert!(*label <= seen + 1, "{label} after {seen}");
            seen = seen.max(*label);
        }
        assert!(seen > 20, "{seen} cells");
        let pieces = bloodseg_vision::frame::components::components(&labels);
        let count = pieces.pixels().map(|Luma([piece])| *piece).max().unwrap_or(0);
        assert_eq!(count, u32::from(seen));
    }

    #[test]
    fn mask_separates_cells_and_keeps_most_pixels() {
        let smear = render(&spec(), 3);
        for (x, y, Luma([level])) in smear.mask.enumerate_pixels() {
            let own = smear.labels.get_pixel(x, y).0[0];
            assert!(*level == 0 || (*level == 255 && own > 0));
            if *level == 0 {
                continue;
            }
            for (nx, ny) in [(x + 1, y), (x, y + 1)] {
                if nx < 300 && ny < 260 && smear.mask.get_pixel(nx, ny).0[0] == 255 {
                    assert_eq!(smear.labels.get_pixel(nx, ny).0[0], own, "cells touch at {x}, {y}");
                }
            }
        }
        let inside = smear.labels.pixels().filter(|l| l.0[0] > 0).count();
        let kept = smear.mask.pixels().filter(|l| l.0[0] > 0).count();
        assert!(kept * 100 > inside * 90, "{kept} of {inside}");
    }

    #[test]
    fn cells_are_darker_than_glass_and_platelets_unlabelled() {
        let mut spec = spec();
        let smear = render(&spec, 5);
        let mean = |cell: bool| {
            let levels: Vec<u64> = smear
                .picture
                .pixels()
                .zip(smear.labels.pixels())
                .filter(|(_, label)| (label.0[0] > 0) == cell)
                .map(|(pixel, _)| u64::from(pixel.0[1]))
                .collect();
            levels.iter().sum::<u64>() as f64 / levels.len() as f64
        };
        assert!(mean(false) - mean(true) > 40.0);
        spec.red_cells_per_mpx = 0.0;
        spec.white_cells_per_mpx = 0.0;
        spec.platelets_per_mpx = 60.0;
        let smear = render(&spec, 5);
        assert!(smear.labels.pixels().all(|label| label.0[0] == 0));
        assert!(smear.picture.pixels().any(|pixel| pixel.0[1] < 220), "no platelet in the picture");
    }

    #[test]
    fn labels_have_kinds_and_platelets_are_optional() {
        let spec = SmearSpec { white_cells_per_mpx: 20.0, ..SmearSpec::crowded(300, 260, 2) };
        let smear = render(&spec, 5);
        let most = smear.labels.pixels().map(|label| label.0[0]).max().unwrap_or(0);
        assert_eq!(smear.kinds.len(), usize::from(most));
        for kind in [Kind::Red, Kind::White, Kind::Platelet] {
            assert!(smear.kinds.contains(&kind), "{kind:?}");
        }
        let plain = render(&SmearSpec { labels_platelets: false, ..spec }, 5);
        assert_eq!(plain.picture, smear.picture);
        assert!(!plain.kinds.contains(&Kind::Platelet));
    }

    #[test]
    fn overlaps_are_darker_than_single_cells() {
        let spec = SmearSpec { stain: Stain::SLATE, heaping: 0.0, ..SmearSpec::field(300, 300) };
        let darkest = |spec: &SmearSpec| render(spec, 11).picture.pixels().map(|p| p.0[1]).min();
        let heaped = SmearSpec { heaping: 0.9, red_cells_per_mpx: 60.0, ..spec };
        assert!(darkest(&heaped) < darkest(&spec));
    }

    #[test]
    fn any_size_can_be_rendered() {
        for (width, height) in [(1, 1), (3, 400), (257, 256)] {
            let smear = render(&SmearSpec::varied(width, height, 1), 1);
            assert_eq!(smear.picture.dimensions(), (width, height));
        }
    }
}
