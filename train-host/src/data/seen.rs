//! What a segmenter sees of a low-resolution input: an enlarged picture, lamp and stain normalised, made by the very
//! code that makes it on the device.

use anyhow::{Context, Result};
use image::{RgbImage, imageops};
use indicatif::ParallelProgressIterator;
use rayon::prelude::*;
use tch::Tensor;

use super::set::{SampleSet, rgb_batch, to_rgb, write_tensors};
use crate::{progress, recipe::settings::Places};
use bloodseg_vision::{
    frame::{normalise::Normalisation, resize::resize_rgb},
    geometry::{SCALE, TILE_PX},
    model::{golden::sha256, manifest::Role, store::Model},
    super_resolution::SuperResolution,
};

/// Version of what this file makes: part of the cache's key.
const RECIPE: u32 = 2;

/// How the input is enlarged.
#[derive(Debug)]
pub enum Enlarged {
    /// By a super-resolution net: the device's way.
    SuperResolved(Box<Model>),
    /// By bicubic interpolation.
    Bicubic,
    /// By repeating pixels.
    Nearest,
    /// Not at all: the segmenter enlarges.
    Straight,
}

impl Enlarged {
    /// By the int8 net in a folder of models.
    pub fn by_net(places: &Places) -> Result<Self> {
        Model::load(&places.models, "ssr", Role::SuperResolution)
            .map(|model| Self::SuperResolved(Box::new(model)))
            .context("a segmenter needs the super-resolution: run train-host ssr first")
    }

    /// By the float twin of that net.
    pub fn by_float_net(places: &Places) -> Result<Self> {
        Model::load(&places.models.join("float"), "ssr", Role::SuperResolution)
            .map(|model| Self::SuperResolved(Box::new(model)))
            .context("the float twin of the super-resolution: run train-host ssr first")
    }

    fn key(&self) -> &str {
        match self {
            Self::SuperResolved(model) => &model.manifest.sha256,
            Self::Bicubic => "bicubic",
            Self::Nearest => "nearest",
            Self::Straight => "straight",
        }
    }

    /// The enlarged pictures of a set, as the nets put them out: `[N, 3, H, W]`.
    pub fn pictures(&self, set: &SampleSet) -> Result<Tensor> {
        Ok(rgb_batch(self.enlarge(&low_resolution(set)?)?.iter()))
    }

    /// Puts what the segmenter sees in the place of `hr`; kept in the cache.
    pub fn replace(&self, set: SampleSet, places: &Places) -> Result<SampleSet> {
        let inputs = Vec::<u8>::try_from(set.lr.contiguous().view([-1]))?;
        let key = sha256(format!("{RECIPE} {} {}", self.key(), sha256(&inputs)).as_bytes());
        let file = places.cache.join(format!("seen-{}.safetensors", &key[..16]));
        if file.is_file()
            && let Ok(tensors) = Tensor::read_safetensors(&file)
            && let Some((_, hr)) = tensors.into_iter().find(|(name, t)| name == "hr" && t.size()[0] == set.count())
        {
            return Ok(SampleSet { hr, ..set });
        }
        let inputs = low_resolution(&set)?;
        let mut pictures = self.enlarge(&inputs)?;
        pictures.par_iter_mut().zip(&inputs).for_each(|(picture, lr)| Normalisation::of(lr).apply(picture));
        let hr = rgb_batch(pictures.iter());
        write_tensors(&[("hr", &hr)], &file)?;
        Ok(SampleSet { hr, ..set })
    }

    fn enlarge(&self, inputs: &[RgbImage]) -> Result<Vec<RgbImage>> {
        let (width, height) = (TILE_PX * SCALE, TILE_PX * SCALE);
        let bar = progress::bar(inputs.len() as u64, "enlarging");
        let inputs = inputs.par_iter().progress_with(bar);
        match self {
            Self::SuperResolved(model) => inputs
                .map_init(
                    // Golden outputs are not asked for: a float twin's depend on the processor.
                    || SuperResolution::load_for(model, TILE_PX, TILE_PX),
                    |net, lr| match net {
                        Ok(net) => Ok(net.run(lr)?),
                        Err(e) => anyhow::bail!("{e}"),
                    },
                )
                .collect(),
            Self::Bicubic => inputs.map(|lr| Ok(resize_rgb(lr, width, height)?)).collect(),
            Self::Nearest => {
                Ok(inputs.map(|lr| imageops::resize(lr, width, height, imageops::FilterType::Nearest)).collect())
            }
            Self::Straight => Ok(inputs.cloned().collect()),
        }
    }
}

fn low_resolution(set: &SampleSet) -> Result<Vec<RgbImage>> {
    (0..set.count()).map(|index| to_rgb(&set.lr.get(index))).collect()
}
