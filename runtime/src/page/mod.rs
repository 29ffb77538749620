//! The page of a run, served by one thread that the pipeline never waits for.
//!
//! ```text
//!   analysis ──try_lock, copy──▶ board ◀──lock, copy── routes ◀── server ◀── connections, few and short-lived
//! ```
//!
//! The analysis publishes each frame into preallocated memory, and skips a frame (counted) while a reader is copying.
//! Everything that depends on readers - encoding, formatting, sockets - runs on the page's own thread, a current-thread
//! runtime.

pub mod board;
pub mod diameters;
pub mod events;
pub mod facts;
pub mod guard;
pub mod history;
pub mod latest;
pub mod limits;
pub mod metrics;
pub mod need;
pub mod pace;
pub mod patient_io;
pub mod picture;
pub mod policy;
pub mod routes;
pub mod server;
pub mod since;
pub mod stage_times;
pub mod text_format;

use std::sync::Arc;

use crate::run::shared::Shared;
use board::Board;
use facts::Facts;
use history::History;

/// Everything that the routes read.
#[derive(Debug)]
pub struct Site {
    /// Facts that do not change during the run.
    pub facts: Facts,
    /// The contents published by the analysis.
    pub board: Arc<Board>,
    /// Cells of earlier frames.
    pub history: Arc<dyn History>,
    /// Counts and state of the run.
    pub run: Arc<Shared>,
}
