//! The box: a microscope's frames in, counts out, for months.
//!
//! In the order of the data: [`camera`] gives frames; [`run`] moves them through the pipeline of `bloodseg_vision` into
//! `bloodseg_records`; [`page`] shows them, and [`outbox`] publishes them. [`config`] says how, [`memory`] and [`doctor`]
//! whether the machine can; [`cli`] is the command line, the only place that prints.

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
