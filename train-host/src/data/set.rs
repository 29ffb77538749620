//! Samples as tensors, generated once from a seed and cached in a file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use image::{GrayImage, RgbImage};
use indicatif::ParallelProgressIterator;
use rand::RngExt as _;
use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng};
use rayon::prelude::*;
use tch::{Kind, Tensor};

use super::{
    degrade::{Mixture, degrade},
    dyed_cells::{dye_red, dye_white},
    field::Field,
    quarters::Quarters,
    sources::Sources,
    white_cells::{has_white_cells, paste},
    window::{Sample, Window},
};
use crate::progress;
use bloodseg_vision::{geometry::REFERENCE_LR_PX, model::golden::sha256};

/// Samples as `u8` tensors on the CPU, batch first.
#[derive(Debug)]
pub struct SampleSet {
    /// `[N, 3, 64, 64]`.
    pub lr: Tensor,
    /// `[N, 3, 256, 256]`; for a segmenter its input instead, see [`super::seen`].
    pub hr: Tensor,
    /// `[N, 1, 256, 256]`, 0 or 255.
    pub foreground: Tensor,
    /// `[N, 1, 256, 256]`, 0 to 255.
    pub core: Tensor,
    /// `[N, 1, 256, 256]`, the class of each pixel; see [`super::field::class`].
    pub classes: Tensor,
    /// `[N]`, the number of windows per side of a sample; see [`super::quarters`].
    pub windows_a_side: Tensor,
}

/// Version of this file's output: part of the cache key.
const RECIPE: u32 = 5;

impl SampleSet {
    /// `count` random windows of `fields`, degraded by `mixture`, from `seed`; read from `cache` if present.
    pub fn windows(fields: &[Field], mixture: &Mixture, count: usize, seed: u64, cache: &Path) -> Result<Self> {
        let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
        let digests: Vec<String> = fields.iter().map(|f| sha256(f.picture.as_raw())).collect();
        // A teacher changes them.
        let labels: Vec<String> =
            fields.iter().map(|f| sha256(&[f.core.as_raw().as_slice(), f.classes.as_raw()].concat())).collect();
        let edges_px: Vec<f64> = fields.iter().map(|f| f.frame_edge_px).collect();
        let key = sha256(
            format!("{RECIPE} {mixture:?} {count} {seed} {names:?} {digests:?} {labels:?} {edges_px:?}").as_bytes(),
        );
        let file = cache.join(format!("windows-{}.safetensors", &key[..16]));
        if file.is_file() {
            match Self::read(&file) {
                Ok(set) if set.count() == count as i64 => return Ok(set),
                Ok(_) => log::warn!("{}: wrong length, regenerating", file.display()),
                Err(e) => log::warn!("{}: {e:#}, regenerating", file.display()),
            }
        }
        let (sources, donors) = (Sources::of(fields), Sources::with(fields, has_white_cells));
        let bar = progress::bar(count as u64, "windows");
        let samples: Vec<Quarters> = (0..count)
            .into_par_iter()
            .progress_with(bar)
            .map(|index| {
                // One generator per sample, so that the set does not depend on the number of threads.
                let mut rng = Pcg64Mcg::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index as u64);
                let mut draw = |lr_px: u32| {
                    let window = |field: &Field, rng: &mut Pcg64Mcg| {
                        let mut sample = Window::draw(field, lr_px, mixture.usual_share, rng).cut_to(field, lr_px)?;
                        sample.turn(rng);
                        anyhow::Ok(sample)
                    };
                    let mut sample = window(sources.draw(fields, &mut rng), &mut rng)?;
                    if !donors.is_empty() && rng.random_bool(mixture.pasted_share) {
                        paste(&mut sample, &window(donors.draw(fields, &mut rng), &mut rng)?)?;
                    }
                    if rng.random_bool(mixture.recoloured_share) {
                        dye_white(&mut sample, &mut rng)?;
                    }
                    if mixture.recoloured_red_share > 0.0 && rng.random_bool(mixture.recoloured_red_share) {
                        dye_red(&mut sample, &mut rng)?;
                    }
                    degrade(&mut sample, mixture, &mut rng)?;
                    Ok(sample)
                };
                // By number, so that the draws of a sample do not depend on how it is composed.
                match (index % 20) as f64 / 20.0 < mixture.quarters_share {
                    true => Quarters::draw(&mut draw),
                    false => draw(REFERENCE_LR_PX).map(Quarters::whole),
                }
            })
            .collect::<Result<_>>()?;
        let set = Self::from_samples(&samples);
        set.write(&file)?;
        Ok(set)
    }

    /// The reference preparation of every field, in order.
    pub fn reference(fields: &[Field]) -> Result<Self> {
        Self::cut(fields, Window::reference)
    }

    /// A frame at the models' pitch of every field, in order.
    pub fn frames(fields: &[Field]) -> Result<Self> {
        Self::cut(fields, Window::frame)
    }

    fn cut(fields: &[Field], window: impl Fn(&Field) -> Window + Sync) -> Result<Self> {
        let cut = |field: &Field| window(field).cut(field).map(Quarters::whole);
        Ok(Self::from_samples(&fields.par_iter().map(cut).collect::<Result<Vec<_>>>()?))
    }

    /// Number of samples.
    pub fn count(&self) -> i64 {
        self.lr.size()[0]
    }

    /// The same tensors again, without copying.
    pub fn shallow_clone(&self) -> Self {
        Self {
            lr: self.lr.shallow_clone(),
            hr: self.hr.shallow_clone(),
            foreground: self.foreground.shallow_clone(),
            core: self.core.shallow_clone(),
            classes: self.classes.shallow_clone(),
            windows_a_side: self.windows_a_side.shallow_clone(),
        }
    }

    fn from_samples(quarters: &[Quarters]) -> Self {
        let samples = || quarters.iter().map(|quarters| &quarters.sample);
        let rgb = |pick: fn(&Sample) -> &RgbImage| rgb_batch(samples().map(pick));
        let gray = |pick: fn(&Sample) -> &GrayImage| gray_batch(samples().map(pick));
        let windows_a_side: Vec<u8> = quarters.iter().map(|quarters| quarters.windows_a_side).collect();
        Self {
            lr: rgb(|s| &s.lr),
            hr: rgb(|s| &s.hr),
            foreground: gray(|s| &s.foreground),
            core: gray(|s| &s.core),
            classes: gray(|s| &s.classes),
            windows_a_side: Tensor::from_slice(&windows_a_side),
        }
    }

    fn read(file: &Path) -> Result<Self> {
        let mut tensors = Tensor::read_safetensors(file)?.into_iter().collect::<std::collections::BTreeMap<_, _>>();
        let mut take = |name: &str| tensors.remove(name).with_context(|| format!("no tensor '{name}'"));
        let set = Self {
            lr: take("lr")?,
            hr: take("hr")?,
            foreground: take("foreground")?,
            core: take("core")?,
            classes: take("classes")?,
            windows_a_side: take("windows_a_side")?,
        };
        let count = set.count();
        ensure!(set.lr.size() == [count, 3, 64, 64] && set.hr.size() == [count, 3, 256, 256], "unexpected shapes");
        ensure!(set.lr.kind() == Kind::Uint8, "unexpected type");
        Ok(set)
    }

    fn write(&self, file: &Path) -> Result<()> {
        let tensors = [
            ("lr", &self.lr),
            ("hr", &self.hr),
            ("foreground", &self.foreground),
            ("core", &self.core),
            ("classes", &self.classes),
            ("windows_a_side", &self.windows_a_side),
        ];
        write_tensors(&tensors, file)
    }
}

/// Writes named tensors to a safetensors file atomically.
pub fn write_tensors<T: AsRef<Tensor>>(tensors: &[(&str, T)], file: &Path) -> Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot create the folder", folder.display()))?;
    }
    let partial: PathBuf = file.with_extension("partial");
    Tensor::write_safetensors(tensors, &partial).with_context(|| format!("{}: cannot write", partial.display()))?;
    std::fs::rename(&partial, file).with_context(|| format!("{}: cannot rename", partial.display()))
}

/// Pictures to a `[N, 3, H, W]` tensor of levels.
pub fn rgb_batch<'a>(pictures: impl Iterator<Item = &'a RgbImage>) -> Tensor {
    let planes: Vec<Tensor> = pictures
        .map(|p| {
            let size = [i64::from(p.height()), i64::from(p.width()), 3];
            Tensor::from_slice(p.as_raw().as_slice()).view(size).permute([2, 0, 1])
        })
        .collect();
    Tensor::stack(&planes, 0).contiguous()
}

/// Grey pictures to a `[N, 1, H, W]` tensor of levels.
pub fn gray_batch<'a>(pictures: impl Iterator<Item = &'a GrayImage>) -> Tensor {
    let planes: Vec<Tensor> = pictures
        .map(|p| Tensor::from_slice(p.as_raw().as_slice()).view([1, i64::from(p.height()), i64::from(p.width())]))
        .collect();
    Tensor::stack(&planes, 0)
}

/// One `[3, H, W]` tensor of levels to a picture.
pub fn to_rgb(levels: &Tensor) -> Result<RgbImage> {
    let size = levels.size();
    let bytes = Vec::<u8>::try_from(levels.permute([1, 2, 0]).contiguous().view([-1]))?;
    RgbImage::from_raw(size[2] as u32, size[1] as u32, bytes).context("size of a picture")
}

/// One `[H, W]` tensor of levels to a grey picture.
pub fn to_gray(levels: &Tensor) -> Result<GrayImage> {
    let size = levels.size();
    let bytes = Vec::<u8>::try_from(levels.contiguous().view([-1]))?;
    GrayImage::from_raw(size[1] as u32, size[0] as u32, bytes).context("size of a picture")
}
