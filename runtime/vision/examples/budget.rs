//! Embeds the library with a fixed budget of memory, and refuses pictures that do not fit into it, before they take it:
//! `cargo run --example budget -- 64 field.jpg`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{path::Path, process::ExitCode};

use bloodseg_vision::{
    analyser::{Analyser, Known, Options},
    error::{Error, Result},
    frame::{
        decode::{self, Most, Wanted},
        limits::MAX_WHOLE_FIELD_PX,
    },
    model::store::Models,
};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((mib, paths)) = args.split_first().and_then(|(mib, paths)| Some((mib.parse::<u64>().ok()?, paths))) else {
        eprintln!("expected: budget MIB PICTURE...");
        return ExitCode::from(2);
    };
    match within(mib << 20, paths) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Half of the budget is for reading files, and half for analysing them. Both halves are checked before they are used.
fn within(budget_bytes: u64, paths: &[String]) -> Result<()> {
    let half = budget_bytes / 2;
    // One analyser for all pictures: memory is kept, and no picture takes more than the limit.
    let mut analyser = Analyser::new(&Models::embedded()?, Options::default().most_bytes(half))?;
    for path in paths.iter().map(Path::new) {
        match count(&mut analyser, path, half) {
            Ok(words) => println!("{}: {words}", path.display()),
            // Refused: the next one may fit.
            Err(error @ (Error::Input { .. } | Error::Picture { .. })) => println!("{error}"),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn count(analyser: &mut Analyser, path: &Path, reading_bytes: u64) -> Result<String> {
    // A header is small. It says what reading the picture takes.
    let (width, height) = decode::read_header(path, MAX_WHOLE_FIELD_PX)?.size_px;
    let most = Most { px: MAX_WHOLE_FIELD_PX, reading_bytes };
    let decoded = decode::read(path, Wanted::first(most))?;
    let known = Known { um_per_px: decoded.metadata.um_per_px, ..Known::default() };
    let kib = analyser.memory_bytes_known(width, height, &known) >> 10;
    let found = analyser.analyse_known(&decoded.picture, &known).map_err(|e| e.at(path))?;
    let counted = found.counts().map_or_else(|| found.reason(), |counts| format!("{} cells", counts.cells));
    Ok(format!("{counted}, at most {kib} KiB"))
}
