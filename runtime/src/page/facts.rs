//! What does not change while a run goes on.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::Serialize;

use super::{guard::Token, history::RunTold};
use bloodseg_vision::model::manifest::Manifest;

/// What a model says of itself.
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
    /// Micrometres a pixel that it was trained for.
    pub um_per_px: f64,
    /// Trainable parameters.
    pub parameters: u64,
    /// What it was trained on.
    pub data: String,
    /// Licence of the weights.
    pub licence: String,
    /// Measured figures by name.
    pub figures: BTreeMap<String, f64>,
    /// What measured them.
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
    /// One line on it.
    pub source_words: String,
    /// When the run began, UTC.
    pub started_utc: String,
    /// Edge of a pixel of the frames in the specimen, where it is known.
    pub um_per_px: Option<f64>,
    /// Runs before it in the same folder.
    pub earlier_runs: Vec<RunTold>,
    /// Memory that the config allows.
    pub budget_bytes: Option<u64>,
    /// Where the page is served.
    pub address: SocketAddr,
    /// What a reader has to know, if anything.
    pub token: Option<Token>,
}

/// The cards of both models.
pub fn cards(manifests: &[Manifest; 2]) -> Vec<ModelCard> {
    manifests.each_ref().map(ModelCard::from).into()
}
