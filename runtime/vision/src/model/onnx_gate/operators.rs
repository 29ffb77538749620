//! Inputs and outputs of each operator.

use super::{
    Fault, fault,
    graph::{Held, Node},
    quantizers,
    shapes::Made,
    tensor::Kind,
};
use crate::model::limits::MAX_GRAPH_DIM;

/// The value that a node computes from `inputs`; its `from` is left empty.
pub(super) fn apply<'g>(node: &Node<'_>, inputs: &[&Made<'g>]) -> Result<Made<'g>, Fault> {
    let mut attributes = Attributes::of(node)?;
    let (kind, shape, macs) = match (node.operator, inputs) {
        ("Conv", [input, weights]) => convolution(&mut attributes, input, weights, None)?,
        ("Conv", [input, weights, bias]) => convolution(&mut attributes, input, weights, Some(bias))?,
        ("QuantizeLinear", [real, scale, zero]) => {
            (quantized(&mut attributes, real, scale, zero)?, real.shape.clone(), 0)
        }
        ("DequantizeLinear", [levels, scale, zero]) => {
            dequantized(&mut attributes, levels, scale, zero)?;
            (Kind::F32, levels.shape.clone(), 0)
        }
        ("Concat", [first, ..]) => (first.kind, concatenated(&mut attributes, inputs)?, 0),
        ("Add", [a, b]) if a.kind == Kind::F32 && b.kind == Kind::F32 && a.shape == b.shape => {
            (Kind::F32, a.shape.clone(), 0)
        }
        ("Relu", [input]) if input.kind == Kind::F32 => (Kind::F32, input.shape.clone(), 0),
        ("Identity", [input]) => (input.kind, input.shape.clone(), 0),
        ("DepthToSpace", [input]) => (input.kind, moved(&mut attributes, input, true)?, 0),
        ("SpaceToDepth", [input]) => (input.kind, moved(&mut attributes, input, false)?, 0),
        _ => {
            let shapes: Vec<_> = inputs.iter().map(|input| (input.kind, &input.shape)).collect();
            return Err(fault(format!("inputs {shapes:?}"), "inputs of the required number and shapes"));
        }
    };
    attributes.end()?;
    if shape.iter().any(|size| !(1..=MAX_GRAPH_DIM.unsigned_abs()).contains(size)) {
        return Err(fault(format!("an output of shape {shape:?}"), format!("sizes of 1 to {MAX_GRAPH_DIM}")));
    }
    let is_constant = inputs.iter().all(|input| input.is_constant);
    Ok(Made { kind, shape, is_constant, weights: None, macs, from: vec![] })
}

type Shaped = (Kind, Vec<u64>, u64);

fn convolution(
    attributes: &mut Attributes<'_>,
    input: &Made<'_>,
    weights: &Made<'_>,
    bias: Option<&Made<'_>>,
) -> Result<Shaped, Fault> {
    let ([batch, channels, rows, columns], [out, each, kernel_rows, kernel_columns]) = (four(input)?, four(weights)?);
    let group = attributes.int("group", 1, 1)?;
    let kernel = attributes.ints("kernel_shape", [kernel_rows, kernel_columns], 1)?;
    let strides = attributes.ints("strides", [1, 1], 1)?;
    let dilations = attributes.ints("dilations", [1, 1], 1)?;
    let pads = attributes.ints("pads", [0; 4], 0)?;
    attributes.word("auto_pad", &["NOTSET"])?;
    let fits = weights.is_constant
        && [input, weights].iter().all(|value| value.kind == Kind::F32)
        && channels == each * group
        && out.is_multiple_of(group)
        && kernel == [kernel_rows, kernel_columns]
        && bias.is_none_or(|bias| bias.is_constant && bias.kind == Kind::F32 && bias.shape == [out]);
    if !fits {
        let found = format!("weights of {:?} in {group} groups for an input of {:?}", weights.shape, input.shape);
        return Err(fault(found, "constant weights and a bias that match the input"));
    }
    let along = |size: u64, axis: usize| {
        let padded = size + pads.get(axis).unwrap_or(&0) + pads.get(axis + 2).unwrap_or(&0);
        let reach = dilations[axis] * (kernel[axis] - 1) + 1;
        padded.checked_sub(reach).map_or(0, |room| room / strides[axis] + 1)
    };
    let shape = vec![batch, out, along(rows, 0), along(columns, 1)];
    let macs =
        shape.iter().chain(&[each, kernel_rows, kernel_columns]).fold(1_u64, |all, &size| all.saturating_mul(size));
    Ok((Kind::F32, shape, macs))
}

fn quantized(
    attributes: &mut Attributes<'_>,
    real: &Made<'_>,
    scale: &Made<'_>,
    zero: &Made<'_>,
) -> Result<Kind, Fault> {
    if real.kind != Kind::F32 || !matches!(zero.kind, Kind::U8 | Kind::I8) {
        return Err(fault(format!("{:?} to {:?}", real.kind, zero.kind), "F32 to U8 or I8"));
    }
    grid(attributes, zero.kind, &real.shape, scale, zero)?;
    Ok(zero.kind)
}

fn dequantized(
    attributes: &mut Attributes<'_>,
    levels: &Made<'_>,
    scale: &Made<'_>,
    zero: &Made<'_>,
) -> Result<(), Fault> {
    if levels.kind == Kind::F32 {
        return Err(fault("levels of F32".into(), "U8, I8 or I32"));
    }
    grid(attributes, levels.kind, &levels.shape, scale, zero)
}

fn grid(
    attributes: &mut Attributes<'_>,
    kind: Kind,
    shape: &[u64],
    scale: &Made<'_>,
    zero: &Made<'_>,
) -> Result<(), Fault> {
    let axis = attributes.axis(shape.len(), 1)?;
    let (Some(scale), Some(zero)) = (scale.weights, zero.weights) else {
        return Err(fault("a scale or zero point that is computed".into(), "constants"));
    };
    quantizers::check(scale, zero, kind, shape, axis)
}

fn concatenated(attributes: &mut Attributes<'_>, inputs: &[&Made<'_>]) -> Result<Vec<u64>, Fault> {
    let Some((first, others)) = inputs.split_first() else { return Err(fault("no inputs".into(), "some")) };
    let axis = attributes.axis(first.shape.len(), 1)?;
    let mut shape = first.shape.clone();
    for other in others {
        let fits = other.kind == first.kind
            && other.shape.len() == shape.len()
            && other.shape.iter().zip(&shape).enumerate().all(|(at, (a, b))| at == axis || a == b);
        match (shape.get_mut(axis), other.shape.get(axis)) {
            (Some(sum), Some(size)) if fits => *sum += size,
            _ => {
                return Err(fault(
                    format!("{:?} beside {shape:?}", other.shape),
                    "shapes that differ only along the axis",
                ));
            }
        }
    }
    Ok(shape)
}

/// Depth to space, or back.
fn moved(attributes: &mut Attributes<'_>, input: &Made<'_>, to_space: bool) -> Result<Vec<u64>, Fault> {
    let [batch, channels, rows, columns] = four(input)?;
    let block = attributes.int("blocksize", 0, 1)?;
    if to_space {
        attributes.word("mode", &["DCR", "CRD"])?;
    }
    let fits = if to_space {
        channels.is_multiple_of(block * block)
    } else {
        rows.is_multiple_of(block) && columns.is_multiple_of(block)
    };
    if !fits {
        return Err(fault(format!("blocksize {block} for {:?}", input.shape), "a divisor"));
    }
    Ok(if to_space {
        vec![batch, channels / (block * block), rows * block, columns * block]
    } else {
        vec![batch, channels * block * block, rows / block, columns / block]
    })
}

fn four(value: &Made<'_>) -> Result<[u64; 4], Fault> {
    value.shape.as_slice().try_into().map_err(|_| fault(format!("a shape of {:?}", value.shape), "four sizes"))
}

/// The attributes of a node; each is taken once, and remaining ones are rejected.
struct Attributes<'n>(Vec<(&'n str, &'n Held<'n>)>);

impl<'n> Attributes<'n> {
    fn of(node: &'n Node<'n>) -> Result<Self, Fault> {
        let mut names: Vec<&str> = node.attributes.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(fault(format!("the attribute {} twice", pair[0]), "once")),
            None => Ok(Self(node.attributes.iter().map(|(name, held)| (*name, held)).collect())),
        }
    }

    fn take(&mut self, name: &str) -> Option<&'n Held<'n>> {
        let at = self.0.iter().position(|(found, _)| *found == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn int(&mut self, name: &str, otherwise: u64, least: u64) -> Result<u64, Fault> {
        match self.take(name) {
            None if otherwise >= least => Ok(otherwise),
            Some(Held::Int(int)) => bounded(name, *int, least),
            held => Err(fault(format!("{name}: {held:?}"), "an integer")),
        }
    }

    fn ints<const N: usize>(&mut self, name: &str, otherwise: [u64; N], least: u64) -> Result<[u64; N], Fault> {
        match self.take(name) {
            None => Ok(otherwise),
            Some(Held::Ints(ints)) if ints.len() == N => {
                let mut bound = [0; N];
                for (place, int) in bound.iter_mut().zip(ints) {
                    *place = bounded(name, *int, least)?;
                }
                Ok(bound)
            }
            held => Err(fault(format!("{name}: {held:?}"), format!("{N} integers"))),
        }
    }

    fn word(&mut self, name: &str, words: &[&str]) -> Result<(), Fault> {
        match self.take(name) {
            None => Ok(()),
            Some(Held::Word(word)) if words.contains(word) => Ok(()),
            held => Err(fault(format!("{name}: {held:?}"), words.join(" or "))),
        }
    }

    /// An axis of `rank`, counted from the end if negative.
    fn axis(&mut self, rank: usize, otherwise: i64) -> Result<usize, Fault> {
        let int = match self.take("axis") {
            None => otherwise,
            Some(Held::Int(int)) => *int,
            Some(held) => return Err(fault(format!("axis: {held:?}"), "an integer")),
        };
        let from_start = if int < 0 { int.checked_add(rank as i64) } else { Some(int) };
        let axis = from_start.and_then(|axis| usize::try_from(axis).ok());
        // A list of numbers has a single axis, whatever the default.
        axis.filter(|axis| *axis < rank.max(2)).ok_or_else(|| fault(format!("axis: {int}"), format!("one of {rank}")))
    }

    fn end(self) -> Result<(), Fault> {
        match self.0.first() {
            Some((name, held)) => Err(fault(format!("the attribute {name}: {held:?}"), "known attributes")),
            None => Ok(()),
        }
    }
}

fn bounded(name: &str, int: i64, least: u64) -> Result<u64, Fault> {
    let value = u64::try_from(int).ok().filter(|value| (least..=MAX_GRAPH_DIM.unsigned_abs()).contains(value));
    value.ok_or_else(|| fault(format!("{name}: {int}"), format!("{least} to {MAX_GRAPH_DIM}")))
}
