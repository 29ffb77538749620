//! The training of the models.

pub mod ablate;
pub mod adam;
pub mod cells;
pub mod checkpoint;
pub mod curves;
pub mod log;
pub mod scenes;
pub mod separation;
pub mod settings;
pub mod ssr;
pub mod train;
pub mod unet;

#[cfg(test)]
mod tests;
