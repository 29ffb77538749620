//! Kernels: the same convolution by what a processor can do.
//!
//! A [`Kernel`] prepares a convolution once, weights packed for its own instructions, and runs it often. Inside, a kernel
//! is a `Micro`: the few loops that touch vectors. What surrounds them is shared and safe: `direct` walks rows,
//! `winograd` walks tiles of 2x2 outputs. Unsafe code is in the files of single instruction sets alone.

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
    /// [`Unsuitable`] when it is not one that can be computed in integers.
    fn prepare(&self, conv: &Conv) -> Result<Box<dyn Prepared>, Unsuitable>;

    /// Multiplies and adds in registers and does nothing else, `rounds` times: the processor's peak, to measure a kernel
    /// by. Gives the number of multiply-accumulates; `None` where no such loop is written.
    fn saturate(&self, rounds: u32) -> Option<u64> {
        let _ = rounds;
        None
    }
}

/// A convolution, packed for one kernel.
pub trait Prepared: Debug + Send + Sync {
    /// Bytes of the packed weights and what belongs to them.
    fn weight_bytes(&self) -> usize;

    /// Bytes that a run works in, besides input and output.
    fn scratch_bytes(&self) -> usize;

    /// Multiplications that a run really makes: fewer than the convolution's own where an algorithm saves some.
    fn multiplies(&self) -> u64;

    /// Convolves a whole map. `scratch` has at least [`Prepared::scratch_bytes`], at the start of a cache line; what is
    /// in it does not matter.
    ///
    /// # Panics
    /// When a buffer is shorter than the convolution says.
    fn run(&self, input: &[u8], output: &mut [u8], scratch: &mut [u8]);
}

/// Every kernel that this processor can run, the fastest first.
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

/// The kernel of a name, if this processor can run it.
pub fn by_name(name: &str) -> Option<&'static dyn Kernel> {
    available().into_iter().find(|kernel| kernel.name() == name)
}
