//! The steps of a frame in the pipeline.

use serde::Serialize;

use super::Timings;
use bloodseg_vision::pipeline::StepTimes;

/// Times of each step of a frame, in order. Those of one run add up to that run; all have the same number of runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Steps {
    /// Detection of the specimen.
    pub specimen: Timings,
    /// The quality check.
    pub judge: Timings,
    /// Super-resolution.
    pub ssr: Timings,
    /// Background and contrast of the frame.
    pub normalise: Timings,
    /// Segmentation.
    pub unet: Timings,
    /// Cutting, padding, normalising and stitching tiles.
    pub tiling: Timings,
    /// Maps to labels.
    pub split: Timings,
    /// Comparison of the super-resolved picture with the input.
    pub consistency: Timings,
    /// Labels to measures.
    pub measure: Timings,
    /// The time between them.
    pub rest: Timings,
}

impl Steps {
    /// Summarises the runs.
    pub(super) fn of(runs: &[StepTimes]) -> Self {
        let step = |of: fn(&StepTimes) -> f64| Timings::of(runs.iter().map(of).collect());
        Self {
            specimen: step(|run| run.specimen_ms),
            judge: step(|run| run.judge_ms),
            ssr: step(|run| run.ssr_ms),
            normalise: step(|run| run.normalise_ms),
            unet: step(|run| run.unet_ms),
            tiling: step(|run| run.tiling_ms),
            split: step(|run| run.split_ms),
            consistency: step(|run| run.consistency_ms),
            measure: step(|run| run.measure_ms),
            rest: step(rest_ms),
        }
    }

    /// All steps with their names.
    pub fn named(&self) -> [(&'static str, &Timings); 10] {
        [
            ("specimen", &self.specimen),
            ("judge", &self.judge),
            ("ssr model", &self.ssr),
            ("normalise", &self.normalise),
            ("unet model", &self.unet),
            ("tiling", &self.tiling),
            ("split", &self.split),
            ("consistency", &self.consistency),
            ("measure", &self.measure),
            ("rest", &self.rest),
        ]
    }
}

fn rest_ms(run: &StepTimes) -> f64 {
    let StepTimes {
        specimen_ms,
        judge_ms,
        ssr_ms,
        normalise_ms,
        unet_ms,
        tiling_ms,
        split_ms,
        consistency_ms,
        measure_ms,
        total_ms,
    } = *run;
    let known =
        specimen_ms + judge_ms + ssr_ms + normalise_ms + unet_ms + tiling_ms + split_ms + consistency_ms + measure_ms;
    (total_ms - known).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_add_up_to_the_frame() {
        let run = StepTimes {
            specimen_ms: 0.5,
            judge_ms: 1.0,
            ssr_ms: 2.0,
            normalise_ms: 3.0,
            unet_ms: 4.0,
            tiling_ms: 5.0,
            split_ms: 6.0,
            consistency_ms: 7.0,
            measure_ms: 8.0,
            total_ms: 37.5,
        };
        let steps = Steps::of(&[run; 3]);
        assert_eq!(steps.named().iter().map(|(_, times)| times.total_ms).sum::<f64>(), 3.0 * 37.5);
        assert_eq!((steps.rest.median_ms, steps.rest.runs), (1.0, 3));
    }
}
