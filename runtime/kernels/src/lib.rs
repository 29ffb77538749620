//! Quantized models in integers: convolutions, operations between them, and one arena for everything.
//!
//! A [`program::Program`] consists of [`step::Step`]s over maps of `u8` levels, `[height, width, channels]` with
//! interleaved channels. The position of each map in the arena is planned in advance; a run allocates nothing. A
//! [`kernel::Kernel`], selected once for the processor, prepares each convolution. All kernels give the same bits: sums
//! are exact in 32-bit integers, and requantization is one rounding of one product in `f32`, which IEEE 754 defines.

pub mod arena;
pub mod conv;
pub mod glue;
pub mod kernel;
pub mod map;
pub mod plan;
pub mod program;
pub mod requant;
pub mod step;
