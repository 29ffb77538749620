//! How engines run on this machine.

use std::sync::Arc;

use bloodseg_kernels::kernel::{self, Kernel};

use super::Arenas;

/// Instead of the name of a kernel: no integer nets, tract alone.
pub const STOCK: &str = "stock";

/// The kernel of all convolutions, and the arenas that engines share. Engines that run one after another need one arena
/// between them.
#[derive(Debug, Clone)]
pub struct Setup {
    /// None leaves all to stock tract.
    pub(super) kernel: Option<&'static dyn Kernel>,
    pub(super) arenas: Arc<Arenas>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { kernel: Some(kernel::fastest()), arenas: Arc::default() }
    }
}

impl Setup {
    /// With the kernel of a name; [`STOCK`] leaves every node to tract, to compare with. `None` for a kernel that this
    /// processor cannot run, or that there is not: [`Self::kernels`] are those it can.
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

    /// Bytes of the arena that all engines of this setup share.
    pub fn arena_bytes(&self) -> usize {
        self.arenas.bytes()
    }
}
