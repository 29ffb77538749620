//! The command line, and the crates together: one binary, because linking takes longer than running.

mod bench;
mod camera;
mod control;
mod corpora;
mod doctor;
mod eval;
mod files;
mod kinds;
mod measures_reference;
mod models;
mod overlays;
mod page;
mod quality;
mod records;
mod report;
mod run;
mod scales;
mod segment;
mod shards;
mod stitching;
mod supervised;
mod synth;
mod transparent;
mod unsupported;
