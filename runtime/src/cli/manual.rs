//! `bloodseg man` and `bloodseg completions`: generated from the definitions of the arguments.

use std::path::PathBuf;

use clap::{Args as ClapArgs, CommandFactory};
use clap_complete::Shell;

use super::{args::Args, print};
use crate::error::{Error, Result};

/// Arguments of `man`.
#[derive(Debug, ClapArgs)]
pub(super) struct ManArgs {
    /// Write one page per command to this folder instead of printing the main page
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Arguments of `completions`.
#[derive(Debug, ClapArgs)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Runs `man`.
///
/// # Errors
/// [`ErrorKind::Output`](crate::error::ErrorKind::Output) if a page cannot be written.
pub(super) fn man(args: &ManArgs) -> Result<()> {
    let command = Args::command();
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|e| Error::output(folder, e))?;
        return clap_mangen::generate_to(command, folder).map_err(|e| Error::output(folder, e));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(|e| Error::internal("man", e))?;
    print::line(String::from_utf8_lossy(&page).trim_end());
    Ok(())
}

/// Runs `completions`.
pub(super) fn completions(args: &CompletionsArgs) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "bloodseg", &mut script);
    print::line(String::from_utf8_lossy(&script).trim_end());
}
