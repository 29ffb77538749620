//! The tract operation that runs an integer program.

use std::sync::{Mutex, PoisonError};

use tract_core::internal::*;

use super::arenas::Arenas;
use crate::{engine::limits::MAX_WORKERS, model::limits::MAX_NET_EDGES};
use bloodseg_kernels::program::Program;

/// A part of a graph in integers: maps `[1, height, width, channels]` in and out.
#[derive(Debug, Clone)]
pub(super) struct IntegerNet {
    pub(super) program: Arc<Program>,
    pub(super) outputs: Vec<[usize; 4]>,
    pub(super) arenas: Arc<Arenas>,
    /// Output tensors to reuse once they are released.
    pub(super) spare: Arc<Mutex<Spares>>,
}

/// One set of outputs per run.
pub(super) type Spares = heapless::Vec<Vec<Arc<Tensor>>, MAX_WORKERS>;

impl PartialEq for IntegerNet {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.program, &other.program)
    }
}

impl Eq for IntegerNet {}

impl IntegerNet {
    /// Released outputs; new ones in the first runs.
    fn take_outputs(&self) -> TractResult<Vec<Arc<Tensor>>> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = |tensors: &Vec<Arc<Tensor>>| tensors.iter().all(|tensor| Arc::strong_count(tensor) == 1);
        if let Some(at) = spare.iter().position(is_free) {
            return Ok(spare.swap_remove(at));
        }
        drop(spare);
        let make = |shape: &[usize; 4]| Ok(Tensor::zero::<u8>(shape)?.into_arc_tensor());
        self.outputs.iter().map(make).collect()
    }

    /// Keeps outputs for a later run and lends them for reading.
    fn lend(&self, tensors: Vec<Arc<Tensor>>) -> TVec<TValue> {
        let values = tensors.iter().map(|tensor| TValue::from_const(tensor.clone())).collect();
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = spare.push(tensors);
        values
    }

    /// Runs a program with one input and one output; allocates nothing once an arena exists.
    pub(super) fn run_alone(&self, input: &[u8], output: &mut [u8]) -> TractResult<()> {
        Ok(self.arenas.with(|arena| self.program.run(arena, &[input], &mut [output]))?)
    }

    fn run(&self, inputs: &[TValue], tensors: &mut [Arc<Tensor>]) -> TractResult<()> {
        let mut from: heapless::Vec<&[u8], MAX_NET_EDGES> = heapless::Vec::new();
        for input in inputs {
            let levels = input.try_as_plain_ram()?.as_slice::<u8>()?;
            from.push(levels).map_err(|_| format_err!("more than {MAX_NET_EDGES} inputs"))?;
        }
        let mut views: heapless::Vec<_, MAX_NET_EDGES> = heapless::Vec::new();
        for tensor in tensors {
            let tensor = Arc::get_mut(tensor).context("an output that is still in use")?;
            let view = tensor.try_as_plain_ram_mut()?;
            views.push(view).map_err(|_| format_err!("more than {MAX_NET_EDGES} outputs"))?;
        }
        let mut to: heapless::Vec<&mut [u8], MAX_NET_EDGES> = heapless::Vec::new();
        for view in &mut views {
            to.push(view.as_slice_mut::<u8>()?).map_err(|_| format_err!("more than {MAX_NET_EDGES} outputs"))?;
        }
        Ok(self.arenas.with(|arena| self.program.run(arena, &from, &mut to))?)
    }
}

impl Op for IntegerNet {
    fn name(&self) -> StaticName {
        "IntegerNet".into()
    }

    fn info(&self) -> TractResult<Vec<String>> {
        Ok(vec![format!("{} steps, arena of {} bytes", self.program.steps(), self.program.arena_bytes())])
    }

    op_as_typed_op!();
}

impl EvalOp for IntegerNet {
    not_out_of_plan!();

    fn eval(&self, _ctx: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut tensors = self.take_outputs()?;
        self.run(&inputs, &mut tensors)?;
        Ok(self.lend(tensors))
    }
}

impl TypedOp for IntegerNet {
    fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(self.outputs.iter().map(u8::fact).collect())
    }

    as_op!();
}
