//! Records: what is written of an analysis, each file whole or not at all.

pub mod atomic;
pub mod pictures;
pub mod table;
