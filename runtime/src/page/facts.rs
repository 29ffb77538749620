//! Facts that do not change during a run.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::Serialize;

use super::{guard::Token, history::RunSummary};
use bloodseg_vision::model::manifest::Manifest;

/// The description of a model.
#[derive(Debug, Clone, Serialize)]
pub struct ModelCard {
    /// `ssr` or `unet`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The first 12 digits of the SHA-256 of its file.
    pub sha256: String,
    /// Bytes of its file.
    pub size_bytes: u64,
    /// Pitch that it was trained for, in micrometres per pixel.
    pub um_per_px: f64,
    /// Trainable parameters.
    pub parameters: u64,
    /// Its training data.
    pub data: String,
    /// Licence of the weights.
    pub licence: String,
    /// Measured figures by name.
    pub figures: BTreeMap<String, f64>,
    /// The command that measured them.
    pub figures_from: String,
}

impl From<&Manifest> for ModelCard {
    fn from(manifest: &Manifest) -> Self {
        Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            sha256: manifest.sha256.chars().take(12).collect(),
            size_bytes: manifest.size_bytes,
            um_per_px: manifest.pitch.um_per_px,
            parameters: manifest.training.parameters,
            data: manifest.training.data.clone(),
            licence: manifest.training.licence.clone(),
            figures: manifest.figures.clone(),
            figures_from: manifest.figures_from.clone(),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Facts {
    /// Name of the source.
    pub source: String,
    /// Its one-line description.
    pub source_words: String,
    /// Start of the run, UTC.
    pub started_utc: String,
    /// Edge of a pixel of the frames in the specimen, if known.
    pub um_per_px: Option<f64>,
    /// Earlier runs in the same folder.
    pub earlier_runs: Vec<RunSummary>,
    /// Memory allowed by the config.
    pub budget_bytes: Option<u64>,
    /// Address of the page.
    pub address: SocketAddr,
    /// The token that readers need, if any.
    pub token: Option<Token>,
}

/// The cards of both models.
pub fn cards(manifests: &[Manifest; 2]) -> Vec<ModelCard> {
    manifests.each_ref().map(ModelCard::from).into()
}
