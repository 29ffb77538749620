//! Checks, on the low-resolution frame only, whether a frame shows cells that can be counted.
//!
//! A model finds something in any picture. So each frame is checked before it is analysed, and one that is out of focus,
//! empty, or badly exposed is reported as such instead of counted.
//!
//! The thresholds were chosen on the 80 training fields and the 10 rendered ones after the reference preparation, at
//! magnifications 0.5, 0.71, 1, 1.41 and 2. No field may fail undisturbed or mildly disturbed: blur of 0.6 px, noise of 5
//! levels, JPEG quality 50, gains 0.5 and 1.2, a stain of 0.4 times its density, and pairs of these.

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

/// A frame whose background is darker than this is under-exposed, in levels. The darkest of the fields at half its
/// brightness has 69.
pub const LEAST_BRIGHTNESS_LEVELS: f64 = 40.0;

/// A frame with less contrast than this is empty, in levels. Flat frames with noise of 5 levels have at most 3.9 at 64x64
/// px and 5.0 at 768x512, with or without dark corners; the palest field at magnification 0.5 with its stain at 0.4 of
/// its density has 6.9, and 6.1 if it is also blurred.
pub const LEAST_CONTRAST_LEVELS: f64 = 5.5;

/// A frame that is less sharp than this is out of focus, in 1/px. The minimum over the fields, at all magnifications, is
/// 0.321 with one of the mild disturbances and 0.316 with two.
pub const LEAST_SHARPNESS: f64 = 0.31;

/// Pixels this bright are clipped, in levels: noise makes 255 slightly less.
pub const CLIPPED_FROM_LEVEL: f64 = 248.0;

/// A frame without contrast is over-exposed rather than empty if this share of it is clipped. A clipped background is
/// usual in bright field, and harmless while the cells stand out.
pub const OVER_EXPOSED_SHARE: f64 = 0.30;

/// A frame is washed out when more than this share of it is clipped, and the rest is pale.
pub const WASHED_OUT_SHARE: f64 = 0.92;

/// Pale means less than this below white, in levels: the median over the pixels that are not clipped. Fields with a
/// clipped background have a depth of 47 levels or more, and at most 0.73 of their area is clipped. A frame that is so
/// over-exposed that only nuclei and overlaps are left may still pass if they are dark.
pub const WASHED_OUT_DEPTH_LEVELS: f64 = 60.0;

/// Pixels that must stand out for a frame to have contrast: half a cell of 5.5 px. Specks are smaller.
const STANDING_OUT_PX: usize = 12;

/// Degrees of the trends removed before contrast and sharpness are measured. Contrast must ignore dark corners; sharpness
/// must keep the cells of a magnified frame, which are as wide as a trend of degree 4 can bend.
const CONTRAST_TREND_DEGREE: usize = 4;
const SHARPNESS_TREND_DEGREE: usize = 2;

/// The quality of a frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Cells can be counted.
    #[default]
    Good,
    /// Blurred beyond counting.
    OutOfFocus,
    /// Shows nothing.
    Empty,
    /// Clipping has erased the cells.
    OverExposed,
    /// Almost no light.
    UnderExposed,
    /// The size of a cell is unknown, so cells are not counted.
    ScaleUnknown,
    /// At the given pitch cells are implausibly small or large, or come apart; they are counted anyway.
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

    /// The name in records and JSON; it is stable.
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

    /// Whether the frame is good.
    pub fn is_good(self) -> bool {
        self == Self::Good
    }

    /// Whether cells are counted: in good frames, in those with a doubtful scale, and with `any_quality` in all whose
    /// scale is known.
    pub fn is_counted(self, any_quality: bool) -> bool {
        matches!(self, Self::Good | Self::ScaleDoubtful) || (any_quality && self != Self::ScaleUnknown)
    }
}

/// A verdict and the measurements behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Quality {
    /// The quality of the frame.
    pub verdict: Verdict,
    /// Greatest edge slope over edge height, 1/px, corrected for cell size: about 0.2 to 0.6. `None` if there is nothing
    /// to measure, or the frame is smaller than 9 px per side.
    pub sharpness: Option<f64>,
    /// How far the most conspicuous half cell stands out from the frame's median brightness, in levels, 0 to 255.
    pub contrast_levels: f64,
    /// Share of almost white pixels, 0 to 1.
    pub clipped_share: f64,
    /// How far the median of the other pixels is below white, in levels, 0 to 255; 0 if all are white.
    pub depth_levels: f64,
    /// Brightness of the background: the level that 5 % of the pixels exceed, 0 to 255.
    pub brightness_levels: f64,
}

impl Quality {
    /// The verdict in words with the value that decided it.
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
                "{words} ({:.0} % clipped, contrast {:.1} levels)",
                100.0 * self.clipped_share,
                self.contrast_levels
            ),
            Verdict::UnderExposed => format!(
                "{words} (background at level {:.0}, expected at least {LEAST_BRIGHTNESS_LEVELS})",
                self.brightness_levels
            ),
            Verdict::ScaleUnknown => {
                format!("{words} (no pitch, and no measurable red cells; pass --um-per-px or --as-is)")
            }
            Verdict::ScaleDoubtful => {
                format!(
                    "{words} (at the given pitch the median red cell is not between 5 and 11 um, most cells are too large, or they come \
                     apart; check --um-per-px)"
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

/// Checks a frame as the sensor saw it, of any size.
///
/// Of the 90 fields blurred by 2 px, none passes at the reference magnification, and one each at 0.5 and 2; with noise of
/// 5 levels added, one, one and four pass. Blur of 1 to 1.5 px can go either way. `tests/quality.rs` measures this.
pub fn judge(picture: &RgbImage) -> Quality {
    Judge::default().judge(picture)
}

/// Checks frames one after another, reusing memory.
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
        // Clipped pixels are brighter than all others.
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

    /// The distance from the median of the [`STANDING_OUT_PX`]-th most conspicuous pixel, each averaged over 3x3: this
    /// reduces noise to a third, and a few significant pixels count in a frame of any size.
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
