//! Runs with fake sources, analysts and recorders: with threads, and in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod made_up;
mod threads;
mod virtual_time;
