//! Records: what is written of an analysis, each file whole or not at all.

pub mod append;
pub mod atomic;
pub mod frame_record;
pub mod frames;
pub mod kept_pictures;
pub mod pictures;
pub mod run_log;
pub mod table;
pub mod utc;
