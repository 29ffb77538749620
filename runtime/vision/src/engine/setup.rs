//! How engines run on this machine.

use std::sync::Arc;

use bloodseg_kernels::{
    arena::Arena,
    conv::Conv,
    kernel::{self, Kernel},
    map::Shape,
};

use super::{Arenas, Share};
use crate::{
    error::{Cause, Error, Result},
    model::golden,
};

/// In place of a kernel name: no integer programs, only tract.
pub const STOCK: &str = "stock";

/// The kernel of all convolutions, and the shared arenas. Engines that run one after another need one arena between them.
#[derive(Debug, Clone)]
pub struct Setup {
    /// `None` leaves everything to stock tract.
    pub(super) kernel: Option<&'static dyn Kernel>,
    pub(super) arenas: Arc<Arenas>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { kernel: Some(kernel::fastest()), arenas: Arc::default() }
    }
}

impl Setup {
    /// Uses the named kernel; [`STOCK`] leaves every node to tract, for comparison. `None` for unknown kernels and those
    /// that this processor cannot run; see [`Self::kernels`].
    pub fn with_kernel(name: &str) -> Option<Self> {
        let kernel = if name == STOCK { None } else { Some(kernel::by_name(name)?) };
        Some(Self { kernel, arenas: Arc::default() })
    }

    /// Names of the kernels that this processor can run, the fastest first.
    pub fn kernels() -> Vec<&'static str> {
        kernel::available().iter().map(|kernel| kernel.name()).collect()
    }

    /// Name of the kernel.
    pub fn kernel(&self) -> &'static str {
        self.kernel.map_or(STOCK, Kernel::name)
    }

    /// Checks the processor: two small convolutions, one per algorithm of the kernel, must match the portable kernel.
    /// Takes a hundredth of the work of a golden run.
    ///
    /// # Errors
    /// [`Error::Internal`] if they do not.
    pub fn check(&self) -> Result<()> {
        let (Some(kernel), Some(portable)) = (self.kernel, kernel::by_name(PORTABLE)) else { return Ok(()) };
        for conv in [small(1), small(2)] {
            if run(kernel, &conv)? != run(portable, &conv)? {
                let found = format!("kernel {} and {PORTABLE} give different results", kernel.name());
                return Err(Error::internal("engine", found));
            }
        }
        Ok(())
    }

    /// An arena for one thread that runs engines of this setup, which are loaded before.
    pub(crate) fn share(&self) -> Share {
        Share::of(&self.arenas)
    }

    /// Bytes of the arena that all engines of this setup share.
    pub fn arena_bytes(&self) -> usize {
        self.arenas.bytes()
    }
}

/// The kernel that every processor can run.
const PORTABLE: &str = "portable";

/// A convolution of levels and weights of all sizes, whose sums cover the output range.
fn small(stride: usize) -> Conv {
    let channels = 16;
    Conv {
        input: Shape::new(10, 11, channels),
        out_channels: channels,
        kernel: [3, 3],
        stride: [stride; 2],
        pads: [1; 4],
        weights: golden::input(1, 9 * channels * channels).into_iter().map(u8::cast_signed).collect(),
        bias: (0..channels as i32).map(|at| 999 * (at - 8)).collect(),
        scale: vec![1.0 / 1024.0; channels],
        input_zero: 128,
        output_zero: 128,
        range: [0, 255],
    }
}

fn run(kernel: &dyn Kernel, conv: &Conv) -> Result<Vec<u8>> {
    let prepared = kernel.prepare(conv).map_err(|e| Error::internal("engine", Cause::of(e)))?;
    let mut scratch = Arena::new(prepared.scratch_bytes());
    let mut output = vec![0; conv.output().bytes()];
    prepared.run(&golden::input(2, conv.input.bytes()), &mut output, scratch.bytes_mut());
    Ok(output)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_kernel_matches_portable_kernel() {
        for name in Setup::kernels() {
            Setup::with_kernel(name).unwrap().check().unwrap();
        }
        let levels = run(kernel::by_name(PORTABLE).unwrap(), &small(1)).unwrap();
        let inner = levels.iter().filter(|level| (1..255).contains(*level)).count();
        assert!(inner > levels.len() / 2, "most are not at the ends of the range");
    }
}
