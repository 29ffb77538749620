//! The complete state of a run in one safetensors file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tch::{Device, Tensor};

use super::adam::Adam;
use crate::{
    data::set::write_tensors,
    net::{
        Net,
        grids::{Grid, Grids},
        params::Params,
    },
};

/// Everything that the next step depends on.
#[derive(Debug)]
pub struct State {
    /// Completed epochs.
    pub epoch: u32,
    /// The trained weights.
    pub params: Params,
    /// Their moving average, which is validated and exported.
    pub average: Params,
    /// The optimiser.
    pub adam: Adam,
    /// The quantization, once started.
    pub grids: Option<Grids>,
    /// Best selection figure of a quantized epoch so far, and that epoch.
    pub best: Option<(f64, u32)>,
}

/// The file of an epoch (from 1).
pub fn file(folder: &Path, epoch: u32) -> PathBuf {
    folder.join(format!("epoch-{epoch:04}.safetensors"))
}

/// The file of the best epoch so far.
pub fn best_file(folder: &Path) -> PathBuf {
    folder.join("best.safetensors")
}

/// The last epoch with a checkpoint in a folder.
pub fn last_epoch(folder: &Path) -> Option<u32> {
    std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_prefix("epoch-")?.strip_suffix(".safetensors")?.parse().ok()
        })
        .max()
}

impl State {
    /// Writes the state.
    pub fn write(&self, file: &Path) -> Result<()> {
        let mut tensors: Vec<(String, Tensor)> = Vec::new();
        let groups = [
            ("params", &self.params),
            ("average", &self.average),
            ("adam1", &self.adam.first),
            ("adam2", &self.adam.second),
        ];
        for (group, params) in groups {
            for (name, tensor) in params {
                tensors.push((format!("{group}/{name}"), tensor.detach().to_device(Device::Cpu).contiguous()));
            }
        }
        tensors.push(("epoch".into(), Tensor::from_slice(&[i64::from(self.epoch)])));
        if let Some((figure, epoch)) = self.best {
            tensors.push(("best".into(), Tensor::from_slice(&[figure, f64::from(epoch)])));
        }
        if let Some(grids) = &self.grids {
            let values: Vec<i64> =
                grids.values.iter().flat_map(|g| [i64::from(g.exponent), i64::from(g.zero_point)]).collect();
            tensors.push(("grids".into(), Tensor::from_slice(&values)));
            for (name, exponents) in &grids.weights {
                let exponents: Vec<i64> = exponents.iter().map(|e| i64::from(*e)).collect();
                tensors.push((format!("exponents/{name}"), Tensor::from_slice(&exponents)));
            }
        }
        let named: Vec<(&str, &Tensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        write_tensors(&named, file)
    }

    /// Reads a state of `net` to a device.
    ///
    /// # Errors
    /// A file that cannot be read, or belongs to another model.
    pub fn read(file: &Path, net: &Net, device: Device) -> Result<Self> {
        let tensors: std::collections::BTreeMap<String, Tensor> = Tensor::read_safetensors(file)
            .with_context(|| format!("{}: cannot read; expected a checkpoint of train-host", file.display()))?
            .into_iter()
            .collect();
        let group = |group: &str| -> Result<Params> {
            let mut params = Params::new();
            for (_, layer, inputs) in net.convs() {
                let crate::net::Op::Conv { out, kernel, .. } = layer.op else { continue };
                for (part, shape) in [("weight", vec![out, inputs, kernel, kernel]), ("bias", vec![out])] {
                    let name = format!("{}.{part}", layer.name);
                    let tensor = tensors
                        .get(&format!("{group}/{name}"))
                        .with_context(|| format!("{}: no {group}/{name}", file.display()))?;
                    ensure!(
                        tensor.size() == shape,
                        "{}: {name} is {:?}, expected {shape:?}",
                        file.display(),
                        tensor.size()
                    );
                    params.insert(name, tensor.to_device(device));
                }
            }
            Ok(params)
        };
        let epoch = tensors.get("epoch").with_context(|| format!("{}: no epoch", file.display()))?;
        let best = match tensors.get("best") {
            Some(best) => {
                let best = Vec::<f64>::try_from(best)?;
                ensure!(best.len() == 2, "{}: best has {} values", file.display(), best.len());
                Some((best[0], best[1] as u32))
            }
            None => None,
        };
        let grids = match tensors.get("grids") {
            Some(values) => Some(read_grids(&Vec::<i64>::try_from(values)?, &tensors, net, file)?),
            None => None,
        };
        Ok(Self {
            epoch: u32::try_from(epoch.int64_value(&[0]))?,
            params: group("params")?,
            average: group("average")?,
            adam: Adam { first: group("adam1")?, second: group("adam2")? },
            grids,
            best,
        })
    }
}

fn read_grids(
    values: &[i64],
    tensors: &std::collections::BTreeMap<String, Tensor>,
    net: &Net,
    file: &Path,
) -> Result<Grids> {
    ensure!(values.len() == 2 * (net.output() + 1), "{}: grids of another net", file.display());
    let values = values
        .chunks_exact(2)
        .map(|pair| Ok(Grid { exponent: i32::try_from(pair[0])?, zero_point: u8::try_from(pair[1])? }))
        .collect::<Result<_>>()?;
    let mut weights = std::collections::BTreeMap::new();
    for (_, layer, _) in net.convs() {
        let exponents = tensors
            .get(&format!("exponents/{}", layer.name))
            .with_context(|| format!("{}: no exponents/{}", file.display(), layer.name))?;
        let exponents = Vec::<i64>::try_from(exponents)?;
        ensure!(exponents.len() as i64 == layer.channels, "{}: exponents of another net", file.display());
        weights.insert(layer.name.to_owned(), exponents.iter().map(|e| *e as i32).collect());
    }
    Ok(Grids { values, weights })
}
