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

/// libtorch's generator belongs to the process: tests that draw from it take turns.
#[cfg(test)]
pub(crate) fn generator() -> std::sync::MutexGuard<'static, ()> {
    static GENERATOR: std::sync::Mutex<()> = std::sync::Mutex::new(());
    GENERATOR.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
