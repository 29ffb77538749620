//! Kernels: the same convolution for different instruction sets.
//!
//! A [`Kernel`] prepares a convolution once, with weights packed for its instructions, and runs it often. Its core is a
//! `Micro`: a few vector loops. Everything around them is shared and safe: `direct` iterates over rows, `winograd` over
//! tiles of 2x2 outputs. Unsafe code is confined to the files of individual instruction sets.

mod direct;
mod form;
mod micro;
mod portable;
mod winograd;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod sdot;
#[cfg(target_arch = "x86_64")]
mod vnni;

use std::fmt::Debug;

use crate::conv::{Conv, Unsuitable};

/// A way to compute convolutions.
pub trait Kernel: Debug + Send + Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// Packs a convolution.
    ///
    /// # Errors
    /// [`Unsuitable`] if it cannot be computed in integers.
    fn prepare(&self, conv: &Conv) -> Result<Box<dyn Prepared>, Unsuitable>;

    /// Only multiplies and adds in registers, `rounds` times, to measure the processor's peak. Returns the number of
    /// multiply-accumulates; `None` if there is no such loop.
    fn saturate(&self, rounds: u32) -> Option<u64> {
        let _ = rounds;
        None
    }
}

/// A convolution, packed for one kernel.
pub trait Prepared: Debug + Send + Sync {
    /// Bytes of the packed weights and related data.
    fn weight_bytes(&self) -> usize;

    /// Scratch bytes of a run, besides input and output.
    fn scratch_bytes(&self) -> usize;

    /// Multiplications actually performed by a run: fewer than the convolution's own if the algorithm saves some.
    fn multiplies(&self) -> u64;

    /// Convolves a whole map. `scratch` has at least [`Prepared::scratch_bytes`], aligned to a cache line, with arbitrary
    /// contents.
    ///
    /// # Panics
    /// If a buffer is shorter than the convolution requires.
    fn run(&self, input: &[u8], output: &mut [u8], scratch: &mut [u8]);
}

/// All kernels that this processor supports, fastest first.
pub fn available() -> Vec<&'static dyn Kernel> {
    let mut kernels: Vec<&'static dyn Kernel> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if vnni::is_available() {
            kernels.push(&vnni::KERNEL);
        }
        if avx2::is_available() {
            kernels.push(&avx2::KERNEL);
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        if sdot::is_available() {
            kernels.push(&sdot::KERNEL);
        }
        kernels.push(&neon::KERNEL);
    }
    kernels.push(&portable::KERNEL);
    kernels
}

/// The fastest kernel of this processor.
pub fn fastest() -> &'static dyn Kernel {
    available().first().copied().unwrap_or(&portable::KERNEL)
}

/// The kernel with this name, if this processor supports it.
pub fn by_name(name: &str) -> Option<&'static dyn Kernel> {
    available().into_iter().find(|kernel| kernel.name() == name)
}
