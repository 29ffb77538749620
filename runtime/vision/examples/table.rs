//! Analyses a picture file and prints its cells as a table: `cargo run --example table -- field.jpg`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{path::Path, process::ExitCode};

use bloodseg_vision::{
    analyser::{Analyser, Known, Options},
    cells::row,
    error::Result,
    frame::{
        decode::{self, Most, Wanted},
        limits::MAX_WHOLE_FIELD_PX,
    },
    model::store::Models,
};

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("expected: table PICTURE");
        return ExitCode::from(2);
    };
    match print(Path::new(&path)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What was found, what was expected, and what to do.
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn print(path: &Path) -> Result<()> {
    let decoded = decode::read(path, Wanted::first(Most::px(MAX_WHOLE_FIELD_PX)))?;
    let mut analyser = Analyser::new(&Models::embedded()?, Options::default())?;
    // The file may know its pitch; otherwise the red cells are measured.
    let known = Known { um_per_px: decoded.metadata.um_per_px, ..Known::default() };
    let found = analyser.analyse_known(&decoded.picture, &known).map_err(|e| e.at(path))?;
    println!("{}", row::columns(true).join("\t"));
    for cell in found.cells() {
        let scaled = found.scaled();
        let values = row::values(cell, &scaled.placement, scaled.um_per_sr_px(), true);
        println!("{}", values.iter().map(ToString::to_string).collect::<Vec<_>>().join("\t"));
    }
    match found.counts() {
        Some(counts) => eprintln!("{} cells, {} of them unsupported", counts.cells, counts.unsupported),
        None => eprintln!("not counted: {}", found.reason()),
    }
    Ok(())
}
