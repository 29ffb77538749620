//! The page of `bloodseg run demo`, as browsers, machines and hostile readers meet it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod answers;
mod readers;
mod run;

use std::path::Path;

/// The models of the repository; a checkout without them skips what needs them.
fn no_models() -> bool {
    let missing = !Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/unet.onnx").is_file();
    if missing {
        eprintln!("skipped: no models in models/");
    }
    missing
}
