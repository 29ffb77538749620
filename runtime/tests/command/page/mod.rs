//! The page of `bloodseg run demo`, for browsers, machines and hostile clients.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod answers;
mod readers;
mod run;

use std::path::Path;

/// Whether the models of the repository are missing; tests that need them are then skipped.
fn no_models() -> bool {
    let missing = !Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/unet.onnx").is_file();
    if missing {
        eprintln!("skipped: no models in models/");
    }
    missing
}
