//! Type and shape of every value of a graph, from the first node to the last.

use std::collections::BTreeMap;

use super::{
    Fault, fault,
    graph::{Edge, Graph},
    operators,
    tensor::{Kind, Weights},
};
use crate::model::limits::MAX_GRAPH_DIM;

/// A value: weights, an input, or the output of a node.
#[derive(Debug, Clone)]
pub(super) struct Made<'g> {
    /// `F32` for real numbers, else levels.
    pub(super) kind: Kind,
    /// At most 4 sizes, each at most [`MAX_GRAPH_DIM`].
    pub(super) shape: Vec<u64>,
    /// Known when the model is read.
    pub(super) is_constant: bool,
    /// The weights as stored.
    pub(super) weights: Option<&'g Weights<'g>>,
    /// Multiplications needed to compute it.
    pub(super) macs: u64,
    /// The values that it is computed from.
    pub(super) from: Vec<usize>,
}

impl Made<'_> {
    /// Number of elements.
    pub(super) fn len(&self) -> u64 {
        self.shape.iter().product()
    }
}

/// All values, with those of the nodes last, in the order of the nodes.
pub(super) fn infer<'g>(graph: &'g Graph<'g>) -> Result<Vec<Made<'g>>, Fault> {
    let mut values: Vec<Made<'g>> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for weights in &graph.weights {
        define(&mut places, weights.name, values.len())?;
        values.push(Made {
            kind: weights.kind,
            shape: weights.shape.clone(),
            is_constant: true,
            weights: Some(weights),
            macs: 0,
            from: vec![],
        });
    }
    for edge in &graph.inputs {
        define(&mut places, edge.name, values.len())?;
        check_sizes(edge)?;
        values.push(Made {
            kind: edge.kind,
            shape: edge.shape.clone(),
            is_constant: false,
            weights: None,
            macs: 0,
            from: vec![],
        });
    }
    for node in &graph.nodes {
        let from: Option<Vec<usize>> = node.inputs.iter().map(|name| places.get(name).copied()).collect();
        let from = from.ok_or_else(|| {
            let found = format!("{} {}: an input that no earlier node produces", node.operator, node.output);
            fault(found, "nodes in evaluation order")
        })?;
        let inputs: Vec<&Made<'g>> = from.iter().filter_map(|at| values.get(*at)).collect();
        let mut made = operators::apply(node, &inputs).map_err(|Fault { found, expected }| {
            fault(format!("{} {}: {found}", node.operator, node.output), expected)
        })?;
        made.from = from;
        define(&mut places, node.output, values.len())?;
        values.push(made);
    }
    for edge in &graph.outputs {
        let made = places.get(edge.name).and_then(|at| values.get(*at));
        match made {
            Some(made) if made.kind == edge.kind && made.shape == edge.shape && !made.is_constant => {}
            _ => {
                let found = format!("output {:?} of {:?} {:?}", edge.name, edge.kind, edge.shape);
                return Err(fault(found, "the output of a node"));
            }
        }
    }
    Ok(values)
}

fn define<'g>(places: &mut BTreeMap<&'g str, usize>, name: &'g str, at: usize) -> Result<(), Fault> {
    if name.is_empty() || places.insert(name, at).is_some() {
        return Err(fault(format!("the value {name:?} defined twice, or without a name"), "one name per value"));
    }
    Ok(())
}

fn check_sizes(edge: &Edge<'_>) -> Result<(), Fault> {
    if edge.shape.iter().all(|size| (1..=MAX_GRAPH_DIM.unsigned_abs()).contains(size)) {
        return Ok(());
    }
    Err(fault(format!("{:?} of shape {:?}", edge.name, edge.shape), format!("sizes of 1 to {MAX_GRAPH_DIM}")))
}
