//! The overlay of an analysis: outlines of cells, shading of areas without specimen, and a scale bar, on the finer of the
//! input and the super-resolved picture.

mod bar;
pub mod limits;
mod on_input;

use image::RgbImage;

use crate::{
    error::Result,
    pictures::{looks, outlined, shade_outside},
    pipeline::Analysis,
    placement::{Placement, resampled},
};
use limits::{MAX_OVERLAY_PX, MAX_SHRUNK_OVERLAY_SIDE_PX};

/// The size of an input pixel in the specimen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ruler {
    /// Its edge in micrometres, above 0.
    pub um_per_px: f64,
    /// Whether it was measured from red cells: the scale bar then says so.
    pub is_estimate: bool,
}

impl Ruler {
    /// The same for a picture with one pixel per `scale` of this one's.
    fn of_copy(self, scale: f64) -> Self {
        Self { um_per_px: self.um_per_px * scale, ..self }
    }
}

/// The picture that an overlay is drawn on.
#[derive(Debug, Default)]
pub struct Base {
    /// The input or a downscaled copy; `None` if the super-resolved picture is as fine.
    input: Option<RgbImage>,
    /// Where the analysed picture lies on `input`.
    placement: Placement,
    /// For the pixels that are drawn on.
    ruler: Option<Ruler>,
}

impl Base {
    /// The super-resolved picture, for an analysis with this placement on its input.
    pub fn super_resolved(placement: &Placement, ruler: Option<Ruler>) -> Self {
        let ruler = ruler.map(|ruler| ruler.of_copy(placement.input_px_per_sr_px()));
        Self { input: None, placement: *placement, ruler }
    }

    /// The input, RGB as viewers show it, if it is finer than the super-resolved picture. One of more than
    /// [`MAX_OVERLAY_PX`] is downscaled, so that memory is bounded.
    ///
    /// # Errors
    /// Those of the resize.
    pub fn of_input(input: RgbImage, placement: &Placement, ruler: Option<Ruler>) -> Result<Self> {
        let (width, height) = input.dimensions();
        if placement.input_px_per_sr_px() <= 1.0 {
            return Ok(Self::super_resolved(placement, ruler));
        }
        if u64::from(width) * u64::from(height) <= MAX_OVERLAY_PX {
            return Ok(Self { input: Some(input), placement: *placement, ruler });
        }
        let scale = f64::from(width.max(height)) / f64::from(MAX_SHRUNK_OVERLAY_SIDE_PX);
        let (copy, copied) = resampled(&input, scale.max(1.0))?;
        let ruler = ruler.map(|ruler| ruler.of_copy(copied.scale));
        Ok(Self { input: Some(copy), placement: placement.on_copy(&copied), ruler })
    }

    /// Draws the overlay on the held input, or on a copy of the super-resolved picture, and returns it. The placement of the
    /// base must be that of the analysis.
    ///
    /// ```
    /// use bloodseg_vision::{analyser::{Analyser, Options}, model::store::Models, overlay::{Base, Ruler}};
    ///
    /// let input = image::RgbImage::from_pixel(640, 480, image::Rgb([230, 225, 235]));
    /// let mut analyser = Analyser::new(&Models::embedded()?, Options::default().um_per_px(0.1).any_quality())?;
    /// let found = analyser.analyse(&input)?;
    /// let ruler = Ruler { um_per_px: 0.1, is_estimate: false };
    /// let overlay = Base::of_input(input, &found.scaled().placement, Some(ruler))?.draw(found.analysis());
    /// assert_eq!(overlay.dimensions(), (640, 480));
    /// # Ok::<(), bloodseg_vision::error::Error>(())
    /// ```
    pub fn draw(self, analysis: &Analysis) -> RgbImage {
        let looks = looks(analysis);
        let mut drawn = match self.input {
            Some(mut input) => {
                on_input::draw(&mut input, &self.placement, analysis, &looks);
                input
            }
            None => {
                let mut drawn = outlined(&analysis.sr, &analysis.labels, &looks);
                shade_outside(&mut drawn, &analysis.outside.mask);
                drawn
            }
        };
        if let Some(ruler) = self.ruler {
            bar::draw(&mut drawn, ruler);
        }
        drawn
    }
}
