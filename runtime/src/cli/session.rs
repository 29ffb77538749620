//! What every command begins with: the config, the models.

use std::path::{Path, PathBuf};

use super::args::Args;
use crate::{
    config::Config,
    engine::Setup,
    error::{Error, Result},
    limits::MAX_WORKERS,
    model::store::Models,
    pipeline::Pipeline,
};

/// The configuration of one call, flags before file.
#[derive(Debug)]
pub(super) struct Session {
    /// The config file, or the defaults.
    pub(super) config: Config,
    /// Whether progress is kept silent.
    pub(super) quiet: bool,
    models: Option<PathBuf>,
}

impl Session {
    /// Reads the config file, if one is named.
    pub(super) fn begin(args: &Args) -> Result<Self> {
        let config = match &args.config {
            Some(path) => Config::load(path)?,
            None => Config::default(),
        };
        Ok(Self::with(config, args))
    }

    /// The same with a config that was read already.
    pub(super) fn with(config: Config, args: &Args) -> Self {
        let models = args.models.clone().or_else(|| config.models.dir.clone());
        Self { config, quiet: args.quiet, models }
    }

    /// The models: `--models`, else the config's, else the built-in ones.
    pub(super) fn models(&self) -> Result<Models> {
        match &self.models {
            Some(folder) => Models::load(folder),
            None => Models::embedded(),
        }
    }

    /// The folder that the models come from; none for the built-in ones.
    pub(super) fn models_dir(&self) -> Option<&Path> {
        self.models.as_deref()
    }

    /// Both nets, checked and ready.
    pub(super) fn pipeline(&self) -> Result<Pipeline> {
        let models = self.models()?;
        log::info!("ssr {}, unet {}", models.ssr.manifest.version, models.unet.manifest.version);
        Pipeline::load_with(&models, &Setup::default(), self.threads())
    }

    /// Threads for the tiles of a picture.
    pub(super) fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.config.budget.threads.unwrap_or(cores.min(MAX_WORKERS))
    }

    /// The folder for results: `--out`, else the config's; made when it is not there.
    pub(super) fn out(&self, flag: Option<&PathBuf>) -> Result<PathBuf> {
        let folder = flag.or(self.config.output.dir.as_ref()).ok_or_else(|| Error::Config {
            origin: "output".into(),
            found: "no folder for the results".into(),
            todo: "Give --out DIR, or output.dir in the config file".into(),
        })?;
        std::fs::create_dir_all(folder).map_err(|e| Error::output(folder, e))?;
        Ok(folder.clone())
    }
}
