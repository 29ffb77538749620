//! The binary: everything is in the library.

use std::process::ExitCode;

use bloodseg::memory::counting::Counting;

/// Counted, so that `bench` can report the actual heap use.
#[global_allocator]
static HEAP: Counting = Counting;

fn main() -> ExitCode {
    bloodseg::cli::run()
}
