//! Records: what is written of an analysis, each file whole or not at all.

pub mod atomic;
pub mod export;
#[cfg(test)]
pub(crate) mod fixture;
pub mod frame_record;
pub mod frames;
pub mod keeper;
pub mod kept_pictures;
pub mod lock;
pub mod pictures;
pub mod run_info;
pub mod run_log;
pub mod store;
pub mod table;
pub mod utc;
