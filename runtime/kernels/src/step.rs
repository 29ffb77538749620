//! One step of a program.

use crate::{
    glue::{Add, Order},
    kernel::Prepared,
};

/// Number of a map in a program.
pub type Value = usize;

/// The operation of a step. Its inputs and outputs are stored beside it in the program.
#[derive(Debug)]
pub enum Step {
    /// A convolution with requantization.
    Conv(Box<dyn Prepared>),
    /// Blocks of pixels become channels.
    SpaceToDepth {
        /// Edge of a block.
        block: usize,
    },
    /// Channels become blocks of pixels.
    DepthToSpace {
        /// Edge of a block.
        block: usize,
        /// The order of channels.
        order: Order,
    },
    /// Concatenates the channels of all inputs.
    Concat,
    /// The sum of two maps; the channels of the second are repeated `repeats` times.
    Add {
        /// The arithmetic.
        add: Add,
        /// How often.
        repeats: usize,
    },
    /// Greatest level of each window.
    MaxPool {
        /// Edge of a window.
        window: usize,
        /// Distance between windows.
        stride: usize,
    },
    /// Repeats each pixel in both directions.
    RepeatPixels {
        /// Repetitions per axis.
        factor: usize,
    },
    /// Maps each level through a table: another grid, a ReLU.
    Table(Box<[u8; 256]>),
    /// The unchanged map.
    Copy,
}

impl Step {
    /// Scratch bytes of a run, besides inputs and outputs.
    pub fn scratch_bytes(&self) -> usize {
        match self {
            Self::Conv(conv) => conv.scratch_bytes(),
            _ => 0,
        }
    }

    /// Bytes held from run to run.
    pub fn weight_bytes(&self) -> usize {
        match self {
            Self::Conv(conv) => conv.weight_bytes(),
            Self::Table(_) => 256,
            _ => 0,
        }
    }
}
