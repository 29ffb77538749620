//! The input of a segmenter: an enlarged low-resolution picture with normalised lamp and stain, produced by the same code
//! as on the device.

use anyhow::{Context, Result};
use image::{GrayImage, RgbImage, imageops, math::Rect};
use indicatif::ParallelProgressIterator;
use rayon::prelude::*;
use tch::Tensor;

use super::{
    field::class,
    set::{SampleSet, rgb_batch, to_gray, to_rgb, write_tensors},
};
use crate::{progress, recipe::settings::Places};
use bloodseg_vision::{
    frame::{normalise::Normalisation, resize::resize_rgb},
    geometry::{SCALE, TILE_PX},
    model::{golden::sha256, manifest::Role, store::Model},
    super_resolution::SuperResolution,
};

/// Version of this file's output: part of the cache key.
const RECIPE: u32 = 3;

/// How the input is enlarged.
#[derive(Debug)]
pub enum Enlarged {
    /// With a super-resolution model, as on the device.
    SuperResolved(Box<Model>),
    /// By bicubic interpolation.
    Bicubic,
    /// By repeating pixels.
    Nearest,
    /// Not at all: the segmenter enlarges.
    Straight,
}

impl Enlarged {
    /// With the int8 model in a folder of models.
    pub fn by_net(places: &Places) -> Result<Self> {
        Model::load(&places.models, "ssr", Role::SuperResolution)
            .map(|model| Self::SuperResolved(Box::new(model)))
            .context("a segmenter needs the super-resolution: run train-host ssr first")
    }

    /// With the float twin of that model.
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

    /// The enlarged pictures of a set, as the models output them: `[N, 3, H, W]`.
    pub fn pictures(&self, set: &SampleSet) -> Result<Tensor> {
        Ok(rgb_batch(self.enlarge(&low_resolution(set)?)?.iter()))
    }

    /// Replaces `hr` with the input of the segmenter; cached.
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
        let shown = shown(&set)?;
        pictures
            .par_iter_mut()
            .zip(&inputs)
            .zip(&shown)
            .for_each(|((picture, lr), shown)| normalise(picture, lr, shown));
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
                    // Golden outputs are not checked: those of a float twin depend on the processor.
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

/// A window of a sample: its position, and the part that shows its field, both in pixels of the low-resolution input.
type Shown = [Rect; 2];

/// The windows of every sample that show anything.
fn shown(set: &SampleSet) -> Result<Vec<Vec<Shown>>> {
    let a_side = Vec::<u8>::try_from(&set.windows_a_side)?;
    let of_sample = |(index, a_side): (usize, u8)| {
        let classes = to_gray(&set.classes.get(index as i64).get(0))?;
        let edge = TILE_PX / u32::from(a_side.max(1));
        let places = (0..u32::from(a_side)).flat_map(|row| (0..u32::from(a_side)).map(move |column| (column, row)));
        let window = |(column, row): (u32, u32)| Rect { x: column * edge, y: row * edge, width: edge, height: edge };
        Ok(places.map(window).filter_map(|window| Some([window, known(&classes, window)?])).collect())
    };
    a_side.into_iter().enumerate().map(of_sample).collect()
}

/// The smallest rectangle of a window that contains everything of its field.
fn known(classes: &GrayImage, window: Rect) -> Option<Rect> {
    let is_known = |x: u32, y: u32| {
        let middle = |at: u32| at * SCALE + SCALE / 2;
        classes.get_pixel(middle(x), middle(y)).0[0] != class::OUTSIDE
    };
    let (columns, rows) = (window.x..window.x + window.width, window.y..window.y + window.height);
    let of_column = |x: u32| rows.clone().any(|y| is_known(x, y));
    let of_row = |y: u32| columns.clone().any(|x| is_known(x, y));
    let (x, right) = (columns.clone().find(|x| of_column(*x))?, columns.clone().rfind(|x| of_column(*x))?);
    let (y, lower) = (rows.clone().find(|y| of_row(*y))?, rows.clone().rfind(|y| of_row(*y))?);
    Some(Rect { x, y, width: right + 1 - x, height: lower + 1 - y })
}

/// Lamp and stain of each window are measured on its field only, as the runtime does before it pads a picture.
fn normalise(picture: &mut RgbImage, lr: &RgbImage, shown: &[Shown]) {
    let part = |from: &RgbImage, r: Rect| imageops::crop_imm(from, r.x, r.y, r.width, r.height).to_image();
    // A segmenter that enlarges by itself receives the low-resolution input.
    let scale = picture.width() / lr.width();
    for [window, known] in shown {
        let laid = Rect {
            x: window.x * scale,
            y: window.y * scale,
            width: window.width * scale,
            height: window.height * scale,
        };
        let mut of_window = part(picture, laid);
        Normalisation::of(&part(lr, *known)).apply(&mut of_window);
        imageops::replace(picture, &of_window, i64::from(laid.x), i64::from(laid.y));
    }
}

fn low_resolution(set: &SampleSet) -> Result<Vec<RgbImage>> {
    (0..set.count()).map(|index| to_rgb(&set.lr.get(index))).collect()
}
