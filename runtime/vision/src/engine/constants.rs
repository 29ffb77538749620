//! Quantized constants in their stored form.
//!
//! tract dequantizes constants while it wires a graph, which loses the levels and used to take half of the time to load a
//! model. Here an opaque operation dequantizes constants, so tract does not fold them.

use tract_core::internal::*;

/// Constant levels, scale and zero point: `real = scale * (level - zero_point)`, with one scale and zero point for all
/// levels or one per index along `axis`, which counts from the end if it is negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dequantized {
    pub(super) axis: i64,
}

/// The stored form.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) levels: Arc<Tensor>,
    /// One, or one per index along the axis.
    pub(super) scales: Vec<f32>,
    zero_points: Vec<f32>,
    axis: usize,
}

/// The parts of a quantized constant; `None` for anything else.
pub(super) fn written(model: &TypedModel, outlet: OutletId) -> Option<Written> {
    let node = model.node(outlet.node);
    let op = node.op_as::<Dequantized>()?;
    let part = |at: usize| model.outlet_fact(*node.inputs.get(at)?).ok()?.konst.clone();
    let floats = |tensor: Arc<Tensor>| {
        let floats = tensor.cast_to::<f32>().ok()?;
        Some(floats.try_as_plain_ram().ok()?.as_slice::<f32>().ok()?.to_vec())
    };
    let levels = part(0)?;
    let rank = levels.rank() as i64;
    let axis = usize::try_from(if op.axis < 0 { op.axis + rank } else { op.axis }).ok()?;
    let (scales, zero_points) = (floats(part(1)?)?, floats(part(2)?)?);
    let along = levels.shape().get(axis).copied();
    let is_one_or_each = |parts: &[f32]| parts.len() == 1 || Some(parts.len()) == along;
    (is_one_or_each(&scales) && is_one_or_each(&zero_points)).then_some(Written { levels, scales, zero_points, axis })
}

impl Written {
    /// Whether the zero point is 0 everywhere.
    pub(super) fn is_symmetric(&self) -> bool {
        self.zero_points.iter().all(|zero_point| *zero_point == 0.0)
    }

    /// The axis that the scales go along.
    pub(super) fn axis(&self) -> usize {
        self.axis
    }

    /// The real numbers, as ONNX defines them.
    pub(super) fn real(&self) -> TractResult<Tensor> {
        let mut real = self.levels.cast_to::<f32>()?.into_owned();
        let places = self.levels.shape().get(self.axis).copied().unwrap_or(1).max(1);
        let each: usize = self.levels.shape().iter().skip(self.axis + 1).product();
        let of = |parts: &[f32], place: usize| if parts.len() == 1 { parts[0] } else { parts[place] };
        let mut plain = real.try_as_plain_ram_mut()?;
        for (at, run) in plain.as_slice_mut::<f32>()?.chunks_mut(each.max(1)).enumerate() {
            let (scale, zero_point) = (of(&self.scales, at % places), of(&self.zero_points, at % places));
            for number in run {
                *number = (*number - zero_point) * scale;
            }
        }
        Ok(real)
    }
}

impl Op for Dequantized {
    fn name(&self) -> StaticName {
        "Dequantized".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Dequantized {
    // The pass replaces it with the levels or the real numbers: it never runs, and must not be folded.
    not_out_of_plan!();
}

impl TypedOp for Dequantized {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(inputs[0].shape.clone())))
    }

    as_op!();
}
