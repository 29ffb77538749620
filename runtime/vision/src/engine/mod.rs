//! The engine: runs a model on bytes. The only module that uses tract.
//!
//! tract types and plans the graph that the gate has parsed (`read`). Before that, float operations around a convolution
//! are lowered to integer programs (`lower`), with kernels for the processor and an arena that is planned in advance.
//! tract runs what is not recognised.

mod arenas;
mod constants;
#[cfg(test)]
#[path = "../../../tiny-models/src/lib.rs"]
pub(crate) mod fixture;
mod integer_net;
pub mod limits;
mod lower;
mod read;
mod recognise;
mod setup;
#[cfg(test)]
mod tests;
mod verify;

use std::panic::{AssertUnwindSafe, catch_unwind};

use tract_core::{ops::konst::Const, prelude::*};

pub use arenas::Arenas;
pub(crate) use arenas::Share;
pub use setup::{STOCK, Setup};

use integer_net::IntegerNet;

use crate::{
    error::{Cause, Error, Result},
    model::{gate, limits::MAX_ACTIVATION_BYTES, onnx_gate, store::Model},
};
use bloodseg_kernels::program::Program;

/// A model loaded for one picture size.
#[derive(Debug)]
pub struct Engine {
    name: String,
    runner: Runner,
    input_shape: [usize; 4],
    output_shape: [usize; 4],
    figures: Figures,
}

/// How it runs.
#[derive(Debug)]
enum Runner {
    /// The whole model is one program that runs without tract and allocates nothing.
    Program(IntegerNet),
    /// tract evaluates node by node.
    Graph {
        state: TypedSimpleState,
        /// The input tensor, reused.
        input: Arc<Tensor>,
    },
}

/// Properties of a loaded model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Name of the kernel of its convolutions.
    pub kernel: &'static str,
    /// Most bytes of maps between the layers at a time: the arena of the integer programs, or what stock tract allocates
    /// if that is more.
    pub activation_bytes: u64,
    /// Bytes of the arena of its integer programs.
    pub arena_bytes: usize,
    /// Bytes of the packed weights.
    pub weight_bytes: usize,
    /// Bytes of the tensors held for inputs and outputs; 0 if the whole model is one program.
    pub edge_bytes: usize,
    /// Multiplications per run in integer programs.
    pub multiplies: u64,
    /// Nodes that stock tract runs: operation and name.
    pub stock_nodes: Vec<String>,
}

impl Engine {
    /// Plans `model` for pictures of `height` x `width`, which may differ from the manifest's because the models are
    /// fully convolutional. Both must be multiples of 16 on the low-resolution grid.
    ///
    /// # Errors
    /// [`Error::Model`] if the graph does not match the manifest, cannot be planned, or would need more than
    /// [`MAX_ACTIVATION_BYTES`].
    pub fn load(model: &Model, height: usize, width: usize, setup: &Setup) -> Result<Self> {
        let scale = gate::scale(model.manifest.role);
        let output_shape = [1, height * scale, width * scale, model.manifest.output.shape[1]];
        let engine = Self::load_part(model, height, width, setup, false)?;
        if engine.output_shape == output_shape {
            return Ok(engine);
        }
        let found = format!("output {:?}", engine.output_shape);
        Err(Error::model(&model.manifest.name, found, format!("u8 of {output_shape:?}"), ""))
    }

    /// The same, but the model ends with the levels of its last convolution, to measure an engine by its convolutions
    /// only.
    ///
    /// # Errors
    /// As [`Engine::load`], and for a model without a recognised convolution.
    pub fn load_body(model: &Model, height: usize, width: usize, setup: &Setup) -> Result<Self> {
        Self::load_part(model, height, width, setup, true)
    }

    fn load_part(model: &Model, height: usize, width: usize, setup: &Setup, body: bool) -> Result<Self> {
        let name = &model.manifest.name;
        // The file is validated again, so that no unchecked model gets here.
        let seen = onnx_gate::read(&model.onnx).and_then(|(graph, seen)| seen.agree(&model.manifest).map(|()| graph));
        let graph = seen.map_err(|fault| Error::model(name, fault.found, fault.expected, ""))?;
        let channels = model.manifest.input.shape[1];
        let input_shape = [1, height, width, channels];
        // The gate rejects everything known to panic in the planner. If it misses something, a model must still not end
        // the process.
        let planned = catch_unwind(AssertUnwindSafe(|| plan(&graph, [1, channels, height, width], setup, body)));
        let (plan, programs) = match planned {
            Ok(Ok(planned)) => planned,
            Ok(Err(e)) => return Err(fault(name, e)),
            Err(_) => {
                return Err(Error::model(name, "a graph that the engine cannot plan", "one made by train-host", ""));
            }
        };
        let fact = plan.model().output_fact(0).map_err(|e| fault(name, e))?;
        let output_shape = fact.shape.as_concrete().and_then(|shape| <[usize; 4]>::try_from(shape).ok());
        let Some(output_shape) = output_shape.filter(|_| fact.datum_type == u8::datum_type()) else {
            return Err(Error::model(name, format!("output {fact:?}"), "a map of u8", ""));
        };
        let program = sole_program(plan.model()).map_err(|e| fault(name, e))?;
        let mut figures = figures(&plan, &programs, setup).map_err(|e| fault(name, e))?;
        if figures.activation_bytes > MAX_ACTIVATION_BYTES {
            let found = format!("a graph that needs {} bytes to run", figures.activation_bytes);
            return Err(Error::model(name, found, format!("at most {MAX_ACTIVATION_BYTES} bytes"), ""));
        }
        let runner = match program {
            Some(program) => {
                figures.edge_bytes = 0;
                Runner::Program(program)
            }
            None => Runner::graph(&plan, input_shape).map_err(|e| fault(name, e))?,
        };
        Ok(Self { name: name.clone(), runner, input_shape, output_shape, figures })
    }

    /// The same model for another thread: weights are shared, buffers are not.
    ///
    /// # Errors
    /// [`Error::Model`] if tract cannot create another state.
    pub fn another(&self) -> Result<Self> {
        let runner = match &self.runner {
            Runner::Program(program) => Runner::Program(program.clone()),
            Runner::Graph { state, .. } => {
                Runner::graph(state.plan(), self.input_shape).map_err(|e| fault(&self.name, e))?
            }
        };
        Ok(Self { name: self.name.clone(), runner, figures: self.figures.clone(), ..*self })
    }

    /// Shape of the input, `[1, height, width, channels]`.
    pub fn input_shape(&self) -> [usize; 4] {
        self.input_shape
    }

    /// Shape of the output, `[1, height, width, channels]`.
    pub fn output_shape(&self) -> [usize; 4] {
        self.output_shape
    }

    /// Its properties.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Runs the model: `input` and `output` have one byte per element, channels interleaved.
    ///
    /// # Errors
    /// [`Error::Internal`] if a buffer has the wrong length, [`Error::Model`] if the engine fails.
    pub fn run(&mut self, input: &[u8], output: &mut [u8]) -> Result<()> {
        let lengths = (self.input_shape.iter().product(), self.output_shape.iter().product());
        if (input.len(), output.len()) != lengths {
            let found = format!("{} and {} bytes instead of {lengths:?}", input.len(), output.len());
            return Err(Error::internal("engine::run", found));
        }
        self.try_run(input, output).map_err(|e| fault(&self.name, e))
    }

    fn try_run(&mut self, input: &[u8], output: &mut [u8]) -> TractResult<()> {
        match &mut self.runner {
            Runner::Program(net) => net.run_alone(input, output),
            Runner::Graph { state, input: tensor } => {
                match Arc::get_mut(tensor) {
                    Some(tensor) => tensor.try_as_plain_ram_mut()?.as_slice_mut::<u8>()?.copy_from_slice(input),
                    // A failed run may have kept it.
                    None => *tensor = Tensor::from_shape(&self.input_shape, input)?.into_arc_tensor(),
                }
                let outputs = state.run(tvec!(tensor.clone().into_tvalue()))?;
                let view = outputs[0].try_as_plain_ram()?;
                output.copy_from_slice(view.as_slice::<u8>()?);
                Ok(())
            }
        }
    }
}

impl Runner {
    fn graph(plan: &Arc<TypedRunnableModel>, input_shape: [usize; 4]) -> TractResult<Self> {
        Ok(Self::Graph { state: plan.spawn()?, input: Tensor::zero::<u8>(&input_shape)?.into_arc_tensor() })
    }
}

/// The single program of a planned model, from its one input to its one output; `None` if there is more to it.
fn sole_program(model: &TypedModel) -> TractResult<Option<IntegerNet>> {
    let ([input], [output]) = (model.input_outlets()?, model.output_outlets()?) else { return Ok(None) };
    let node = model.node(output.node);
    let is_whole = node.inputs.as_slice() == [*input] && node.outputs.len() == 1;
    Ok(node.op_as::<IntegerNet>().filter(|_| is_whole).cloned())
}

type Planned = (Arc<TypedRunnableModel>, Vec<Arc<Program>>);

fn plan(graph: &onnx_gate::Graph<'_>, input_shape: [usize; 4], setup: &Setup, body: bool) -> TractResult<Planned> {
    let mut typed = read::typed(graph, input_shape)?;
    if body {
        let last = lower::last_convolution(&typed)?;
        typed.select_output_outlets(&[last])?;
    }
    let lowered = lower::lower(&typed, setup.kernel, &setup.arenas)?;
    let mut model = lowered.model;
    if !lower::stock_nodes(&model)?.is_empty() {
        model = model.into_optimized()?;
    }
    Ok((model.into_runnable()?, lowered.programs))
}

fn figures(plan: &TypedRunnableModel, programs: &[Arc<Program>], setup: &Setup) -> TractResult<Figures> {
    let usage = plan.model().eval_tmp_memory_usage(plan.order_without_consts(), |node| !node.op_is::<Const>())?;
    let mut most = 0;
    for (_, bytes) in usage {
        most = most.max(bytes.to_i64()?.max(0) as u64);
    }
    let arena_bytes = programs.iter().map(|program| program.arena_bytes()).max().unwrap_or(0);
    let mut edge_bytes = 0;
    for outlet in plan.model().input_outlets()?.iter().chain(plan.model().output_outlets()?) {
        edge_bytes += plan.model().outlet_fact(*outlet)?.shape.volume().to_i64()?.max(0) as usize;
    }
    Ok(Figures {
        kernel: setup.kernel(),
        activation_bytes: most.max(arena_bytes as u64),
        arena_bytes,
        weight_bytes: programs.iter().map(|program| program.weight_bytes()).sum(),
        edge_bytes,
        multiplies: programs.iter().map(|program| program.multiplies()).sum(),
        stock_nodes: lower::stock_nodes(plan.model())?,
    })
}

fn fault(name: &str, error: TractError) -> Error {
    Error::model(name, Cause::with_source(format!("{error:#}"), error), "a graph that the engine can run", "")
}
