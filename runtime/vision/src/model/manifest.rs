//! The manifest of a model: a TOML file beside the ONNX file, written by the trainer, read by the runtime.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Cause, Error, Result};

/// Version of the manifest's format that this software writes and reads.
pub const FORMAT: u32 = 1;

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// 64x64 RGB to 256x256 RGB.
    SuperResolution,
    /// 256x256 RGB to two maps of 256x256.
    Segmentation,
}

/// One tensor at the edge of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tensor {
    /// Name in the graph.
    pub name: String,
    /// Element type; always `u8`.
    pub dtype: String,
    /// Shape, batch first, channels before rows: `[1, channels, height, width]`.
    pub shape: [usize; 4],
    /// Least and greatest value.
    pub range: [u8; 2],
    /// What the values mean.
    pub meaning: String,
}

/// What is done to a picture before a model sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preparation {
    /// Nothing.
    #[default]
    AsIs,
    /// Lamp and stain are normalised by those of the whole frame: [`crate::frame::normalise`].
    NormalisedFrame,
}

/// The pitch, that is the size of a low-resolution pixel, that a model was trained for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pitch {
    /// Micrometres a pixel of the 64x64 input.
    pub um_per_px: f64,
    /// Smallest pitch among the training windows.
    pub least_um_per_px: f64,
    /// Greatest pitch among the training windows.
    pub greatest_um_per_px: f64,
    /// How the pitch is known.
    pub source: String,
}

/// How cells are read off the maps of a segmentation model. All levels are those of the output maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellRule {
    /// A pixel is foreground when its level is above this (128 is probability one half).
    pub foreground_level: u8,
    /// A peak of the core map makes a cell of its own only when it reaches this level.
    pub peak_level: u8,
    /// Two peaks are two cells only when the saddle between them lies at least this far below the lower one.
    pub saddle_depth: u8,
    /// Smaller cells are specks, in pixels of the 256x256 grid.
    pub least_area_px: u32,
}

/// How a model came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// The command, without paths of the machine.
    pub command: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Epochs in all.
    pub epochs: u32,
    /// Optimiser steps in all.
    pub steps: u64,
    /// Data set, splits and number of fields.
    pub data: String,
    /// Licence of the weights, as the data demands it.
    pub licence: String,
    /// Trainable parameters.
    pub parameters: u64,
    /// Multiply-accumulates a tile.
    pub macs: u64,
}

/// The input that the model is started with, and what it must answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// [`crate::model::golden::GENERATOR`].
    pub generator: String,
    /// Seed of the generator.
    pub seed: u64,
    /// SHA-256 of the output's bytes, lower-case hexadecimal.
    pub output_sha256: String,
}

/// All that is known of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Name, such as `ssr`.
    pub name: String,
    /// Version of the model.
    pub version: String,
    /// What it is for.
    pub role: Role,
    /// Name of the ONNX file, in the same folder.
    pub file: String,
    /// Size of that file.
    pub size_bytes: u64,
    /// SHA-256 of that file, lower-case hexadecimal.
    pub sha256: String,
    /// ONNX operator set.
    pub opset: u32,
    /// Operators that occur, sorted.
    pub operators: Vec<String>,
    /// What is done to a picture before it is the input.
    #[serde(default)]
    pub preparation: Preparation,
    /// The input.
    pub input: Tensor,
    /// The output.
    pub output: Tensor,
    /// The pitch it was trained for.
    pub pitch: Pitch,
    /// How to read cells off the output; for [`Role::Segmentation`] alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<CellRule>,
    /// How it was trained.
    pub training: Training,
    /// Figures by name, each measured by the command that `figures_from` names.
    pub figures: BTreeMap<String, f64>,
    /// The command that measured the figures, and the split.
    pub figures_from: String,
    /// The golden input and the hash of its output.
    pub golden: Golden,
}

impl Manifest {
    /// Reads the text of a manifest; `origin` names it in errors.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        let manifest: Self = toml::from_str(text).map_err(|e| {
            Error::model(origin, Cause::told(e.message(), e.clone()), "a manifest as train-host writes it", "")
        })?;
        if manifest.format != FORMAT {
            return Err(Error::model(
                origin,
                format!("format {}", manifest.format),
                format!("format {FORMAT}"),
                "Use models made for this version",
            ));
        }
        Ok(manifest)
    }

    /// The text of the manifest.
    pub fn to_text(&self) -> Result<String> {
        toml::to_string_pretty(self).map_err(|e| Error::internal("manifest", e))
    }
}
