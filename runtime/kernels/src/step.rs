//! One step of a program.

use crate::{
    glue::{Add, Order},
    kernel::Prepared,
};

/// Number of a map in a program.
pub type Value = usize;

/// What a step does. What it reads and writes stands beside it in the program.
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
        /// Which channel goes where.
        order: Order,
    },
    /// The channels of all inputs in a row.
    Concat,
    /// The sum of two maps; the second one's channels `repeats` times over.
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
        /// From one window to the next.
        stride: usize,
    },
    /// Each pixel several times, both ways.
    RepeatPixels {
        /// How often along an axis.
        factor: usize,
    },
    /// Each level by a table: another grid, a ReLU.
    Table(Box<[u8; 256]>),
    /// The same map again.
    Copy,
}

impl Step {
    /// Bytes that a run works in, besides what it reads and writes.
    pub fn scratch_bytes(&self) -> usize {
        match self {
            Self::Conv(conv) => conv.scratch_bytes(),
            _ => 0,
        }
    }

    /// Bytes that it keeps from run to run.
    pub fn weight_bytes(&self) -> usize {
        match self {
            Self::Conv(conv) => conv.weight_bytes(),
            Self::Table(_) => 256,
            _ => 0,
        }
    }
}
