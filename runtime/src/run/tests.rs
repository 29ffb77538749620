//! Runs with sources, analyses and records that are made up: with threads, and in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod made_up;
mod threads;
mod virtual_time;
