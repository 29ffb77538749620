//! The device that libtorch computes on.

use anyhow::{Result, bail};
use clap::ValueEnum;
use tch::{Cuda, Device};

/// The requested device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeviceChoice {
    /// CUDA if available, otherwise the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// CUDA, or an error.
    Cuda,
}

/// Loads libtorch's CUDA library if installed.
///
/// The linker drops it because nothing references its symbols. Once loaded it registers itself, so that one binary works
/// with and without CUDA. Call this before anything else of libtorch.
pub fn load_cuda() {
    // Safety: libtorch's own library, whose initialisers only register its backend.
    #[allow(unsafe_code)]
    let library = unsafe {
        use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
        Library::open(Some("libtorch_cuda.so"), RTLD_NOW | RTLD_GLOBAL)
    };
    match library {
        // Stays loaded until the process ends.
        Ok(library) => std::mem::forget(library),
        Err(e) => log::debug!("no CUDA part of libtorch: {e}"),
    }
}

/// The device for a request.
///
/// # Errors
/// CUDA was requested but is not available.
pub fn pick(choice: DeviceChoice) -> Result<Device> {
    let device = match (choice, Cuda::is_available()) {
        (DeviceChoice::Cpu, _) | (DeviceChoice::Auto, false) => Device::Cpu,
        (_, true) => Device::Cuda(0),
        (DeviceChoice::Cuda, false) => bail!(
            "--device cuda: libtorch finds no CUDA device; expected a GPU with its driver and a CUDA libtorch \
             (scripts/libtorch --cuda). Use --device cpu or auto"
        ),
    };
    match device {
        Device::Cpu => log::info!("device: CPU, {} threads", tch::get_num_threads()),
        _ => log::info!("device: CUDA 0 of {}", Cuda::device_count()),
    }
    Ok(device)
}
