//! The manifest of a model: a TOML file beside the ONNX file, written by the trainer and read by the runtime.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Cause, Error, Result},
    geometry::PITCHES_UM,
};

/// Version of the manifest format that this software writes and reads.
pub const FORMAT: u32 = 1;

/// The task of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// 64x64 RGB to 256x256 RGB.
    SuperResolution,
    /// 256x256 RGB to two maps of 256x256, or four if it reports kinds.
    Segmentation,
}

/// The input or output tensor of a model.
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

/// Preparation of a picture before it is passed to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preparation {
    /// Nothing.
    #[default]
    AsIs,
    /// Lamp and stain are normalised with those of the whole frame: [`crate::frame::normalise`].
    NormalisedFrame,
}

/// The pitch that a model was trained for: the size of a low-resolution pixel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pitch {
    /// Micrometres per pixel of the 64x64 input.
    pub um_per_px: f64,
    /// Smallest pitch among the training windows.
    pub least_um_per_px: f64,
    /// Greatest pitch among the training windows.
    pub greatest_um_per_px: f64,
    /// How the pitch was determined.
    pub source: String,
}

/// How cells are extracted from the maps of a segmentation model. All levels are those of the output maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellRule {
    /// A pixel is foreground if its level is above this (128 is probability one half).
    pub foreground_level: u8,
    /// A peak of the core map is a separate cell only if it reaches this level.
    pub peak_level: u8,
    /// Two peaks are two cells only if the saddle between them is at least this far below the lower one.
    pub saddle_depth: u8,
    /// The same within a white cell, whose lobes are not cells; defaults to `saddle_depth`, which also applies without
    /// kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub white_saddle_depth: Option<u8>,
    /// A cell is white only if its white level exceeds that of red by more than this: white cells are rarer in blood than in
    /// training pictures.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub white_margin: u8,
    /// Smaller cells are specks, in pixels of the 256x256 grid.
    pub least_area_px: u32,
}

fn is_zero(level: &u8) -> bool {
    *level == 0
}

/// How a model was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// The command, without paths of the machine.
    pub command: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Total number of epochs.
    pub epochs: u32,
    /// Total number of optimiser steps.
    pub steps: u64,
    /// Data set, splits and number of fields.
    pub data: String,
    /// Licence of the weights, as required by the data.
    pub licence: String,
    /// Trainable parameters.
    pub parameters: u64,
    /// Multiply-accumulates per tile.
    pub macs: u64,
}

/// The golden input, and the required output.
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

/// The manifest of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Name, such as `ssr`.
    pub name: String,
    /// Version of the model.
    pub version: String,
    /// Its task.
    pub role: Role,
    /// Name of the ONNX file, in the same folder.
    pub file: String,
    /// Size of that file.
    pub size_bytes: u64,
    /// SHA-256 of that file, lower-case hexadecimal.
    pub sha256: String,
    /// ONNX operator set.
    pub opset: u32,
    /// Operators used, sorted.
    pub operators: Vec<String>,
    /// Preparation of a picture before it is the input.
    #[serde(default)]
    pub preparation: Preparation,
    /// The input.
    pub input: Tensor,
    /// The output.
    pub output: Tensor,
    /// The pitch it was trained for.
    pub pitch: Pitch,
    /// How to extract cells from the output; only for [`Role::Segmentation`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<CellRule>,
    /// How it was trained.
    pub training: Training,
    /// Figures by name, measured by the command in `figures_from`.
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
            Error::model(origin, Cause::with_source(e.message(), e.clone()), "a manifest as train-host writes it", "")
        })?;
        if manifest.format != FORMAT {
            return Err(Error::model(
                origin,
                format!("format {}", manifest.format),
                format!("format {FORMAT}"),
                "Use models made for this version",
            ));
        }
        manifest.check_numbers(origin)?;
        Ok(manifest)
    }

    /// Rejects numbers that no training produces: a picture scaled by them would have no pixels, or too many to hold.
    fn check_numbers(&self, origin: &str) -> Result<()> {
        let Pitch { um_per_px, least_um_per_px: least, greatest_um_per_px: greatest, .. } = self.pitch;
        let fault = |found: String, expected: &str| {
            Err(Error::model(origin, found, expected, "Use a manifest as train-host writes it"))
        };
        if ![um_per_px, least, greatest].iter().all(|um| PITCHES_UM.contains(um)) {
            let (low, high) = (PITCHES_UM.start(), PITCHES_UM.end());
            return fault(
                format!("a pitch of {um_per_px} um, from {least} to {greatest} um"),
                &format!("pitches of {low} to {high} um"),
            );
        }
        if !(least <= um_per_px && um_per_px <= greatest) {
            return fault(format!("a pitch of {um_per_px} um outside of {least} to {greatest} um"), "one between them");
        }
        if let Some((name, value)) = self.figures.iter().find(|(_, value)| !value.is_finite()) {
            return fault(format!("{name} = {value}"), "figures that are numbers");
        }
        Ok(())
    }

    /// The text of the manifest.
    pub fn to_text(&self) -> Result<String> {
        toml::to_string_pretty(self).map_err(|e| Error::internal("manifest", e))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::engine::fixture;

    #[test]
    fn implausible_numbers_are_rejected() {
        let (text, _) = fixture::files(&fixture::unet());
        let manifest = Manifest::parse(&text, "unet.toml").unwrap();
        let parsed = |change: &dyn Fn(&mut Manifest)| {
            let mut changed = manifest.clone();
            change(&mut changed);
            Manifest::parse(&changed.to_text().unwrap(), "unet.toml").map(|_| ()).map_err(|e| e.to_string())
        };
        parsed(&|_| ()).unwrap();
        for um in [1e-320, -1.0, 0.0, 9e18, f64::INFINITY, f64::NAN] {
            assert!(parsed(&|manifest| manifest.pitch.um_per_px = um).unwrap_err().contains("pitch"), "{um}");
            assert!(parsed(&|manifest| manifest.pitch.least_um_per_px = um).is_err(), "{um}");
            assert!(parsed(&|manifest| manifest.pitch.greatest_um_per_px = um).is_err(), "{um}");
            let figure = parsed(&|manifest| {
                manifest.figures.insert("dice".into(), um);
            });
            assert_eq!(figure.is_ok(), um.is_finite(), "{um}");
        }
        let swapped = parsed(&|manifest| {
            let pitch = &mut manifest.pitch;
            (pitch.least_um_per_px, pitch.um_per_px, pitch.greatest_um_per_px) = (3.0, 2.5, 2.0);
        });
        assert!(swapped.unwrap_err().contains("outside"));
    }
}
