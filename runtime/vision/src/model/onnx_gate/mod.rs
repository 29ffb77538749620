//! The gate in front of the engine: a strict ONNX reader that checks every byte.
//!
//! The reader (`wire`, `graph`, `tensor`) has no dependencies and bounded memory. The rules (`quantizers`, `operators`,
//! `shapes`, `need`) accept known operators, attributes within bounds, values defined before use, consistent shapes,
//! power-of-two scales, zero points in their place, and limited memory and work. Unknown fields are rejected.

mod graph;
mod need;
mod operators;
mod quantizers;
mod shapes;
mod tensor;
#[cfg(test)]
mod tests;
mod wire;

use std::{collections::BTreeSet, fmt};

pub use need::Need;

pub(crate) use self::{
    graph::{Graph, Node},
    tensor::{Kind, Weights},
};

use super::{gate::OPERATORS, manifest::Manifest};
use crate::model::limits::{MAX_ACTIVATION_BYTES, MAX_MODEL_BYTES, MAX_NET_MACS};

/// Why a file is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; expected {}", self.found, self.expected)
    }
}

fn fault(found: String, expected: impl Into<String>) -> Fault {
    Fault { found, expected: expected.into() }
}

/// What a valid file contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// ONNX operator set.
    pub opset: u32,
    /// Operators used.
    pub operators: BTreeSet<String>,
    /// Name and shape of the one input, of `u8`, batch first, channels before rows.
    pub input: (String, [usize; 4]),
    /// The same of the one output.
    pub output: (String, [usize; 4]),
    /// Its resource needs.
    pub need: Need,
}

/// Parses and checks an ONNX file.
///
/// # Errors
/// A [`Fault`] for anything but a complete, sane model of known operators. Never panics.
pub fn check(onnx: &[u8]) -> Result<Seen, Fault> {
    read(onnx).map(|(_, seen)| seen)
}

/// Parses and checks an ONNX file; returns its graph and its description. Every name that a node reads was defined
/// before, and every attribute is one of its operator and within bounds.
///
/// # Errors
/// As [`check`].
pub(crate) fn read(onnx: &[u8]) -> Result<(Graph<'_>, Seen), Fault> {
    if onnx.len() as u64 > MAX_MODEL_BYTES {
        return Err(fault(format!("{} bytes", onnx.len()), format!("at most {MAX_MODEL_BYTES} bytes")));
    }
    let graph = graph::read(onnx)?;
    let mut operators = BTreeSet::new();
    for node in &graph.nodes {
        if !OPERATORS.contains(&node.operator) {
            return Err(fault(format!("operator {:?}", node.operator), format!("one of {}", OPERATORS.join(", "))));
        }
        operators.insert(node.operator.to_owned());
    }
    let values = shapes::infer(&graph)?;
    let need = need::of(&graph, &values);
    if need.most_map_bytes > MAX_ACTIVATION_BYTES {
        let found = format!("maps of {} bytes between the layers", need.most_map_bytes);
        return Err(fault(found, format!("at most {MAX_ACTIVATION_BYTES}")));
    }
    if need.macs > MAX_NET_MACS {
        return Err(fault(format!("{} multiplications per tile", need.macs), format!("at most {MAX_NET_MACS}")));
    }
    let seen = Seen {
        opset: graph.opset,
        operators,
        input: one(&graph.inputs, "input")?,
        output: one(&graph.outputs, "output")?,
        need,
    };
    Ok((graph, seen))
}

fn one(edges: &[graph::Edge<'_>], what: &str) -> Result<(String, [usize; 4]), Fault> {
    let expected = "one of u8, of four sizes";
    let [edge] = edges else { return Err(fault(format!("{} {what}s", edges.len()), expected)) };
    let sizes: Option<Vec<usize>> = edge.shape.iter().map(|&size| usize::try_from(size).ok()).collect();
    match sizes.and_then(|sizes| <[usize; 4]>::try_from(sizes).ok()) {
        Some(shape) if edge.kind == tensor::Kind::U8 => Ok((edge.name.to_owned(), shape)),
        _ => Err(fault(format!("{what} of {:?} {:?}", edge.kind, edge.shape), expected)),
    }
}

impl Seen {
    /// Compares the file with its manifest.
    ///
    /// # Errors
    /// A [`Fault`] with the difference.
    pub fn agree(&self, manifest: &Manifest) -> Result<(), Fault> {
        let says = |what: String| format!("{what}, as its manifest says");
        if self.opset != manifest.opset {
            return Err(fault(format!("opset {}", self.opset), says(format!("only opset {}", manifest.opset))));
        }
        let listed: BTreeSet<String> = manifest.operators.iter().cloned().collect();
        if self.operators != listed {
            return Err(fault(format!("operators {:?}", self.operators), says(format!("{listed:?}"))));
        }
        let edges = [("input", &self.input, &manifest.input), ("output", &self.output, &manifest.output)];
        for (what, (name, shape), tensor) in edges {
            if *name != tensor.name || *shape != tensor.shape {
                let found = format!("{what} {name:?} of {shape:?}");
                return Err(fault(found, says(format!("{:?} of {:?}", tensor.name, tensor.shape))));
            }
        }
        Ok(())
    }
}
