//! The program: frames of a microscope in, counts out, continuously.
//!
//! In the order of the data: [`camera`] delivers frames; [`run`] moves them through the pipeline of `bloodseg_vision` to
//! `bloodseg_records`; [`page`] shows them, and [`outbox`] publishes them. [`config`] configures all of it, [`memory`]
//! and [`doctor`] check whether the machine is sufficient; [`cli`] is the command line, the only place that prints.

pub mod bench;
pub mod camera;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod error;
pub mod foreign;
pub mod host;
pub mod memory;
pub mod outbox;
pub mod page;
mod relations;
pub mod run;

/// Frames and runs for tests.
#[cfg(test)]
#[path = "../records/src/fixture.rs"]
pub(crate) mod fixture;
