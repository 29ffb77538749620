//! What is known about a picture besides its pixels.

use super::options::check_pitch;
use crate::{
    error::{Error, Result},
    placement::Placement,
    scale::Outcome,
};

/// What is known about a picture besides its pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Known {
    /// Where the picture lies on the one that results refer to, if it was cut from or scaled from another one. All of it
    /// must be finite, and the scale above 0.
    pub placement: Placement,
    /// The pitch that its file states, in micrometres per pixel of the one that results refer to, 0.01 to 100;
    /// [`Options::um_per_px`](super::Options::um_per_px) takes precedence.
    pub um_per_px: Option<f64>,
    /// Its measurement by [`Analyser::share_scale`](super::Analyser::share_scale); without it, the picture is measured
    /// again.
    pub measured: Option<Outcome>,
}

impl Known {
    /// Refuses values that make no sense: a caller's mistake would otherwise look like a bad picture.
    pub(super) fn check(&self, given_um_per_px: Option<f64>) -> Result<()> {
        let Placement { scale, start_px } = self.placement;
        if !(scale.is_finite() && scale > 0.0 && start_px.iter().all(|px| px.is_finite())) {
            return Err(Error::picture(
                format!("a placement with scale {scale} at {start_px:?}"),
                "a scale above 0, and finite numbers",
                "",
            ));
        }
        let Some(um_per_px) = given_um_per_px.or(self.um_per_px) else { return Ok(()) };
        check_pitch(um_per_px)?;
        check_pitch(um_per_px * scale)
    }
}
