//! `bloodseg config`: prints the defaults, checks a file.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::print;
use crate::{
    config::{Config, DEFAULT},
    error::Result,
};

/// Arguments of `config`.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the commented default config file
    Print,
    /// Check a config file
    Check {
        /// The file
        file: PathBuf,
    },
}

/// Runs the command.
pub(super) fn run(args: &ConfigArgs) -> Result<()> {
    match &args.action {
        Action::Print => print::line(DEFAULT.trim_end()),
        Action::Check { file } => {
            let config = Config::load(file)?;
            print::line(format_args!("{}: ok, {} sources", file.display(), config.source.len()));
        }
    }
    Ok(())
}
