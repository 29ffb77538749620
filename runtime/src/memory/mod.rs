//! Memory use of the process: the heap, and the resident set.

pub mod budget;
pub mod counting;
pub mod resident;
