//! Untrusted input: one function per parser.
//!
//! The fuzz targets (`fuzz/`) and the replay of their corpora (`tests/command/corpora.rs`) call the same functions. Each
//! takes arbitrary bytes, passes them to its parser as the program would, returns whether they were accepted, and panics
//! on a violated invariant: errors must have the kind that says who can fix them, and accepted input must be within its
//! limits.
//!
//! A new parser needs a file here, a line in [`TARGETS`], a file in `fuzz/fuzz_targets/` and a folder of seeds.

pub mod bundle;
pub mod config;
pub mod control;
pub mod drift;
pub mod flat_field;
mod front;
pub mod http;
pub mod jpeg_frame;
pub mod manifest;
pub mod onnx;
pub mod onnx_gate;
pub mod picture;
pub mod sample;
pub mod validation;
pub mod yuyv_frame;

/// A parser, and the function that passes bytes to it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of the fuzz target and of its corpus.
    pub name: &'static str,
    /// Passes bytes to the parser; returns whether it accepted them.
    pub meet: fn(&[u8]) -> bool,
}

/// All of them.
pub const TARGETS: [Target; 14] = [
    Target { name: "bundle", meet: bundle::meet },
    Target { name: "config", meet: config::meet },
    Target { name: "control", meet: control::meet },
    Target { name: "drift", meet: drift::meet },
    Target { name: "flat_field", meet: flat_field::meet },
    Target { name: "http", meet: http::meet },
    Target { name: "jpeg_frame", meet: jpeg_frame::meet },
    Target { name: "manifest", meet: manifest::meet },
    Target { name: "onnx", meet: onnx::meet },
    Target { name: "onnx_gate", meet: onnx_gate::meet },
    Target { name: "picture", meet: picture::meet },
    Target { name: "sample", meet: sample::meet },
    Target { name: "validation", meet: validation::meet },
    Target { name: "yuyv_frame", meet: yuyv_frame::meet },
];
