//! Every hyper-parameter of a run, on one screen.

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// Version of what determines the result of a run besides its settings: samples, loss, optimiser. Raise it when a run that
/// an older version began cannot be resumed.
pub const RECIPE: u32 = 2;

/// Everything that determines the result of a run. Stored beside the checkpoints, so that a run is only resumed with the
/// same settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// [`RECIPE`] of the program that began the run.
    #[serde(default = "first_recipe")]
    pub recipe: u32,
    /// Seed for everything random.
    pub seed: u64,
    /// Total number of epochs.
    pub epochs: u32,
    /// Number of final epochs with quantization-aware training.
    pub quantized_epochs: u32,
    /// Random windows, generated once; each epoch uses each of them once.
    pub windows: usize,
    /// Samples per step.
    pub batch: usize,
    /// Learning rate after the warm-up; it falls to a hundredth along a cosine.
    pub learning_rate: f64,
    /// Steps over which the learning rate rises from zero.
    pub warmup_steps: u64,
    /// Decay of the moving average of the weights, which is validated and exported.
    pub average_decay: f64,
    /// Precision of the convolutions in training steps.
    pub precision: Precision,
    /// Channels of the segmenter over the usual ones.
    #[serde(default = "usual_width")]
    pub width: u32,
    /// The hash of the teacher's segmenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher: Option<String>,
}

/// Recipe of runs recorded before it had a version.
fn first_recipe() -> u32 {
    1
}

/// Width of runs recorded before it was an option.
fn usual_width() -> u32 {
    1
}

/// A number type for training. Validation, calibration and export always use `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    F32,
    /// 16 bits with the range of 32: faster on processors that support it.
    Bf16,
}

impl Precision {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// The type in libtorch.
    pub fn kind(self) -> tch::Kind {
        match self {
            Self::F32 => tch::Kind::Float,
            Self::Bf16 => tch::Kind::BFloat16,
        }
    }
}

impl Settings {
    /// Steps per epoch; an incomplete last batch is dropped.
    pub fn steps_per_epoch(&self) -> u64 {
        (self.windows / self.batch) as u64
    }

    /// Total number of steps.
    pub fn steps(&self) -> u64 {
        self.steps_per_epoch() * u64::from(self.epochs)
    }

    /// Whether an epoch (from 0) is quantization-aware.
    pub fn is_quantized(&self, epoch: u32) -> bool {
        epoch + self.quantized_epochs >= self.epochs
    }

    /// The learning rate of a step.
    pub fn learning_rate_at(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.learning_rate * (step + 1) as f64 / self.warmup_steps as f64;
        }
        let done = (step - self.warmup_steps) as f64 / (self.steps().saturating_sub(self.warmup_steps)).max(1) as f64;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        self.learning_rate * (0.01 + 0.99 * cosine)
    }

    /// Rejects values that cannot train.
    pub fn check(&self) -> Result<()> {
        if self.epochs == 0 || self.quantized_epochs == 0 || self.quantized_epochs > self.epochs {
            bail!("--epochs {} with {} quantized: expected at least one of each", self.epochs, self.quantized_epochs);
        }
        if self.batch == 0 || self.windows < self.batch {
            bail!("--batch {} of --windows {}: expected at least one full batch", self.batch, self.windows);
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            bail!("--learning-rate {}: expected a number above zero", self.learning_rate);
        }
        Ok(())
    }
}

/// Input and output folders of a run, which do not affect its result.
#[derive(Debug, Clone)]
pub struct Places {
    /// The data set.
    pub data: PathBuf,
    /// Checkpoints, log and settings.
    pub checkpoints: PathBuf,
    /// Generated data that can be deleted.
    pub cache: PathBuf,
    /// The exported models.
    pub models: PathBuf,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn settings() -> Settings {
        Settings {
            recipe: RECIPE,
            seed: 1,
            epochs: 4,
            quantized_epochs: 1,
            windows: 70,
            batch: 16,
            learning_rate: 1e-3,
            warmup_steps: 4,
            average_decay: 0.99,
            precision: Precision::F32,
            width: 1,
            teacher: None,
        }
    }

    #[test]
    fn learning_rate_warms_up_then_decays_to_a_hundredth() {
        let s = settings();
        assert_eq!((s.steps_per_epoch(), s.steps()), (4, 16));
        let rates: Vec<f64> = (0..16).map(|step| s.learning_rate_at(step)).collect();
        assert!(rates[..4].is_sorted() && rates[3..].is_sorted_by(|a, b| a >= b), "{rates:?}");
        assert!((rates[3] - 1e-3).abs() < 1e-12);
        assert!((s.learning_rate_at(16) - 1e-5).abs() < 1e-12);
    }

    #[test]
    fn last_epochs_are_quantized() {
        let s = settings();
        assert_eq!([0, 1, 2, 3].map(|epoch| s.is_quantized(epoch)), [false, false, false, true]);
    }

    #[test]
    fn untrainable_settings_are_rejected() {
        assert!(settings().check().is_ok());
        for bad in [
            Settings { epochs: 0, ..settings() },
            Settings { quantized_epochs: 5, ..settings() },
            Settings { windows: 15, ..settings() },
            Settings { batch: 0, ..settings() },
            Settings { learning_rate: f64::NAN, ..settings() },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn settings_recorded_by_older_programs_have_the_first_recipe_and_the_usual_width() {
        let text = toml::to_string(&settings()).unwrap();
        let is_old = |line: &&str| !line.starts_with("width") && !line.starts_with("recipe");
        let old: String = text.lines().filter(is_old).map(|line| format!("{line}\n")).collect();
        assert!(old.len() < text.len() && !old.contains("teacher"));
        assert_eq!(toml::from_str::<Settings>(&old).unwrap(), Settings { recipe: 1, ..settings() });
        assert!(toml::from_str::<Settings>(&old.replace("seed = 1\n", "")).is_err());
    }
}
