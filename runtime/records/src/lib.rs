//! Records: what is written about an analysis, each file complete or not at all.

// The test fixture is shared with the crate `bloodseg`, where this library has this name.
#[cfg(test)]
extern crate self as bloodseg_records;

pub mod cell_text;
pub mod count;
pub mod earlier;
pub mod error;
pub mod export;
pub mod field;
#[cfg(test)]
pub(crate) mod fixture;
pub mod frame_record;
pub mod frames;
pub mod keeper;
pub mod kept_pictures;
pub mod limits;
pub mod lock;
pub mod report;
pub mod run_info;
pub mod run_log;
pub mod sample;
pub mod shard;
pub mod store;
pub mod table;
pub mod validation;
