//! Weights and biases of a model, by name.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::{Net, Op};

/// Trainable tensors by name, such as `head.weight` `[out, in, k, k]` and `head.bias` `[out]`, both f32.
pub type Params = BTreeMap<String, Tensor>;

/// Fresh parameters: He's initialisation (2015) before a ReLU; a tenth of it for a layer without one, so that a residual
/// starts near zero. Draws from libtorch's generator: seed it first.
pub fn init(net: &Net, device: Device) -> Params {
    let mut params = Params::new();
    for (_, layer, inputs) in net.convs() {
        let Op::Conv { out, kernel, sign, .. } = layer.op else { continue };
        let gain = if sign == super::Sign::Positive { 1.0 } else { 0.1 };
        let deviation = gain * (2.0 / (inputs * kernel * kernel) as f64).sqrt();
        let weight = Tensor::randn([out, inputs, kernel, kernel], (Kind::Float, Device::Cpu)) * deviation;
        params.insert(format!("{}.weight", layer.name), weight.to_device(device));
        params.insert(format!("{}.bias", layer.name), Tensor::zeros([out], (Kind::Float, device)));
    }
    params
}
