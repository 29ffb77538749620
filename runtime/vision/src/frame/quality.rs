//! Whether a frame shows cells that can be counted, judged from the low-resolution frame alone.
//!
//! A net finds something in any picture. So a frame is judged before it is analysed, and one that is out of focus,
//! empty, or badly exposed is reported as such instead of as cells.
//!
//! The limits below were chosen on the 80 training fields and the 10 rendered ones after the reference preparation, at
//! magnifications 0.5, 0.71, 1, 1.41 and 2. No field may fail undisturbed or mildly disturbed: blur of 0.6 px, noise of
//! 5 levels, JPEG quality 50, gains 0.5 and 1.2, a stain of 0.4 times its density, and pairs of these.

mod plane;
mod ranks;
mod sharpness;
#[cfg(test)]
mod tests;
mod trend;

use image::RgbImage;
use serde::Serialize;

use plane::Plane;
use ranks::Ranks;
use sharpness::Windows;
use trend::Trend;

/// The background of an under-exposed frame is darker than this, in levels.
/// The darkest of the fields at half its brightness has 69.
pub const LEAST_BRIGHTNESS_LEVELS: f64 = 40.0;

/// An empty frame has less contrast than this, in levels.
/// Flat frames with noise of 5 levels have at most 3.9 at 64x64 px and 5.0 at 768x512, dark corners or not; the palest
/// field at magnification 0.5 with its stain at 0.4 of its density has 6.9, and 6.1 when it is blurred as well.
pub const LEAST_CONTRAST_LEVELS: f64 = 5.5;

/// A frame out of focus is less sharp than this, in 1/px.
/// The least of the fields, all magnifications, is 0.321 with one of the mild faults and 0.316 with two.
pub const LEAST_SHARPNESS: f64 = 0.31;

/// A pixel this bright is clipped, in levels of its brightness: noise makes 255 a little less.
pub const CLIPPED_FROM_LEVEL: f64 = 248.0;

/// A frame without contrast is over-exposed rather than empty when this share of it is clipped.
/// A background that is clipped is usual in bright field, and no fault while the cells stand out.
pub const OVER_EXPOSED_SHARE: f64 = 0.30;

/// A frame is washed out when more than this share of it is clipped, and the rest is pale.
pub const WASHED_OUT_SHARE: f64 = 0.92;

/// Pale is what lies less than this below white, in levels: the median over what is not clipped.
/// Fields with a clipped background have a depth of 47 levels or more, and 0.73 of their area is clipped at most. A frame
/// that is over-exposed so far that only nuclei and overlaps are left may still pass, when they are dark.
pub const WASHED_OUT_DEPTH_LEVELS: f64 = 60.0;

/// Pixels that must stand out before a frame has contrast: half a cell of 5.5 px. A speck is smaller.
const STANDING_OUT_PX: usize = 12;

/// Degrees of the trends that are taken off before contrast and sharpness are measured. Contrast must not see dark
/// corners; sharpness must not lose the cells of a magnified frame, which are as wide as a trend of degree 4 can bend.
const CONTRAST_TREND_DEGREE: usize = 4;
const SHARPNESS_TREND_DEGREE: usize = 2;

/// What a frame is good for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Cells can be counted.
    #[default]
    Good,
    /// There is something, but blurred beyond counting.
    OutOfFocus,
    /// There is nothing to see.
    Empty,
    /// White has swallowed the cells.
    OverExposed,
    /// Hardly any light.
    UnderExposed,
    /// Nobody knows how large a cell would be: cells are not counted.
    ScaleUnknown,
    /// The pitch that was given makes the red cells of a size that blood does not have: they are counted all the same.
    ScaleDoubtful,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 7] = [
        Self::Good,
        Self::OutOfFocus,
        Self::Empty,
        Self::OverExposed,
        Self::UnderExposed,
        Self::ScaleUnknown,
        Self::ScaleDoubtful,
    ];

    /// The name in records and in JSON; it does not change from release to release.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::OutOfFocus => "out_of_focus",
            Self::Empty => "empty",
            Self::OverExposed => "over_exposed",
            Self::UnderExposed => "under_exposed",
            Self::ScaleUnknown => "scale_unknown",
            Self::ScaleDoubtful => "scale_doubtful",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::OutOfFocus => "out of focus",
            Self::Empty => "empty",
            Self::OverExposed => "over-exposed",
            Self::UnderExposed => "under-exposed",
            Self::ScaleUnknown => "scale unknown",
            Self::ScaleDoubtful => "scale doubtful",
        }
    }

    /// Whether nothing speaks against the count.
    pub fn is_good(self) -> bool {
        self == Self::Good
    }

    /// Whether cells are counted: of good pictures, of those whose scale is only doubtful, and with `any_quality` of all whose
    /// scale is known.
    pub fn is_counted(self, any_quality: bool) -> bool {
        matches!(self, Self::Good | Self::ScaleDoubtful) || (any_quality && self != Self::ScaleUnknown)
    }
}

/// A verdict and what it rests on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Quality {
    /// What the frame is good for.
    pub verdict: Verdict,
    /// Greatest slope of edges over their height, 1/px, made independent of the cells' size: about 0.2 to 0.6.
    /// None where there is nothing to see, or the frame is smaller than 9 px a side.
    pub sharpness: Option<f64>,
    /// How far the most conspicuous half cell stands out from the frame's median brightness, levels, 0 to 255.
    pub contrast_levels: f64,
    /// Share of the pixels that are as good as white, 0 to 1.
    pub clipped_share: f64,
    /// How far below white the middle one of the other pixels is, levels, 0 to 255; 0 where all are white.
    pub depth_levels: f64,
    /// Brightness of the background: the level that 5 % of the pixels exceed, 0 to 255.
    pub brightness_levels: f64,
}

impl Quality {
    /// The verdict in words with the figure that decided it.
    pub fn reason(&self) -> String {
        let words = self.verdict.words();
        match self.verdict {
            Verdict::Good => words.to_owned(),
            Verdict::OutOfFocus => format!(
                "{words} (sharpness {:.3}, expected at least {LEAST_SHARPNESS})",
                self.sharpness.unwrap_or_default()
            ),
            Verdict::Empty => format!(
                "{words} (contrast {:.1} levels, expected at least {LEAST_CONTRAST_LEVELS})",
                self.contrast_levels
            ),
            Verdict::OverExposed => format!(
                "{words} ({:.0} % of it white, contrast {:.1} levels)",
                100.0 * self.clipped_share,
                self.contrast_levels
            ),
            Verdict::UnderExposed => format!(
                "{words} (background at level {:.0}, expected at least {LEAST_BRIGHTNESS_LEVELS})",
                self.brightness_levels
            ),
            Verdict::ScaleUnknown => {
                format!(
                    "{words} (no red cells whose size could be measured, and no pitch; give --um-per-px or --as-is)"
                )
            }
            Verdict::ScaleDoubtful => {
                format!(
                    "{words} (the median red cell is not between 5 and 11 um at the pitch given; check --um-per-px)"
                )
            }
        }
    }

    fn verdict(&self) -> Verdict {
        let washed_out = self.clipped_share > WASHED_OUT_SHARE && self.depth_levels < WASHED_OUT_DEPTH_LEVELS;
        if self.brightness_levels < LEAST_BRIGHTNESS_LEVELS {
            Verdict::UnderExposed
        } else if self.contrast_levels < LEAST_CONTRAST_LEVELS {
            if self.clipped_share >= OVER_EXPOSED_SHARE { Verdict::OverExposed } else { Verdict::Empty }
        } else if washed_out {
            Verdict::OverExposed
        } else if self.sharpness.is_some_and(|sharpness| sharpness < LEAST_SHARPNESS) {
            Verdict::OutOfFocus
        } else {
            Verdict::Good
        }
    }
}

/// Judges a frame as the sensor saw it, of any size.
///
/// Of the 90 fields blurred by 2 px none passes at the reference magnification, and one each at 0.5 and 2; with noise of
/// 5 levels on top, one, one and four pass. Blur of 1 to 1.5 px may fall on either side. `tests/quality.rs` measures
/// this again.
pub fn judge(picture: &RgbImage) -> Quality {
    Judge::default().judge(picture)
}

/// Judges frames one after another, in the memory that the largest so far took.
#[derive(Debug, Default)]
pub struct Judge {
    luma: Plane,
    rest: Plane,
    trend: Trend,
    windows: Windows,
    ranks: Ranks,
}

impl Judge {
    /// As [`judge()`].
    pub fn judge(&mut self, picture: &RgbImage) -> Quality {
        if picture.is_empty() {
            return Quality { verdict: Verdict::Empty, ..Quality::default() };
        }
        self.luma.take_luma(picture);
        let levels = &self.luma.levels;
        let pixels = levels.len() as f64;
        self.ranks.count(levels);
        let dim = self.ranks.below(CLIPPED_FROM_LEVEL as f32);
        let clipped_share = 1.0 - dim as f64 / pixels;
        // What is clipped is above all the others.
        let depth_levels = if dim == 0 { 0.0 } else { 255.0 - self.ranks.nth(levels, dim / 2) };
        let brightness_levels = self.ranks.nth(levels, (pixels * 0.95) as usize);
        self.trend.fit(&self.luma, CONTRAST_TREND_DEGREE);
        let contrast_levels = self.contrast_levels();
        let mut quality = Quality {
            verdict: Verdict::Good,
            sharpness: None,
            contrast_levels,
            clipped_share,
            depth_levels,
            brightness_levels,
        };
        if contrast_levels >= LEAST_CONTRAST_LEVELS {
            self.trend.take_off(&self.luma, SHARPNESS_TREND_DEGREE, &mut self.rest);
            quality.sharpness = self.windows.sharpness(&self.rest);
        }
        quality.verdict = quality.verdict();
        quality
    }

    /// How far the pixel that is [`STANDING_OUT_PX`] from the most conspicuous one is from the median, each being the mean
    /// of 3x3: of noise that leaves a third, and of a frame of any size the few pixels that show something count.
    fn contrast_levels(&mut self) -> f64 {
        self.trend.take_off(&self.luma, CONTRAST_TREND_DEGREE, &mut self.rest);
        let levels = self.windows.smooth(&self.rest, &[1.0 / 3.0; 2]);
        let count = levels.len();
        self.ranks.count(levels);
        let median = self.ranks.nth(levels, count / 2) as f32;
        levels.iter_mut().for_each(|level| *level = (*level - median).abs());
        self.ranks.count(levels);
        self.ranks.nth(levels, count.saturating_sub(STANDING_OUT_PX + 1))
    }
}
