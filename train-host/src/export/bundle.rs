//! Writes a trained model as the files that the runtime reads: ONNX and manifest, and a float twin.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use tch::Tensor;

use super::graph::{Form, INPUT_NAME, OPSET, OUTPUT_NAME, Written, write};
use crate::net::{
    INPUT, Net,
    forward::{forward, to_levels, to_real},
    grids::{Grid, Grids},
    params::Params,
};
use bloodseg_vision::model::{
    golden,
    manifest::{CellRule, FORMAT, Golden, Manifest, Pitch, Preparation, Role, Tensor as Edge, Training},
};

/// Seed of the golden inputs.
const GOLDEN_SEED: u64 = 7;

/// Further contents of the manifest.
#[derive(Debug, Clone)]
pub struct About {
    /// The task of the model.
    pub role: Role,
    /// Meaning of the output's values.
    pub output_meaning: String,
    /// The pitch used in training.
    pub pitch: Pitch,
    /// How cells are extracted from the maps.
    pub cells: Option<CellRule>,
    /// How it was trained; parameters and MACs are filled in here.
    pub training: Training,
    /// Figures by name.
    pub figures: BTreeMap<String, f64>,
    /// How they were measured.
    pub figures_from: String,
}

/// Writes `<models>/<name>.onnx` and `.toml`, and the float twin under `<models>/float/`.
pub fn export(net: &Net, params: &Params, grids: &Grids, about: &About, models: &Path) -> Result<Manifest> {
    let quantized = write(net, params, grids, Form::Quantized)?;
    let float = write(net, params, grids, Form::Float)?;
    let twin = models.join("float");
    std::fs::create_dir_all(&twin).with_context(|| format!("{}: cannot create the folder", twin.display()))?;
    let mut manifest = manifest(net, grids, &quantized, about);
    manifest.golden.output_sha256 = golden_hash(net, params, grids, Some(grids))?;
    put(models, net, &quantized, &manifest)?;
    let mut of_float = self::manifest(net, grids, &float, about);
    of_float.figures.clear();
    of_float.figures_from = "none: the float twin exists to measure drift against".into();
    of_float.golden.output_sha256 = golden_hash(net, params, grids, None)?;
    put(&twin, net, &float, &of_float)?;
    Ok(manifest)
}

/// SHA-256 of the model's output for the golden input, computed by libtorch.
fn golden_hash(net: &Net, params: &Params, grids: &Grids, quantized: Option<&Grids>) -> Result<String> {
    let _no_grad = tch::no_grad_guard();
    let shape = [1, net.input_channels, net.input_px, net.input_px];
    let input = golden::input(GOLDEN_SEED, shape.iter().product::<i64>() as usize);
    let real = to_real(&Tensor::from_slice(&input).view(shape), Grid::PICTURE);
    let params: Params = params.iter().map(|(name, p)| (name.clone(), p.to_device(tch::Device::Cpu))).collect();
    let output = to_levels(&forward(net, &params, quantized, &real), grids.values[net.output()]);
    Ok(golden::sha256(&Vec::<u8>::try_from(output.contiguous().view([-1]))?))
}

fn manifest(net: &Net, _grids: &Grids, written: &Written, about: &About) -> Manifest {
    let shape = |value| {
        let edge_px = net.edge_px(value) as usize;
        [1, net.channels(value) as usize, edge_px, edge_px]
    };
    Manifest {
        format: FORMAT,
        name: net.name.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        role: about.role,
        file: format!("{}.onnx", net.name),
        size_bytes: written.bytes.len() as u64,
        sha256: golden::sha256(&written.bytes),
        opset: OPSET as u32,
        operators: written.operators.clone(),
        preparation: match about.role {
            Role::SuperResolution => Preparation::AsIs,
            Role::Segmentation => Preparation::NormalisedFrame,
        },
        input: Edge {
            name: INPUT_NAME.into(),
            dtype: "u8".into(),
            shape: shape(INPUT),
            range: [0, 255],
            meaning: "RGB picture, sRGB levels".into(),
        },
        output: Edge {
            name: OUTPUT_NAME.into(),
            dtype: "u8".into(),
            shape: shape(net.output()),
            range: [0, 255],
            meaning: about.output_meaning.clone(),
        },
        pitch: about.pitch.clone(),
        cells: about.cells,
        training: Training { parameters: net.parameters(), macs: net.macs(), ..about.training.clone() },
        figures: about.figures.clone(),
        figures_from: about.figures_from.clone(),
        golden: Golden { generator: golden::GENERATOR.into(), seed: GOLDEN_SEED, output_sha256: String::new() },
    }
}

fn put(folder: &Path, net: &Net, written: &Written, manifest: &Manifest) -> Result<()> {
    for (name, bytes) in [
        (format!("{}.onnx", net.name), written.bytes.clone()),
        (format!("{}.toml", net.name), manifest.to_text()?.into_bytes()),
    ] {
        let (partial, file) = (folder.join(format!("{name}.partial")), folder.join(name));
        std::fs::write(&partial, bytes).with_context(|| format!("{}: cannot write", partial.display()))?;
        std::fs::rename(&partial, &file).with_context(|| format!("{}: cannot rename", partial.display()))?;
    }
    Ok(())
}
