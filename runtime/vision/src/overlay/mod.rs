//! The overlay of an analysis: the outlines of its cells, what is no specimen, and a scale bar, over the finer of the input and
//! the super-resolved picture.

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

/// How large a pixel of the input is in the specimen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ruler {
    /// Its edge in micrometres, above 0.
    pub um_per_px: f64,
    /// Whether that was measured by the red cells: the scale bar then says so.
    pub is_estimate: bool,
}

impl Ruler {
    /// The same of a picture with one pixel for `scale` of this one's.
    fn of_copy(self, scale: f64) -> Self {
        Self { um_per_px: self.um_per_px * scale, ..self }
    }
}

/// What an overlay is drawn on.
#[derive(Debug, Default)]
pub struct Base {
    /// The input or a smaller copy of it; none where the super-resolved picture is as fine.
    input: Option<RgbImage>,
    /// How the analysed picture lies on `input`.
    placement: Placement,
    /// Of the pixels that are drawn on.
    ruler: Option<Ruler>,
}

impl Base {
    /// The super-resolved picture, for an analysis that lies on its input as `placement` says.
    pub fn super_resolved(placement: &Placement, ruler: Option<Ruler>) -> Self {
        let ruler = ruler.map(|ruler| ruler.of_copy(placement.input_px_per_sr_px()));
        Self { input: None, placement: *placement, ruler }
    }

    /// The input itself, RGB as viewers show it, where it is finer than the super-resolved picture; one of more than
    /// [`MAX_OVERLAY_PX`] is shrunk, so that what is kept is bounded.
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

    /// Draws the overlay, over the input that this holds or over a copy of the super-resolved picture.
    pub(crate) fn draw(self, analysis: &Analysis) -> RgbImage {
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
