//! Samples composed of four windows: pictures of most laboratories cover less than a quarter of a 64x64 frame at the
//! models' pitch, so samples of one window would mostly be padding.

use anyhow::Result;
use image::{GenericImage, ImageBuffer, Pixel};

use super::{field::class, window::Sample};
use bloodseg_vision::geometry::{REFERENCE_LR_PX, SCALE};

/// Width of the margin along the seams that is excluded from the loss, in low-resolution pixels, because the other side
/// is visible there.
const SEAM_LR_PX: u32 = 3;

/// A sample, and the number of windows per side.
#[derive(Debug)]
pub struct Quarters {
    /// The sample.
    pub sample: Sample,
    /// 1 or 2.
    pub windows_a_side: u8,
}

impl Quarters {
    /// A single window.
    pub fn whole(sample: Sample) -> Self {
        Self { sample, windows_a_side: 1 }
    }

    /// Four windows, from `draw`, which takes their edge.
    ///
    /// # Errors
    /// Those of `draw`.
    pub fn draw(draw: &mut impl FnMut(u32) -> Result<Sample>) -> Result<Self> {
        let half = REFERENCE_LR_PX / 2;
        let (lr_px, hr_px) = (REFERENCE_LR_PX, REFERENCE_LR_PX * SCALE);
        let mut sample = Sample {
            lr: ImageBuffer::new(lr_px, lr_px),
            hr: ImageBuffer::new(hr_px, hr_px),
            foreground: ImageBuffer::new(hr_px, hr_px),
            core: ImageBuffer::new(hr_px, hr_px),
            classes: ImageBuffer::new(hr_px, hr_px),
        };
        for (column, row) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let (lr, hr) = ((column * half, row * half), (column * half * SCALE, row * half * SCALE));
            let part = draw(half)?;
            lay(&mut sample.lr, &part.lr, lr)?;
            lay(&mut sample.hr, &part.hr, hr)?;
            lay(&mut sample.foreground, &part.foreground, hr)?;
            lay(&mut sample.core, &part.core, hr)?;
            lay(&mut sample.classes, &part.classes, hr)?;
        }
        let (seam, middle) = (SEAM_LR_PX * SCALE, half * SCALE);
        let is_seam = |at: u32| (middle - seam..middle + seam).contains(&at);
        for (x, y, level) in sample.classes.enumerate_pixels_mut() {
            if is_seam(x) || is_seam(y) {
                level.0 = [class::OUTSIDE];
            }
        }
        Ok(Self { sample, windows_a_side: 2 })
    }
}

fn lay<P: Pixel + 'static>(
    onto: &mut ImageBuffer<P, Vec<P::Subpixel>>,
    part: &ImageBuffer<P, Vec<P::Subpixel>>,
    (x, y): (u32, u32),
) -> Result<()> {
    Ok(onto.copy_from(part, x, y)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::{GrayImage, Luma, RgbImage};

    use super::*;

    #[test]
    fn quarters_show_their_windows_and_seams_are_excluded() {
        let mut number = 0;
        let mut draw = |lr_px: u32| {
            number += 1;
            let (level, hr_px) = (number * 10, lr_px * SCALE);
            let gray = GrayImage::from_pixel(hr_px, hr_px, Luma([level]));
            Ok(Sample {
                lr: RgbImage::from_pixel(lr_px, lr_px, image::Rgb([level; 3])),
                hr: RgbImage::from_pixel(hr_px, hr_px, image::Rgb([level; 3])),
                foreground: gray.clone(),
                core: gray.clone(),
                classes: gray,
            })
        };
        let Quarters { sample, windows_a_side } = Quarters::draw(&mut draw).unwrap();
        assert_eq!((windows_a_side, sample.lr.dimensions(), sample.hr.dimensions()), (2, (64, 64), (256, 256)));
        assert_eq!([(0, 0), (32, 0), (0, 32), (32, 32)].map(|(x, y)| sample.lr.get_pixel(x, y).0[0]), [10, 20, 30, 40]);
        assert_eq!((sample.core.get_pixel(255, 0).0[0], sample.classes.get_pixel(0, 255).0[0]), (20, 30));
        for at in [116, 128, 139] {
            assert_eq!(sample.classes.get_pixel(at, 3).0[0], class::OUTSIDE);
            assert_eq!(sample.classes.get_pixel(3, at).0[0], class::OUTSIDE);
        }
        assert_ne!(sample.classes.get_pixel(115, 140).0[0], class::OUTSIDE);
    }
}
