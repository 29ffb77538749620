//! The lowering pass: recognised values become integer programs, the rest is unchanged.
//!
//! Recognised values are grouped into runs, in an order in which the graph can be evaluated. Each run is one program, so
//! its maps share one arena. Maps of levels pass between programs as pixels, `[1, height, width, channels]`; where stock
//! tract produces or consumes one, it is converted to planes and back.

use std::collections::HashMap;

use tract_core::{
    internal::*,
    ops::{konst::Const, source::TypedSource},
};

use super::{
    arenas::Arenas,
    constants,
    integer_net::IntegerNet,
    recognise::{Recipe, Recognised, recognise, shape},
};
use crate::model::limits::MAX_NET_EDGES;
use bloodseg_kernels::{
    glue::MAX_REPEATED,
    kernel::Kernel,
    map::Shape,
    program::{Draft, Program},
    step::{Step, Value},
};

/// The result of lowering a graph.
#[derive(Debug)]
pub(super) struct Lowered {
    /// The model, in which inputs and outputs of maps of levels are pixels.
    pub(super) model: TypedModel,
    /// The programs that its integer operations run.
    pub(super) programs: Vec<Arc<Program>>,
}

/// Lowers a graph before tract has rewritten it.
pub(super) fn lower(
    model: &TypedModel,
    kernel: Option<&'static dyn Kernel>,
    arenas: &Arc<Arenas>,
) -> TractResult<Lowered> {
    let order = order(model, kernel.is_some())?;
    let mut rewriting = Rewriting {
        from: model,
        to: TypedModel::default(),
        emitted: HashMap::new(),
        programs: Vec::new(),
        kernel,
        arenas: arenas.clone(),
    };
    // Constants come first, so that they do not split the runs.
    let (first, rest): (Vec<_>, Vec<_>) =
        order.iter().partition(|item| matches!(item, Item::Stock(node) if is_constant(model, *node)));
    for item in first {
        rewriting.emit_stock(item.node())?;
    }
    for run in rest.chunk_by(|a, b| a.is_integer() && b.is_integer()) {
        match run[0] {
            Item::Stock(node) => rewriting.emit_stock(*node)?,
            Item::Integer(..) => rewriting.emit_integer(run, &order)?,
        }
    }
    rewriting.finish()
}

/// Whether a node depends on nothing that is computed.
fn is_constant(model: &TypedModel, node: usize) -> bool {
    model.node(node).inputs.is_empty() || constants::written(model, OutletId::new(node, 0)).is_some()
}

/// The levels of the last recognised convolution.
pub(super) fn last_convolution(model: &TypedModel) -> TractResult<OutletId> {
    let is_convolution = |item: &Item| match item {
        Item::Integer(outlet, Recognised { recipe: Recipe::Conv(_), .. }) => Some(*outlet),
        _ => None,
    };
    order(model, true)?.iter().rev().find_map(is_convolution).context("no integer convolution")
}

/// An item to emit.
#[derive(Debug)]
enum Item {
    Stock(usize),
    Integer(OutletId, Recognised),
}

impl Item {
    fn is_integer(&self) -> bool {
        matches!(self, Self::Integer(..))
    }

    fn node(&self) -> usize {
        match self {
            Self::Stock(node) => *node,
            Self::Integer(outlet, _) => outlet.node,
        }
    }

    /// What it reads.
    fn reads(&self, model: &TypedModel) -> Vec<OutletId> {
        match self {
            Self::Stock(node) => model.node(*node).inputs.to_vec(),
            Self::Integer(_, recognised) => recognised.inputs.clone(),
        }
    }
}

/// Everything that the outputs need, in order of evaluation; without `integers`, nothing is recognised.
fn order(model: &TypedModel, integers: bool) -> TractResult<Vec<Item>> {
    let mut order = Vec::new();
    let mut seen: HashMap<usize, ()> = HashMap::new();
    let mut stack: Vec<(OutletId, Option<Item>)> =
        model.output_outlets()?.iter().rev().map(|outlet| (*outlet, None)).collect();
    while let Some((outlet, item)) = stack.pop() {
        if let Some(item) = item {
            order.push(item);
            continue;
        }
        if seen.insert(outlet.node, ()).is_some() {
            continue;
        }
        let item = match recognise(model, outlet).filter(|_| integers) {
            Some(recognised) => Item::Integer(outlet, recognised),
            None => Item::Stock(outlet.node),
        };
        let reads = item.reads(model);
        stack.push((outlet, Some(item)));
        stack.extend(reads.into_iter().rev().map(|read| (read, None)));
    }
    Ok(order)
}

/// A value in the new graph, in one or both forms.
#[derive(Debug, Default, Clone, Copy)]
struct Emitted {
    /// As in the old graph.
    stock: Option<OutletId>,
    /// As pixels, only for maps of levels.
    pixels: Option<OutletId>,
}

struct Rewriting<'a> {
    from: &'a TypedModel,
    to: TypedModel,
    emitted: HashMap<OutletId, Emitted>,
    programs: Vec<Arc<Program>>,
    kernel: Option<&'static dyn Kernel>,
    arenas: Arc<Arenas>,
}

/// Shape of a map as pixels.
fn pixels_shape(shape: Shape) -> [usize; 4] {
    [1, shape.height, shape.width, shape.channels]
}

impl Rewriting<'_> {
    fn emit_stock(&mut self, node: usize) -> TractResult<()> {
        let node = self.from.node(node);
        if node.op_is::<TypedSource>() {
            let outlet = OutletId::new(node.id, 0);
            let emitted = match shape(self.from, outlet) {
                Some(shape) => {
                    let pixels = self.to.add_source(&node.name, u8::fact(pixels_shape(shape)))?;
                    Emitted { stock: None, pixels: Some(pixels) }
                }
                None => {
                    let fact = node.outputs[0].fact.clone();
                    Emitted { stock: Some(self.to.add_source(&node.name, fact)?), pixels: None }
                }
            };
            self.emitted.insert(outlet, emitted);
            return Ok(());
        }
        if let Some(written) = constants::written(self.from, OutletId::new(node.id, 0)) {
            let stock = self.to.add_const(&node.name, written.real()?)?;
            self.emitted.insert(OutletId::new(node.id, 0), Emitted { stock: Some(stock), pixels: None });
            return Ok(());
        }
        let inputs = node.inputs.iter().map(|input| self.stock(*input)).collect::<TractResult<TVec<_>>>()?;
        let made = self.to.wire_node(&node.name, node.op.clone(), &inputs)?;
        for (slot, outlet) in made.into_iter().enumerate() {
            self.emitted.insert(OutletId::new(node.id, slot), Emitted { stock: Some(outlet), pixels: None });
        }
        Ok(())
    }

    /// A value as in the old graph.
    fn stock(&mut self, outlet: OutletId) -> TractResult<OutletId> {
        let emitted = self.emitted.get(&outlet).copied().unwrap_or_default();
        match (emitted.stock, emitted.pixels) {
            (Some(stock), _) => Ok(stock),
            (None, Some(pixels)) => {
                let name = format!("{}.planes.{}", self.from.node(outlet.node).name, outlet.slot);
                let stock = self.to.wire_node(name, AxisOp::Move(3, 1), &[pixels])?[0];
                self.emitted.insert(outlet, Emitted { stock: Some(stock), ..emitted });
                Ok(stock)
            }
            (None, None) => bail!("{} is read before it is made", self.from.node(outlet.node)),
        }
    }

    /// A map of levels as pixels.
    fn pixels(&mut self, outlet: OutletId) -> TractResult<OutletId> {
        let emitted = self.emitted.get(&outlet).copied().unwrap_or_default();
        if let Some(pixels) = emitted.pixels {
            return Ok(pixels);
        }
        let stock = self.stock(outlet)?;
        let name = format!("{}.pixels.{}", self.from.node(outlet.node).name, outlet.slot);
        let pixels = self.to.wire_node(name, AxisOp::Move(1, 3), &[stock])?[0];
        self.emitted.insert(outlet, Emitted { pixels: Some(pixels), ..emitted });
        Ok(pixels)
    }

    /// One program of a run of recognised values.
    fn emit_integer(&mut self, run: &[&Item], all: &[Item]) -> TractResult<()> {
        let kernel = self.kernel.context("an integer net without a kernel")?;
        let mut draft = Draft::default();
        let mut values: HashMap<OutletId, Value> = HashMap::new();
        let mut inputs: TVec<OutletId> = tvec![];
        for item in run {
            let Item::Integer(outlet, recognised) = item else { bail!("a stock node in an integer net") };
            let mut reads = Vec::with_capacity(recognised.inputs.len());
            for input in &recognised.inputs {
                let value = match values.get(input) {
                    Some(value) => *value,
                    None => {
                        let shape = shape(self.from, *input).context("an input that is not a map")?;
                        let value = draft.input(shape);
                        inputs.push(*input);
                        values.insert(*input, value);
                        value
                    }
                };
                reads.push(value);
            }
            let output = shape(self.from, *outlet).context("an output that is not a map")?;
            values.insert(*outlet, push(&mut draft, &recognised.recipe, &reads, output, kernel)?);
        }
        let is_inside = |outlet: &OutletId| run.iter().any(|item| item.node() == outlet.node);
        let made: Vec<OutletId> = run.iter().map(|item| OutletId::new(item.node(), 0)).collect();
        let read_outside: Vec<OutletId> = all
            .iter()
            .filter(|item| !run.iter().any(|inside| inside.node() == item.node()))
            .flat_map(|item| item.reads(self.from))
            .chain(self.from.output_outlets()?.iter().copied())
            .filter(is_inside)
            .collect();
        let outputs: Vec<OutletId> = made.into_iter().filter(|outlet| read_outside.contains(outlet)).collect();
        ensure!(inputs.len() <= MAX_NET_EDGES && outputs.len() <= MAX_NET_EDGES, "more than {MAX_NET_EDGES} edges");
        let shapes = outputs.iter().map(|outlet| pixels_shape(draft.shape(values[outlet]))).collect();
        let targets: Vec<Value> = outputs.iter().map(|outlet| values[outlet]).collect();
        let program = Arc::new(draft.finish(&targets));
        self.arenas.reserve(program.arena_bytes());
        self.programs.push(program.clone());
        let op = IntegerNet { program, outputs: shapes, arenas: self.arenas.clone(), spare: Arc::default() };
        let inputs = inputs.into_iter().map(|input| self.pixels(input)).collect::<TractResult<TVec<_>>>()?;
        let name = format!("integer_net.{}", self.programs.len());
        let made = self.to.wire_node(name, op, &inputs)?;
        for (outlet, pixels) in outputs.into_iter().zip(made) {
            self.emitted.insert(outlet, Emitted { stock: None, pixels: Some(pixels) });
        }
        Ok(())
    }

    fn finish(mut self) -> TractResult<Lowered> {
        let mut outputs = Vec::new();
        for outlet in self.from.output_outlets()? {
            let is_map = shape(self.from, *outlet).is_some();
            outputs.push(if is_map { self.pixels(*outlet)? } else { self.stock(*outlet)? });
        }
        // Sources keep the order of the old graph.
        let inputs = self.from.input_outlets()?.iter().map(|outlet| {
            let emitted = self.emitted.get(outlet).copied().unwrap_or_default();
            emitted.pixels.or(emitted.stock).context("an input that nothing reads")
        });
        let inputs = inputs.collect::<TractResult<Vec<_>>>()?;
        self.to.set_input_outlets(&inputs)?;
        self.to.select_output_outlets(&outputs)?;
        Ok(Lowered { model: self.to, programs: self.programs })
    }
}

fn push(
    draft: &mut Draft,
    recipe: &Recipe,
    reads: &[Value],
    output: Shape,
    kernel: &'static dyn Kernel,
) -> TractResult<Value> {
    let step = match recipe {
        Recipe::Conv(conv) => Step::Conv(kernel.prepare(conv)?),
        Recipe::SpaceToDepth { block } => Step::SpaceToDepth { block: *block },
        Recipe::DepthToSpace { block, order } => Step::DepthToSpace { block: *block, order: *order },
        Recipe::Concat => Step::Concat,
        Recipe::MaxPool { window, stride } => Step::MaxPool { window: *window, stride: *stride },
        Recipe::RepeatPixels { factor } => Step::RepeatPixels { factor: *factor },
        Recipe::Table(table) => Step::Table(table.clone()),
        Recipe::Add(add) => {
            // A term that repeats one map is repeated on the fly, not stored.
            if let Some((Step::Concat, parts)) = draft.maker(reads[1])
                && parts.iter().all(|part| *part == parts[0])
                && parts[0] != reads[0]
                && output.channels <= MAX_REPEATED
            {
                let (repeats, once) = (parts.len(), parts[0]);
                return Ok(draft.push(Step::Add { add: *add, repeats }, &[reads[0], once], output));
            }
            Step::Add { add: *add, repeats: 1 }
        }
    };
    Ok(draft.push(step, reads, output))
}

/// Nodes that stock tract runs: all but sources, constants and integer operations.
pub(super) fn stock_nodes(model: &TypedModel) -> TractResult<Vec<String>> {
    let is_stock =
        |node: &TypedNode| !(node.op_is::<TypedSource>() || node.op_is::<Const>() || node.op_is::<IntegerNet>());
    let order = model.eval_order()?;
    let nodes = order.into_iter().map(|at| model.node(at)).filter(|node| is_stock(node));
    Ok(nodes.map(|node| format!("{} {}", node.op.name(), node.name)).collect())
}

#[cfg(test)]
mod tests;
