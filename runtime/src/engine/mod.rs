//! The engine: runs a model on bytes. The one module that knows tract.

mod check;
#[cfg(test)]
#[path = "../../tests/fixture/mod.rs"]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use tract_core::{ops::konst::Const, prelude::*};
use tract_onnx::prelude::InferenceModelExt;

use crate::{
    error::{Error, Result},
    limits::MAX_ACTIVATION_BYTES,
    model::{gate, store::Model},
};

/// A model that is ready to run at one size of picture.
#[derive(Debug)]
pub struct Engine {
    name: String,
    state: TypedSimpleState,
    input_shape: [usize; 4],
    output_shape: [usize; 4],
    activation_bytes: u64,
}

impl Engine {
    /// Plans `model` for pictures of `height` x `width`, which may differ from the manifest's: the nets are
    /// convolutions all through. Both must be multiples of 16 on the low-resolution grid.
    ///
    /// # Errors
    /// [`Error::Model`] when the graph is not what the manifest says, cannot be planned, or would need more than
    /// [`MAX_ACTIVATION_BYTES`].
    pub fn load(model: &Model, height: usize, width: usize) -> Result<Self> {
        let name = &model.manifest.name;
        let graph = check::decode(model)?;
        let scale = gate::scale(model.manifest.role);
        let input_shape = [1, model.manifest.input.shape[1], height, width];
        let output_shape = [1, model.manifest.output.shape[1], height * scale, width * scale];
        // The gate and the checks leave nothing known that panics in the planner; should it meet an unknown, a
        // model must still not end the process.
        let planned = catch_unwind(AssertUnwindSafe(|| plan(&graph, input_shape)));
        let plan = match planned {
            Ok(Ok(plan)) => plan,
            Ok(Err(e)) => return Err(fault(name, &e)),
            Err(_) => {
                return Err(Error::model(name, "a graph that the engine cannot plan", "one made by train-host", ""));
            }
        };
        let fact = plan.model().output_fact(0).map_err(|e| fault(name, &e))?;
        let found = (fact.datum_type, fact.shape.as_concrete());
        if found != (u8::datum_type(), Some(&output_shape[..])) {
            return Err(Error::model(name, format!("output {fact:?}"), format!("u8 of {output_shape:?}"), ""));
        }
        let activation_bytes = activation_bytes(&plan).map_err(|e| fault(name, &e))?;
        if activation_bytes > MAX_ACTIVATION_BYTES {
            let found = format!("a graph that needs {activation_bytes} bytes to run");
            return Err(Error::model(name, found, format!("at most {MAX_ACTIVATION_BYTES} bytes"), ""));
        }
        let state = plan.spawn().map_err(|e| fault(name, &e))?;
        Ok(Self { name: name.clone(), state, input_shape, output_shape, activation_bytes })
    }

    /// Shape of the input, `[1, channels, height, width]`.
    pub fn input_shape(&self) -> [usize; 4] {
        self.input_shape
    }

    /// Shape of the output, `[1, channels, height, width]`.
    pub fn output_shape(&self) -> [usize; 4] {
        self.output_shape
    }

    /// Most bytes that the tensors between the layers take at a time, from the plan.
    pub fn activation_bytes(&self) -> u64 {
        self.activation_bytes
    }

    /// Runs the model: `input` and `output` hold one byte an element, planes of rows.
    ///
    /// # Errors
    /// [`Error::Internal`] when a buffer has the wrong length, [`Error::Model`] when the engine fails.
    pub fn run(&mut self, input: &[u8], output: &mut [u8]) -> Result<()> {
        let lengths = (self.input_shape.iter().product(), self.output_shape.iter().product());
        if (input.len(), output.len()) != lengths {
            let found = format!("{} and {} bytes instead of {lengths:?}", input.len(), output.len());
            return Err(Error::internal("engine::run", found));
        }
        self.try_run(input, output).map_err(|e| fault(&self.name, &e))
    }

    fn try_run(&mut self, input: &[u8], output: &mut [u8]) -> TractResult<()> {
        let input = Tensor::from_shape(&self.input_shape, input)?;
        let outputs = self.state.run(tvec!(input.into_tvalue()))?;
        let view = outputs[0].to_plain_array_view::<u8>()?;
        for (to, from) in output.iter_mut().zip(view.iter()) {
            *to = *from;
        }
        Ok(())
    }
}

fn plan(graph: &tract_onnx::pb::ModelProto, input_shape: [usize; 4]) -> TractResult<Arc<TypedRunnableModel>> {
    tract_onnx::onnx()
        // The graph names the shapes of one size; ours may be another.
        .with_ignore_value_info(true)
        .with_ignore_output_shapes(true)
        .model_for_proto_model(graph)?
        .with_input_fact(0, u8::fact(input_shape).into())?
        .into_optimized()?
        .into_runnable()
}

fn activation_bytes(plan: &TypedRunnableModel) -> TractResult<u64> {
    let usage = plan.model().eval_tmp_memory_usage(plan.order_without_consts(), |node| !node.op_is::<Const>())?;
    let mut most = 0;
    for (_, bytes) in usage {
        most = most.max(bytes.to_i64()?.max(0) as u64);
    }
    Ok(most)
}

fn fault(name: &str, error: &TractError) -> Error {
    Error::model(name, format!("{error:#}"), "a graph that the engine can run", "")
}
