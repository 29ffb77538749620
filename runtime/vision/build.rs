//! Detects whether there are models to embed, for the feature `built-in-models`. The trainer is built with this library
//! before the first models exist, so their absence is not an error here.

#![allow(clippy::print_stdout)]

use std::path::Path;

const FILES: [&str; 4] = ["ssr.onnx", "ssr.toml", "unet.onnx", "unet.toml"];

fn main() {
    println!("cargo::rerun-if-changed=../../models");
    println!("cargo::rustc-check-cfg=cfg(built_in_models)");
    let models = Path::new("../../models");
    let is_wanted = std::env::var_os("CARGO_FEATURE_BUILT_IN_MODELS").is_some();
    if is_wanted && FILES.iter().all(|file| models.join(file).is_file()) {
        println!("cargo::rustc-cfg=built_in_models");
    }
}
