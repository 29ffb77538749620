//! The command line: one file per command. The only place that prints.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod bench;
mod budget;
mod calibrate;
mod cameras;
mod config;
mod corrections;
mod doctor;
mod eval;
mod export;
mod flatfield;
mod frames;
mod inputs;
mod manual;
mod merge;
mod models;
mod print;
mod recorded;
mod report;
mod run;
mod sample;
mod seen;
mod segment;
mod session;
mod signals;
mod supervise;
mod validate;
mod voice;

use std::process::ExitCode;

use clap::Parser;
use env_logger::{Target, WriteStyle};
use log::LevelFilter;

use crate::error::{Error, Result};
use args::{Args, Command};
use session::Session;
use voice::Voice;

/// Parses the command line, runs the command, and maps the outcome to an exit code.
pub fn run() -> ExitCode {
    let args = Args::parse();
    let level = match (args.quiet, args.verbose) {
        (_, 0) => LevelFilter::Warn,
        (_, 1) => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    // A run continues even if nobody reads its output.
    let voice = matches!(args.command, Command::Run(_)).then(Voice::begin);
    let mut logger = env_logger::Builder::new();
    // The engine's own messages concern its internals.
    logger.filter_module("bloodseg", level).format_timestamp(None);
    if let Some(voice) = voice.clone() {
        logger.write_style(WriteStyle::Never).target(Target::Pipe(Box::new(voice)));
    }
    logger.init();
    signals::survive_file_size_limit();
    signals::end_on_a_cut_file();
    let done = dispatch(&args, voice.as_ref());
    if let Some(voice) = voice {
        voice.end();
    }
    match done {
        Ok(code) => code,
        Err(error) => {
            print::problem(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn dispatch(args: &Args, voice: Option<&Voice>) -> Result<ExitCode> {
    // It works with an invalid config, and can report several faults.
    if let Command::Doctor(doctor) = &args.command {
        return doctor::run(args, doctor);
    }
    let session = Session::begin(args)?;
    let done = match &args.command {
        Command::Segment(args) => return segment::run(&session, args),
        Command::Merge(args) => merge::run(args),
        Command::Run(args) => run::run(&session, args, voice.ok_or_else(|| Error::internal("run", "no voice"))?),
        Command::Export(args) => export::run(&session, args),
        Command::Report(args) => report::run(&session, args),
        Command::Sample(args) => sample::run(&session, args),
        Command::Validate(args) => validate::run(&session, args),
        Command::Eval(args) => eval::run(&session, args),
        Command::Bench(args) => bench::run(&session, args),
        Command::Budget(args) => budget::run(&session, args),
        Command::Calibrate(args) => calibrate::run(&session, args),
        Command::Cameras(args) => cameras::run(args),
        Command::Flatfield(args) => flatfield::run(&session, args),
        Command::Models(args) => models::run(&session, args),
        Command::Config(args) => config::run(args),
        Command::Man(args) => manual::man(args),
        Command::Completions(args) => {
            manual::completions(args);
            Ok(())
        }
        Command::Doctor(_) => Ok(()),
    };
    done.map(|()| ExitCode::SUCCESS)
}
