//! Quantized nets in integers: convolutions, what moves levels between them, and one arena for all of it.
//!
//! A [`program::Program`] is made of [`step::Step`]s over maps of `u8` levels, `[height, width, channels]` with the
//! channels of a pixel together. Where each map lies in the arena is planned before anything is allocated; a run
//! allocates nothing. A convolution is prepared by a [`kernel::Kernel`], chosen once by what the processor can do; all of
//! them give the same bits: sums are exact in 32-bit integers, and requantization is one rounding of one product in
//! `f32`, which IEEE 754 fixes.

pub mod arena;
pub mod conv;
pub mod glue;
pub mod kernel;
pub mod map;
pub mod plan;
pub mod program;
pub mod requant;
pub mod step;
