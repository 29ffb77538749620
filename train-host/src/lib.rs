//! Trains, quantizes and exports the models of bloodseg.

pub mod cli;
pub mod commands;
pub mod data;
pub mod device;
pub mod export;
pub mod net;
pub mod progress;
pub mod quant;
pub mod recipe;
pub mod show;

/// libtorch's generator is global to the process, so tests that draw from it run one at a time.
#[cfg(test)]
pub(crate) fn generator() -> std::sync::MutexGuard<'static, ()> {
    static GENERATOR: std::sync::Mutex<()> = std::sync::Mutex::new(());
    GENERATOR.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
