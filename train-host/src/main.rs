//! Parses, dispatches, maps an error to an exit code.

use clap::Parser;
use train_host::{cli::Arguments, commands, device};

fn main() -> std::process::ExitCode {
    device::load_cuda();
    let arguments = Arguments::parse();
    arguments.start_log();
    match commands::run(arguments.command) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            log::error!("{e:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
