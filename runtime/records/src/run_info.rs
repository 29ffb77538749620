//! What is kept of a run itself.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::SystemTime,
};

use bloodseg_vision::model::manifest::Manifest;

/// A run, as its records begin.
#[derive(Debug, Clone)]
pub struct RunInfo {
    /// Tells it from every other run; see [`RunInfo::new_mark`]. Whoever opens the records with the same mark again goes on
    /// with the run.
    pub mark: i64,
    /// Name of the source, as the user gave it.
    pub source: String,
    /// What the source is.
    pub description: String,
    /// When it started, by the wall's clock.
    pub started: SystemTime,
    /// Edge of a pixel of the frames in the specimen, in micrometres, where it is known.
    pub um_per_px: Option<f64>,
    /// How the pitch is known, or empty.
    pub pitch_from: String,
    /// Version of this software.
    pub software: String,
    /// The nets.
    pub models: Vec<ModelInfo>,
    /// What else was asked for, or empty.
    pub notes: String,
}

impl RunInfo {
    /// A mark that no other run has: the clock cannot tell two runs apart on a box that wakes up in 1970 each time.
    pub fn new_mark() -> i64 {
        // The seed of a hash table is the one random number that the standard library gives.
        RandomState::new().build_hasher().finish().cast_signed()
    }
}

/// A net, so that what it counted can be told from what another did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// `ssr` or `unet`: what it is for.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file, in hexadecimal digits.
    pub sha256: String,
}

impl ModelInfo {
    /// What a manifest says; `role` is what the net is for.
    pub fn of(role: &str, manifest: &Manifest) -> Self {
        Self {
            role: role.to_owned(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            sha256: manifest.sha256.clone(),
        }
    }
}
