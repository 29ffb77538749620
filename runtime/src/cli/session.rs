//! What every command starts with: the config and the models.

use std::path::{Path, PathBuf};

use super::{args::Args, print};
use crate::{
    config::Config,
    error::{Error, Result},
};
use bloodseg_bundles::{
    bundle::Contents,
    slots::{Active, Slots},
    tried::{Loader, TriedPipeline},
};
use bloodseg_vision::{
    engine::Setup,
    error,
    model::store::Models,
    pipeline::{Pipeline, limits::MAX_WORKERS},
};

/// The configuration of one call; flags override the file.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// The config file, or the defaults.
    pub(super) config: Config,
    /// Whether progress is hidden.
    pub(super) quiet: bool,
    models: ModelsAt,
    slots: Option<PathBuf>,
}

impl Loader for Session {
    fn load(&self, models: &Models) -> bloodseg_bundles::error::Result<Pipeline> {
        Ok(Self::load(self, models)?)
    }

    fn say(&self, words: &str) {
        print::problem(words);
    }
}

/// The source of the models.
#[derive(Debug, Clone)]
enum ModelsAt {
    Folder(PathBuf),
    Slots(PathBuf),
    BuiltIn,
}

impl Session {
    /// Reads the config file, if one is given.
    pub(super) fn begin(args: &Args) -> Result<Self> {
        let config = match &args.config {
            Some(path) => Config::load(path)?,
            None => Config::default(),
        };
        Ok(Self::with(config, args))
    }

    /// The same with a config that was already read.
    pub(super) fn with(config: Config, args: &Args) -> Self {
        // Flags override the file, and a folder overrides the slots.
        let models = match (&args.models, &args.slots, &config.models.dir, &config.models.slots) {
            (Some(folder), _, _, _) | (None, None, Some(folder), _) => ModelsAt::Folder(folder.clone()),
            (None, Some(slots), _, _) | (None, None, None, Some(slots)) => ModelsAt::Slots(slots.clone()),
            (None, None, None, None) => ModelsAt::BuiltIn,
        };
        let slots = args.slots.clone().or_else(|| config.models.slots.clone());
        Self { config, quiet: args.quiet, models, slots }
    }

    /// The models: `--models`, else the active ones of `--slots`, else the config's, else the built-in ones.
    pub(super) fn models(&self) -> Result<Models> {
        Ok(self.contents()?.models)
    }

    /// The same, with the validation in their bundle.
    pub(super) fn contents(&self) -> Result<Contents> {
        let models = match &self.models {
            ModelsAt::Folder(folder) => Models::load(folder)?,
            ModelsAt::Slots(folder) => {
                let Active { contents, running } = Slots::open(folder).load()?;
                if let Some(reason) = &running.fell_back {
                    log::warn!("using models {running} instead of the installed ones: {reason}");
                }
                return Ok(contents);
            }
            ModelsAt::BuiltIn => Models::embedded()?,
        };
        Ok(Contents { models, validation: None })
    }

    /// The pipeline of a run: its models may be on trial.
    pub(super) fn tried_pipeline(&self) -> Result<TriedPipeline> {
        let loader = Box::new(self.clone());
        match self.slots_in_use() {
            Some(slots) => Ok(TriedPipeline::from_slots(slots, loader)?),
            None => Ok(TriedPipeline::fixed(&self.models()?, loader)?),
        }
    }

    /// The same without a start that counts against models on trial: to measure what a run will need.
    ///
    /// # Errors
    /// Those of the models.
    pub(super) fn untried_pipeline(&self) -> Result<TriedPipeline> {
        Ok(TriedPipeline::fixed(&self.models()?, Box::new(self.clone()))?)
    }

    /// The folder of the models; `None` for built-in models and slots.
    pub(super) fn models_dir(&self) -> Option<&Path> {
        match &self.models {
            ModelsAt::Folder(folder) => Some(folder),
            _ => None,
        }
    }

    /// The slots, if the models come from them.
    pub(super) fn slots_in_use(&self) -> Option<Slots> {
        match &self.models {
            ModelsAt::Slots(folder) => Some(Slots::open(folder)),
            _ => None,
        }
    }

    /// The configured slots, whether the models come from them or not.
    pub(super) fn slots(&self) -> Option<Slots> {
        self.slots.as_deref().map(Slots::open)
    }

    /// Both models, checked and ready; see [`Pipeline::start_with`].
    pub(super) fn pipeline(&self) -> Result<Pipeline> {
        Ok(self.load(&self.models()?)?)
    }

    /// The same for given models.
    pub(super) fn load(&self, models: &Models) -> error::Result<Pipeline> {
        log::info!("ssr {}, unet {}", models.ssr.manifest.version, models.unet.manifest.version);
        Pipeline::start_with(models, &Setup::default(), self.threads())
    }

    /// Threads for the tiles of a picture.
    pub(super) fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.config.budget.threads.unwrap_or(cores.min(MAX_WORKERS))
    }

    /// The results folder: `--out`, else the config's; created if missing.
    pub(super) fn out(&self, flag: Option<&PathBuf>) -> Result<PathBuf> {
        let folder = flag
            .or(self.config.output.dir.as_ref())
            .ok_or_else(|| Error::usage("no results folder", "Pass --out DIR, or set output.dir in the config file"))?;
        std::fs::create_dir_all(folder).map_err(|e| Error::output(folder, e))?;
        Ok(folder.clone())
    }
}
