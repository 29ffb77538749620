//! Trains, quantizes and exports the models of bloodseg.

mod cli;
mod commands;
mod data;
mod device;
mod export;
mod net;
mod progress;
mod quant;
mod recipe;

use clap::Parser;

fn main() -> std::process::ExitCode {
    device::load_cuda();
    let arguments = cli::Arguments::parse();
    arguments.start_log();
    match commands::run(arguments.command) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            log::error!("{e:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
