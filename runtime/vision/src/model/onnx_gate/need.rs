//! The resource needs of a graph, computed from its shapes before anything plans it.

use super::{graph::Graph, shapes::Made, tensor::Kind};

/// Memory and work of one tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Need {
    /// Bytes of the weights as stored.
    pub weight_bytes: u64,
    /// Lower bound of the maps between the layers: the levels that are live at a time.
    pub least_map_bytes: u64,
    /// Upper bound: with 32-bit real numbers too.
    pub most_map_bytes: u64,
    /// Multiplications.
    pub macs: u64,
}

/// Computes it; `values` are those of `graph`, with the nodes' last.
pub(super) fn of(graph: &Graph<'_>, values: &[Made<'_>]) -> Need {
    let mut last_use: Vec<usize> = (0..values.len()).collect();
    for (at, value) in values.iter().enumerate() {
        for from in &value.from {
            // A value is live until its last use.
            if let Some(last) = last_use.get_mut(*from) {
                *last = at;
            }
        }
    }
    // Bytes of a value: as levels only, and at most.
    let bytes = |value: &Made<'_>| {
        let most = if value.is_constant { 0 } else { value.len().saturating_mul(value.kind.bytes()) };
        (if value.kind == Kind::F32 { 0 } else { most }, most)
    };
    let mut ends: Vec<Vec<usize>> = vec![vec![]; values.len()];
    for (at, last) in last_use.iter().enumerate() {
        if let Some(ends) = ends.get_mut(*last) {
            ends.push(at);
        }
    }
    let mut need = Need::default();
    let (mut least, mut most) = (0_u64, 0_u64);
    for (at, value) in values.iter().enumerate() {
        let (levels, all) = bytes(value);
        (least, most) = (least.saturating_add(levels), most.saturating_add(all));
        need.least_map_bytes = need.least_map_bytes.max(least);
        need.most_map_bytes = need.most_map_bytes.max(most);
        need.macs = need.macs.saturating_add(value.macs);
        for end in ends.get(at).into_iter().flatten() {
            let (levels, all) = values.get(*end).map_or((0, 0), bytes);
            (least, most) = (least.saturating_sub(levels), most.saturating_sub(all));
        }
    }
    need.weight_bytes = graph.weights.iter().map(|weights| weights.data.len() as u64).sum();
    need
}
