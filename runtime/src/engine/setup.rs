//! How engines run on this machine.

use std::sync::Arc;

use bloodseg_kernels::kernel::{self, Kernel};

use super::Arenas;
use crate::error::{Error, Result};

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
    /// With the kernel of a name; [`STOCK`] leaves every node to tract, to compare with.
    ///
    /// # Errors
    /// [`Error::Config`] with the names of the kernels that this processor can run.
    pub fn with_kernel(name: &str) -> Result<Self> {
        if name == STOCK {
            return Ok(Self { kernel: None, arenas: Arc::default() });
        }
        let kernel = kernel::by_name(name).ok_or_else(|| Error::Config {
            origin: "kernel".into(),
            found: format!("`{name}`, which this processor cannot run or which there is not"),
            todo: format!("Choose one of: {}", Self::kernels().join(", ")),
        })?;
        Ok(Self { kernel: Some(kernel), arenas: Arc::default() })
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
