//! A model, or a part of one, as steps over maps at planned positions.

use std::ops::Range;

use crate::{
    arena::Arena,
    glue,
    map::Shape,
    plan::{self, Need},
    step::{Step, Value},
};

/// Steps under construction.
#[derive(Debug, Default)]
pub struct Draft {
    shapes: Vec<Shape>,
    steps: Vec<(Step, Vec<Value>, Value)>,
    inputs: Vec<Value>,
}

impl Draft {
    /// An input map of every run.
    pub fn input(&mut self, shape: Shape) -> Value {
        let value = self.value(shape);
        self.inputs.push(value);
        value
    }

    fn value(&mut self, shape: Shape) -> Value {
        self.shapes.push(shape);
        self.shapes.len() - 1
    }

    /// Appends a step and returns its output map.
    pub fn push(&mut self, step: Step, inputs: &[Value], output: Shape) -> Value {
        let value = self.value(output);
        self.steps.push((step, inputs.to_vec(), value));
        value
    }

    /// Shape of a map.
    pub fn shape(&self, value: Value) -> Shape {
        self.shapes[value]
    }

    /// The step that produces a map, and its inputs; `None` for inputs of the program.
    pub fn maker(&self, value: Value) -> Option<(&Step, &[Value])> {
        let (step, inputs, _) = self.steps.iter().find(|(_, _, output)| *output == value)?;
        Some((step, inputs))
    }

    /// Plans the memory of a program with these `outputs`. Unused steps are removed.
    pub fn finish(mut self, outputs: &[Value]) -> Program {
        // An output that is read again, requested twice, or is an input, gets its own map.
        let mut targets: Vec<Value> = Vec::new();
        for &output in outputs {
            let is_read = self.steps.iter().any(|(_, inputs, _)| inputs.contains(&output));
            let is_plain = !is_read && !self.inputs.contains(&output) && !targets.contains(&output);
            targets.push(if is_plain { output } else { self.push(Step::Copy, &[output], self.shapes[output]) });
        }
        let mut wanted = targets.clone();
        let mut kept = vec![false; self.steps.len()];
        for (at, (_, inputs, output)) in self.steps.iter().enumerate().rev() {
            if wanted.contains(output) {
                kept[at] = true;
                wanted.extend(inputs);
            }
        }
        let mut kept = kept.into_iter();
        self.steps.retain(|_| kept.next().unwrap_or(false));
        self.lay_out(&targets)
    }

    fn lay_out(self, targets: &[Value]) -> Program {
        let Self { shapes, steps, inputs } = self;
        let mut places: Vec<Place> = vec![Place::Arena(0..0); shapes.len()];
        for (at, input) in inputs.iter().enumerate() {
            places[*input] = Place::Input(at);
        }
        for (at, target) in targets.iter().enumerate() {
            places[*target] = Place::Output(at);
        }
        let (mut needs, mut owners) = (Vec::new(), Vec::new());
        for (at, (step, _, output)) in steps.iter().enumerate() {
            if matches!(places[*output], Place::Arena(_)) {
                let reads = |(_, inputs, _): &(Step, Vec<Value>, Value)| inputs.contains(output);
                let last = steps.iter().rposition(reads).unwrap_or(at);
                needs.push(Need { bytes: shapes[*output].bytes(), steps: at..=last });
                owners.push(Owner::Map(*output));
            }
            if step.scratch_bytes() > 0 {
                needs.push(Need { bytes: step.scratch_bytes(), steps: at..=at });
                owners.push(Owner::Scratch(at));
            }
        }
        let (ranges, arena_bytes) = plan::place(&needs);
        let mut scratch = vec![0..0; steps.len()];
        for (owner, range) in owners.into_iter().zip(ranges) {
            match owner {
                Owner::Map(value) => places[value] = Place::Arena(range),
                Owner::Scratch(step) => scratch[step] = range,
            }
        }
        let lengths = |values: &[Value]| values.iter().map(|value| shapes[*value].bytes()).collect();
        Program {
            input_bytes: lengths(&inputs),
            output_bytes: lengths(targets),
            steps: steps
                .into_iter()
                .zip(scratch)
                .map(|((step, inputs, output), scratch)| Planned {
                    reads: inputs.iter().map(|value| (places[*value].clone(), shapes[*value])).collect(),
                    write: (places[output].clone(), shapes[output]),
                    step,
                    scratch,
                })
                .collect(),
            arena_bytes,
        }
    }
}

enum Owner {
    Map(Value),
    Scratch(usize),
}

/// The position of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Input(usize),
    Output(usize),
    Arena(Range<usize>),
}

#[derive(Debug)]
struct Planned {
    step: Step,
    reads: Vec<(Place, Shape)>,
    write: (Place, Shape),
    scratch: Range<usize>,
}

/// Steps whose maps have positions.
#[derive(Debug)]
pub struct Program {
    steps: Vec<Planned>,
    input_bytes: Vec<usize>,
    output_bytes: Vec<usize>,
    arena_bytes: usize,
}

/// Why a program cannot run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Number or lengths of the inputs or outputs differ from the program's.
    #[error("inputs or outputs of other lengths than the program's")]
    Lengths,
    /// The arena is smaller than the program's.
    #[error("an arena of {found} bytes; expected {expected}")]
    Arena {
        /// Its size in bytes.
        found: usize,
        /// The required size.
        expected: usize,
    },
    /// A bug in the plan.
    #[error("maps that overlap in the arena")]
    Overlap,
}

impl Program {
    /// Bytes of the arena for a run.
    pub fn arena_bytes(&self) -> usize {
        self.arena_bytes
    }

    /// Bytes of all packed weights.
    pub fn weight_bytes(&self) -> usize {
        self.steps.iter().map(|planned| planned.step.weight_bytes()).sum()
    }

    /// Multiplications per run.
    pub fn multiplies(&self) -> u64 {
        let conv = |planned: &Planned| match &planned.step {
            Step::Conv(conv) => conv.multiplies(),
            _ => 0,
        };
        self.steps.iter().map(conv).sum()
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// Runs the program; allocates nothing.
    ///
    /// # Errors
    /// [`Fault`] if a buffer does not match the program.
    pub fn run(&self, arena: &mut Arena, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<(), Fault> {
        let are_inputs = inputs.iter().map(|input| input.len()).eq(self.input_bytes.iter().copied());
        if !are_inputs || !outputs.iter().map(|output| output.len()).eq(self.output_bytes.iter().copied()) {
            return Err(Fault::Lengths);
        }
        if arena.len() < self.arena_bytes {
            return Err(Fault::Arena { found: arena.len(), expected: self.arena_bytes });
        }
        let arena = arena.bytes_mut();
        self.steps.iter().try_for_each(|planned| planned.run(arena, inputs, outputs))
    }
}

impl Planned {
    fn run(&self, arena: &mut [u8], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<(), Fault> {
        let shape = self.reads[0].1;
        match &self.step {
            Step::Conv(conv) => self.unary(arena, inputs, outputs, |from, to, scratch| conv.run(from, to, scratch)),
            Step::SpaceToDepth { block } => {
                self.unary(arena, inputs, outputs, |from, to, _| glue::space_to_depth(shape, *block, from, to))
            }
            Step::DepthToSpace { block, order } => {
                self.unary(arena, inputs, outputs, |from, to, _| glue::depth_to_space(shape, *block, *order, from, to))
            }
            Step::MaxPool { window, stride } => {
                self.unary(arena, inputs, outputs, |from, to, _| glue::max_pool(shape, *window, *stride, from, to))
            }
            Step::RepeatPixels { factor } => {
                self.unary(arena, inputs, outputs, |from, to, _| glue::repeat_pixels(shape, *factor, from, to))
            }
            Step::Table(table) => self.unary(arena, inputs, outputs, |from, to, _| {
                for (to, from) in to.iter_mut().zip(from) {
                    *to = table[usize::from(*from)];
                }
            }),
            Step::Copy => self.unary(arena, inputs, outputs, |from, to, _| to.copy_from_slice(from)),
            Step::Concat => {
                let pitch = self.write.1.channels;
                let mut first = 0;
                for (at, (_, part)) in self.reads.iter().enumerate() {
                    self.with([at], arena, inputs, outputs, |[from], to, _| {
                        glue::place_channels(from, part.channels, to, pitch, first);
                    })?;
                    first += part.channels;
                }
                Ok(())
            }
            Step::Add { add, repeats } => self.with([0, 1], arena, inputs, outputs, |[a, b], to, _| {
                add.run(a, b, shape.channels, *repeats, to);
            }),
        }
    }

    fn unary(
        &self,
        arena: &mut [u8],
        inputs: &[&[u8]],
        outputs: &mut [&mut [u8]],
        work: impl FnOnce(&[u8], &mut [u8], &mut [u8]),
    ) -> Result<(), Fault> {
        self.with([0], arena, inputs, outputs, |[from], to, scratch| work(from, to, scratch))
    }

    /// Borrows a step's inputs, output, and scratch memory.
    fn with<const N: usize>(
        &self,
        reads: [usize; N],
        arena: &mut [u8],
        inputs: &[&[u8]],
        outputs: &mut [&mut [u8]],
        work: impl FnOnce([&[u8]; N], &mut [u8], &mut [u8]),
    ) -> Result<(), Fault> {
        let range = |place: &Place| match place {
            Place::Arena(range) => range.clone(),
            Place::Input(_) | Place::Output(_) => 0..0,
        };
        let mut ranges = [const { 0..0 }; 4];
        ranges[0] = range(&self.write.0);
        ranges[1] = self.scratch.clone();
        for (to, at) in ranges[2..].iter_mut().zip(reads) {
            *to = range(&self.reads[at].0);
        }
        let [write, scratch, first, second] = arena.get_disjoint_mut(ranges).map_err(|_| Fault::Overlap)?;
        let from: [&[u8]; 2] = [first, second];
        let mut each = from.into_iter();
        let read = reads.map(|at| {
            let in_arena = each.next().unwrap_or_default();
            match self.reads[at].0 {
                Place::Input(input) => inputs[input],
                Place::Output(_) | Place::Arena(_) => in_arena,
            }
        });
        let write = match self.write.0 {
            Place::Output(output) => &mut *outputs[output],
            Place::Input(_) | Place::Arena(_) => write,
        };
        work(read, write, scratch);
        Ok(())
    }
}
