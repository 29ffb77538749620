//! `bloodseg segment`: pictures in, cells out.

mod beside;
mod tables;

use std::{
    path::{Path, PathBuf},
    thread,
};

use clap::Args;
use image::RgbImage;

use super::{
    inputs::{self, Input},
    print,
    session::Session,
};
use crate::error::{Error, ErrorKind, Result};
use beside::Beside;
use bloodseg_records::{
    shard::{
        self, Shard,
        mark::{Common, Inputs, Mark, ModelMark},
    },
    store,
};
use bloodseg_vision::{
    frame::{decode, limits::MAX_WHOLE_FIELD_PX, reference},
    geometry::{MAX_TILED_PX, REFERENCE_LR_PX, SCALE},
    model::manifest::Pitch,
    pictures,
    pipeline::{Analysis, Pipeline},
};
use tables::Tables;

/// Arguments of `segment`.
#[derive(Debug, Args)]
pub(super) struct SegmentArgs {
    /// Pictures (PNG, JPEG, TIFF, BMP; 8 or 16 bit) or folders of them
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,

    /// Folder for the results; made when it is not there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Edge of one pixel of the input in the specimen, in micrometres: adds columns in micrometres to the table
    #[arg(long, value_name = "UM", value_parser = above_zero, allow_negative_numbers = true)]
    um_per_px: Option<f64>,

    /// Shrink each picture first: its centre square to 64x64, for fields at full resolution
    #[arg(long)]
    whole_field: bool,

    /// Read the folders inside folders too
    #[arg(long)]
    recursive: bool,

    /// Count cells also where a picture is out of focus, empty, or badly exposed
    #[arg(long)]
    any_quality: bool,

    /// Take the I-th of N parts of the pictures alone, I from 0 to N - 1, such as 0/4; `bloodseg merge` joins the tables
    #[arg(long, value_name = "I/N", allow_hyphen_values = true)]
    shard: Option<Shard>,
}

pub(super) fn above_zero(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("expected a number above 0".into()),
    }
}

/// Runs the command. A picture that cannot be used is reported and left out; the rest is done.
///
/// # Errors
/// The first of such pictures at the end; anything about models or results at once.
pub(super) fn run(session: &Session, args: &SegmentArgs) -> Result<()> {
    // Before all that can fail: whoever looks for a mark after this call must not find that of an earlier one.
    if let (Some(shard), Some(out)) = (args.shard, args.out.as_ref().or(session.config.output.dir.as_ref())) {
        Mark::remove(&folder_of(shard, out))?;
    }
    let inputs = inputs::collect(&args.inputs, args.recursive)?;
    let out = session.out(args.out.as_ref())?;
    inputs::check_apart(&inputs, &out)?;
    if out.join(store::FILE).exists() {
        return Err(Error::output(&out, "a run keeps its records there, and its tables have the same names"));
    }
    let um_per_px = args.um_per_px.or(session.config.optics.um_per_px);

    // All of them were listed and checked, so that every shard refuses what one call would have refused.
    let part = args.shard.map_or(0..inputs.len(), |shard| shard.range(inputs.len()));
    let common = args.shard.map(|_| common(session, args, &inputs, um_per_px)).transpose()?;
    let inputs = inputs.get(part).unwrap_or_default();
    let folder = args.shard.map_or_else(|| out.clone(), |shard| folder_of(shard, &out));
    if args.shard.is_some() {
        std::fs::create_dir_all(&folder).map_err(|e| Error::output(&folder, e))?;
    }
    let mut tables = Tables::begin(&folder, um_per_px.is_some())?;
    let mut pipeline = session.pipeline()?;
    let pitch = pipeline.pitch().clone();

    let bar = print::progress(inputs.len(), "pictures", session.quiet);
    let mut refused = Vec::new();
    // A single picture has nothing that it could be read or written beside.
    let is_beside = session.threads() > 1 && inputs.len() > 1;
    thread::scope(|scope| {
        let start = || Beside::start(scope, inputs, args.whole_field, &out);
        let mut beside = is_beside.then(start).transpose()?;
        for input in inputs {
            match segment(&mut pipeline, input, args, &out, beside.as_ref()) {
                Ok((analysis, size_px)) => {
                    if let Some(doubt) = doubt(&pitch, analysis, um_per_px.map(|um| um * size_px.per_sr_px)) {
                        log::warn!("{}: {doubt}", input.path.display());
                    }
                    let name = input.path.file_name().unwrap_or_default().to_string_lossy();
                    let um_per_sr_px = um_per_px.map(|um| um * size_px.per_sr_px);
                    tables.add(&name, analysis, um_per_sr_px)?;
                    let good = analysis.quality.verdict.is_good();
                    if good || args.any_quality {
                        bar.suspend(|| print::line(summary(&name, analysis)));
                    } else {
                        let reason = analysis.quality.reason();
                        bar.suspend(|| print::line(format_args!("{name}: {reason}: no cells counted")));
                    }
                    if !good && args.any_quality {
                        log::warn!("{}: {}; counted all the same", input.path.display(), analysis.quality.reason());
                    }
                    if let Some(beside) = &mut beside {
                        beside.write(&input.stem, &mut pipeline)?;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Input => {
                    // A single one is reported once, by the end of the command.
                    if inputs.len() > 1 {
                        bar.suspend(|| print::problem(&error));
                    }
                    refused.push(error);
                }
                Err(error) => return Err(error),
            }
            bar.inc(1);
        }
        beside.map_or(Ok(()), Beside::end)
    })?;
    bar.finish_and_clear();
    // A shard's tables may be empty: they are a part of something.
    if let Some((shard, common)) = args.shard.zip(common) {
        let [cells_sha256, frames_sha256] = tables.end()?;
        let (pictures, refused) = (inputs.len() as u64, refused.len() as u64);
        Mark { shard, common, pictures, refused, cells_sha256, frames_sha256 }.write(&folder)?;
    } else if refused.len() < inputs.len() {
        tables.end()?;
    }
    match refused.len() {
        0 => Ok(()),
        1 if inputs.len() == 1 => Err(refused.remove(0)),
        count => Err(Error::input(
            &out,
            format!("{count} of {} pictures could not be used, as said above", inputs.len()),
            "pictures alone",
            "The others are done",
        )),
    }
}

/// Folder of a shard's tables.
fn folder_of(shard: Shard, out: &Path) -> PathBuf {
    out.join(shard::FOLDER).join(shard.folder())
}

/// What the tables of a shard depend on.
fn common(session: &Session, args: &SegmentArgs, inputs: &[Input], um_per_px: Option<f64>) -> Result<Common> {
    let models = session.models()?;
    Ok(Common {
        version: concat!(env!("CARGO_PKG_VERSION"), "+", env!("BLOODSEG_SOURCES")).to_owned(),
        inputs: Inputs::of(inputs.iter().map(|input| input.path.as_path())),
        ssr: ModelMark::of(&models.ssr)?,
        unet: ModelMark::of(&models.unet)?,
        um_per_px,
        whole_field: args.whole_field,
        any_quality: args.any_quality,
    })
}

/// Pictures of more tiles than this are hardly what a low-resolution sensor saw.
const MANY_TILES: u32 = 64;

/// What speaks against reading a picture at the models' magnification.
fn doubt(pitch: &Pitch, analysis: &Analysis, um_per_sr_px: Option<f64>) -> Option<String> {
    match um_per_sr_px.map(|um| um * f64::from(SCALE)) {
        Some(um) if um < pitch.least_um_per_px / 2.0 || um > pitch.greatest_um_per_px * 2.0 => Some(format!(
            "{um:.3} um a pixel; the models were made for {} to {} um, and hold to half and to twice that at \
             most. Counts are not to be relied on: shrink the picture, or use --whole-field for a field at full resolution",
            pitch.least_um_per_px, pitch.greatest_um_per_px
        )),
        None if analysis.tiles > MANY_TILES => Some(format!(
            "cut into {} tiles; the models expect cells of about 5 px. If this is a field at full resolution, use \
             --whole-field",
            analysis.tiles
        )),
        _ => None,
    }
}

/// How large a super-resolved pixel is in pixels of the file.
struct SizePx {
    per_sr_px: f64,
}

fn segment<'a>(
    pipeline: &'a mut Pipeline,
    input: &Input,
    args: &SegmentArgs,
    out: &Path,
    beside: Option<&Beside>,
) -> Result<(&'a Analysis, SizePx)> {
    let (picture, shrunk) = beside.map_or_else(|| read(&input.path, args.whole_field), Beside::next)?;
    let analysis = if args.any_quality { pipeline.analyse_any(&picture) } else { pipeline.analyse(&picture) };
    let analysis = analysis.map_err(|e| e.at(&input.path))?;
    if beside.is_none() {
        pictures::write(out, &input.stem, analysis)?;
    }
    Ok((analysis, SizePx { per_sr_px: shrunk / f64::from(SCALE) }))
}

/// The picture that the sensor saw, and how many pixels of the file make one of it.
type Read = (RgbImage, f64);

fn read(path: &Path, whole_field: bool) -> Result<Read> {
    if !whole_field {
        return Ok((decode::read_picture(path, MAX_TILED_PX)?, 1.0));
    }
    let field = reference::prepare(&decode::read_picture(path, MAX_WHOLE_FIELD_PX)?).map_err(|e| e.at(path))?;
    Ok((field.lr, f64::from(field.square_px) / f64::from(REFERENCE_LR_PX)))
}

/// How many cells the input does not bear out; nothing where it bears out all.
fn unsupported(count: usize) -> Option<String> {
    Some(count).filter(|&count| count > 0).map(|count| format!("{count} unsupported"))
}

fn summary(name: &str, analysis: &Analysis) -> String {
    let times = analysis.times;
    let (cells, tiles) = (analysis.cells.len(), analysis.tiles);
    format!(
        "{name}: {cells} cells{}, {tiles} tile{}, ssr {:.1} ms, unet {:.1} ms, cells {:.1} ms, total {:.1} ms",
        unsupported(analysis.unsupported_cells()).map_or_else(String::new, |count| format!(" ({count})")),
        if tiles == 1 { "" } else { "s" },
        times.ssr_ms,
        times.unet_ms,
        times.cells_ms,
        times.total_ms
    )
}
