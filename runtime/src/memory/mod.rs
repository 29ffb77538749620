//! What the process takes of the heap and of the machine's memory.

pub mod budget;
pub mod counting;
pub mod resident;
