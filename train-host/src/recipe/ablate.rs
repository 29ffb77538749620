//! `train-host ablate`: the contribution of each part, in one table on one split from one seed.
//!
//! Three segmenters are trained with the same settings: on super-resolved pictures, on bicubic ones, and directly on the
//! low resolution. The first is also evaluated on pictures that it was not trained on, and with and without splitting of
//! cells. All models are int8 unless the row says float.

use std::path::Path;

use anyhow::{Context, Result};
use image::GrayImage;
use tch::{Device, Tensor};

use super::{
    cells::truth_of_mask,
    checkpoint::last_epoch,
    settings::{Places, Settings},
    train::{Task, train},
    unet::{Measured, Unet},
};
use crate::{
    data::{
        degrade::Mixture,
        field::Field,
        seen::Enlarged,
        set::{SampleSet, to_gray, to_rgb},
    },
    net::{self, Net},
};
use bloodseg_evaluate::measures::{
    foreground::overlap,
    instances::{InstanceSums, match_instances},
    mean,
    psnr::psnr_db,
};
use bloodseg_vision::{
    cells::{Labels, components, split},
    model::manifest::CellRule,
    segmentation::CellMaps,
};

/// One row of the table.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Row {
    /// The input of the segmenter.
    pub picture: String,
    /// Its training input.
    pub trained_on: String,
    /// How cells were extracted.
    pub cells: String,
    /// Mean PSNR of the picture, dB; `None` if there is no picture.
    pub psnr_db: Option<f64>,
    /// Mean Dice of the foreground.
    pub dice: f64,
    /// Mean IoU of the foreground.
    pub iou: f64,
    /// AP50 of the cells.
    pub ap50: f64,
    /// Panoptic quality of the cells.
    pub pq: f64,
    /// Mean relative count error.
    pub count_error: f64,
}

/// The fields of an ablation.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    /// For training.
    pub trained: &'a [Field],
    /// For selection.
    pub held_back: &'a [Field],
    /// Reported.
    pub reported: &'a [Field],
}

/// How cells are extracted from the maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Peaks of the core map, grown.
    Split,
    /// Components of the foreground only.
    Components,
}

/// A trained segmenter with its rule.
struct Segmenter {
    task: Unet,
    state: super::checkpoint::State,
    rule: CellRule,
    trained_on: &'static str,
}

/// Trains what is missing in `places.checkpoints`, and evaluates every row on the reported fields.
pub fn ablate(fields: Fields<'_>, settings: &Settings, places: &Places, device: Device) -> Result<Vec<Row>> {
    let windows =
        || SampleSet::windows(fields.trained, &Mixture::CELLS, settings.windows, settings.seed, &places.cache);
    let segmenter = |name: &'static str, net: Net, enlarged: &Enlarged| -> Result<Segmenter> {
        let measured = |of: &[Field]| Measured::new(enlarged.replace(SampleSet::reference(of)?, places)?, of);
        let task = Unet::new(
            net,
            enlarged.replace(windows()?, places)?,
            measured(fields.held_back)?,
            measured(fields.reported)?,
            device,
        );
        let folder = places.checkpoints.join(name);
        let state = train(&task, settings, &folder, device, last_epoch(&folder).is_some())?;
        let grids = state.grids.as_ref().context("the best checkpoint is not quantized")?;
        let rule = task.cell_rule(&state.average, grids)?.context("a segmenter has a rule")?;
        Ok(Segmenter { task, state, rule, trained_on: name })
    };
    let reported = Reported::new(fields.reported)?;
    let (int8, float) = (Enlarged::by_net(places)?, Enlarged::by_float_net(places)?);

    let mut rows = Vec::new();
    let on_sr = segmenter("sr", net::unet::net(), &int8)?;
    for (name, enlarged) in
        [("nearest", &Enlarged::Nearest), ("bicubic", &Enlarged::Bicubic), ("sr float", &float), ("sr int8", &int8)]
    {
        rows.push(reported.row(name, enlarged, &on_sr, Reading::Split, places)?);
    }
    rows.push(reported.row("sr int8", &int8, &on_sr, Reading::Components, places)?);
    drop(on_sr);
    let on_bicubic = segmenter("bicubic", net::unet::net(), &Enlarged::Bicubic)?;
    rows.push(reported.row("bicubic", &Enlarged::Bicubic, &on_bicubic, Reading::Split, places)?);
    drop(on_bicubic);
    let straight = segmenter("straight", net::straight::net(), &Enlarged::Straight)?;
    for reading in [Reading::Split, Reading::Components] {
        rows.push(reported.row("none: 64x64", &Enlarged::Straight, &straight, reading, places)?);
    }
    Ok(rows)
}

/// The reported fields with their truth.
struct Reported {
    set: SampleSet,
    truths: Vec<Labels>,
    masks: Vec<GrayImage>,
}

impl Reported {
    fn new(fields: &[Field]) -> Result<Self> {
        let set = SampleSet::reference(fields)?;
        let masks = (0..set.count()).map(|index| to_gray(&set.foreground.get(index).get(0))).collect::<Result<_>>()?;
        Ok(Self { truths: fields.iter().map(truth_of_mask).collect::<Result<_>>()?, masks, set })
    }

    fn row(
        &self,
        picture: &str,
        enlarged: &Enlarged,
        segmenter: &Segmenter,
        reading: Reading,
        places: &Places,
    ) -> Result<Row> {
        let seen = enlarged.replace(self.set.shallow_clone(), places)?;
        let maps = segmenter.task.maps(&seen, &segmenter.state.average, segmenter.state.grids.as_ref());
        let (mut dice, mut iou, mut count_error) = (Vec::new(), Vec::new(), Vec::new());
        let mut sums = InstanceSums::default();
        for (index, (truth, mask)) in self.truths.iter().zip(&self.masks).enumerate() {
            let maps = maps.get(index as i64);
            let maps = CellMaps::without_kinds(to_gray(&maps.get(0))?, to_gray(&maps.get(1))?);
            let labels = match reading {
                Reading::Split => split(&maps, &segmenter.rule)?,
                Reading::Components => components(&maps.foreground, segmenter.rule.foreground_level)?,
            };
            let of_field = overlap(mask, &bloodseg_vision::cells::mask(&labels))?;
            dice.push(of_field.dice());
            iou.push(of_field.iou());
            let matched = match_instances(truth, &labels)?;
            count_error.extend(matched.count_error());
            sums.add(&matched.sums());
        }
        let psnr_db = match enlarged {
            Enlarged::Straight => None,
            _ => mean_psnr_db(&self.set.hr, &enlarged.pictures(&self.set)?)?,
        };
        let row = Row {
            picture: picture.to_owned(),
            trained_on: segmenter.trained_on.to_owned(),
            cells: match reading {
                Reading::Split => "split",
                Reading::Components => "components of the foreground",
            }
            .to_owned(),
            psnr_db,
            dice: mean(dice).context("no fields")?,
            iou: mean(iou).context("no fields")?,
            ap50: sums.ap50().context("no cells in the reported fields")?,
            pq: sums.pq().context("no cells in the reported fields")?,
            count_error: mean(count_error).context("no cells in the reported fields")?,
        };
        ::log::info!("{row:?}");
        Ok(row)
    }
}

fn mean_psnr_db(wanted: &Tensor, pictures: &Tensor) -> Result<Option<f64>> {
    let each = (0..wanted.size()[0])
        .map(|index| Ok(psnr_db(&to_rgb(&wanted.get(index))?, &to_rgb(&pictures.get(index))?)?))
        .collect::<Result<Vec<f64>>>()?;
    Ok(mean(each))
}

/// The table as Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| picture | segmenter trained on | cells | PSNR, dB | Dice | IoU | AP50 | PQ | count error |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let psnr = row.psnr_db.map_or_else(|| "–".to_owned(), |db| format!("{db:.2}"));
        text += &format!(
            "| {} | {} | {} | {psnr} | {:.3} | {:.3} | {:.3} | {:.3} | {:.1} % |\n",
            row.picture,
            row.trained_on,
            row.cells,
            row.dice,
            row.iou,
            row.ap50,
            row.pq,
            row.count_error * 100.0
        );
    }
    text
}

/// Writes the table as `ablation.csv` and `ablation.md`.
pub fn write(rows: &[Row], folder: &Path) -> Result<()> {
    let file = folder.join("ablation.csv");
    let mut writer = csv::Writer::from_path(&file).with_context(|| format!("{}: cannot write", file.display()))?;
    for row in rows {
        writer.serialize(row)?;
    }
    writer.flush()?;
    let file = folder.join("ablation.md");
    std::fs::write(&file, markdown(rows)).with_context(|| format!("{}: cannot write", file.display()))
}
