//! Training data: the layout on disk, fields, random windows, and sets of windows ready for a model.

mod cover;
pub mod degrade;
pub mod division;
mod dyed_cells;
pub mod field;
mod haze;
pub mod labs;
pub mod layout;
pub mod near_duplicates;
pub mod outlines;
pub mod pitch;
pub mod quarters;
pub mod rendered;
pub mod seen;
pub mod set;
pub mod sources;
pub mod stains;
pub mod teacher;
pub mod turns;
mod white_cells;
pub mod window;
