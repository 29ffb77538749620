//! What is kept about a run itself.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::SystemTime,
};

use bloodseg_vision::model::manifest::Manifest;

/// A run, as described at the start of its records.
#[derive(Debug, Clone)]
pub struct RunInfo {
    /// Distinguishes it from every other run; see [`RunInfo::new_mark`]. Reopening the records with the same mark
    /// continues the run.
    pub mark: i64,
    /// Name of the source, as the user gave it.
    pub source: String,
    /// What the source is.
    pub description: String,
    /// When it started, by the wall clock.
    pub started: SystemTime,
    /// Size of a pixel of the frames in the specimen, in micrometres, if known.
    pub um_per_px: Option<f64>,
    /// How the pitch is known, or empty.
    pub pitch_from: String,
    /// Version of this software.
    pub software: String,
    /// The networks.
    pub models: Vec<ModelInfo>,
    /// Other options of the run, or empty.
    pub notes: String,
}

impl RunInfo {
    /// A mark that no other run has: the clock cannot distinguish two runs on a box that wakes up in 1970 each time.
    pub fn new_mark() -> i64 {
        // The seed of a hash table is the one random number in the standard library.
        RandomState::new().build_hasher().finish().cast_signed()
    }
}

/// A network, so that its counts can be distinguished from those of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// `ssr` or `unet`: its purpose.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file, in hexadecimal digits.
    pub sha256: String,
}

impl ModelInfo {
    /// What a manifest says; `role` is the purpose of the network.
    pub fn of(role: &str, manifest: &Manifest) -> Self {
        Self {
            role: role.to_owned(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            sha256: manifest.sha256.clone(),
        }
    }
}
