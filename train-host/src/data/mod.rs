//! Training data: the layout on disk, fields, random windows of them, and sets of windows ready for a net.

pub mod degrade;
pub mod field;
pub mod layout;
pub mod pitch;
pub mod seen;
pub mod set;
pub mod turns;
pub mod window;
