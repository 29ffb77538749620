//! Hashes the sources of the binary, so that `merge` only joins shards written by the same build.

#![allow(clippy::print_stdout)]

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Everything that determines what the program computes, except the compiler.
const SOURCES: [&str; 7] =
    ["src", "clock/src", "durable/src", "kernels/src", "records/src", "vision/src", "../Cargo.lock"];

fn main() -> io::Result<()> {
    let mut sources = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        collect(Path::new(source), &mut sources)?;
    }
    println!("cargo::rustc-env=BLOODSEG_SOURCES={:016x}", hash(sources)?);
    Ok(())
}

/// All files of a folder, or the file itself.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_dir() {
        fs::read_dir(path)?.try_for_each(|entry| collect(&entry?.path(), files))
    } else {
        files.push(path.to_owned());
        Ok(())
    }
}

/// FNV-1a over names and contents. Independent of the machine and of line endings. Detects mistakes, not forgeries.
fn hash(mut files: Vec<PathBuf>) -> io::Result<u64> {
    files.sort();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for file in files {
        let name =
            file.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/");
        for byte in
            [name.as_bytes(), b"\0", &fs::read(&file)?, b"\0"].concat().into_iter().filter(|byte| *byte != b'\r')
        {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    Ok(hash)
}
