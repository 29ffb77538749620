//! Training pictures of the segmenter: what the exported super-resolution makes of the inputs, by the very
//! engine that runs it on the device.

use anyhow::{Context, Result};
use bloodseg::{
    model::{golden::sha256, manifest::Role, store::Model},
    super_resolution::SuperResolution,
};
use image::RgbImage;
use indicatif::ParallelProgressIterator;
use rayon::prelude::*;
use tch::Tensor;

use super::set::{SampleSet, rgb_batch, to_rgb, write_tensors};
use crate::{progress, recipe::settings::Places};

/// Puts the super-resolved inputs in the place of `hr`; kept in the cache by the model's hash.
pub fn replace(set: SampleSet, places: &Places) -> Result<SampleSet> {
    let model = Model::load(&places.models, "ssr", Role::SuperResolution)
        .context("train-host unet needs the super-resolution: run train-host ssr first")?;
    let inputs = Vec::<u8>::try_from(set.lr.contiguous().view([-1]))?;
    let key = sha256(format!("{} {}", model.manifest.sha256, sha256(&inputs)).as_bytes());
    let file = places.cache.join(format!("super-resolved-{}.safetensors", &key[..16]));
    if file.is_file()
        && let Ok(tensors) = Tensor::read_safetensors(&file)
        && let Some((_, hr)) = tensors.into_iter().find(|(name, t)| name == "hr" && t.size() == set.hr.size())
    {
        return Ok(SampleSet { hr, ..set });
    }
    let bar = progress::bar(set.count() as u64, "super-resolving");
    let pictures: Vec<RgbImage> = (0..set.count())
        .map(|index| to_rgb(&set.lr.get(index)))
        .collect::<Result<Vec<_>>>()?
        .into_par_iter()
        .progress_with(bar)
        .map_init(
            || SuperResolution::load(&model),
            |net, lr| match net {
                Ok(net) => Ok(net.run(&lr)?),
                Err(e) => anyhow::bail!("{e}"),
            },
        )
        .collect::<Result<_>>()?;
    let hr = rgb_batch(pictures.iter());
    write_tensors(&[("hr", &hr)], &file)?;
    Ok(SampleSet { hr, ..set })
}
