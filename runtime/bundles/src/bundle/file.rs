//! Bundles, signatures and keys as files: read within their limits, never overwritten.

use std::{
    ffi::OsString,
    fs::OpenOptions,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use super::{key::SecretKey, pack};
use crate::{
    error::{Error, Result},
    limits::{MAX_BUNDLE_BYTES, MAX_KEY_BYTES},
};
use bloodseg_durable::open_plain;
use bloodseg_vision::{
    error::Cause,
    model::{
        limits::{MAX_MODEL_BYTES, MAX_TEXT_BYTES},
        store::{self, Models},
    },
};

/// Reads a whole bundle.
///
/// # Errors
/// [`Error::Vision`] if it is missing, not a regular file, or larger than a bundle can be.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    bounded(path, MAX_BUNDLE_BYTES, "a bundle")
}

/// The signature file of a bundle: the same path with `.minisig` appended.
pub fn signature_path(bundle: &Path) -> PathBuf {
    let mut name = OsString::from(bundle);
    name.push(".minisig");
    PathBuf::from(name)
}

/// Reads the signature of a bundle; `None` if there is no such file.
///
/// # Errors
/// [`Error::Vision`] if it exists but cannot be read.
pub fn read_signature(bundle: &Path) -> Result<Option<String>> {
    let path = signature_path(bundle);
    if std::fs::symlink_metadata(&path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
        return Ok(None);
    }
    read_text(&path, "a minisign signature").map(Some)
}

/// Reads a text file with keys or signatures.
///
/// # Errors
/// [`Error::Vision`] if it is missing, too large, or not UTF-8.
pub fn read_text(path: &Path, what: &str) -> Result<String> {
    let bytes = bounded(path, MAX_KEY_BYTES, what)?;
    String::from_utf8(bytes)
        .map_err(|e| Error::input(path, Cause::with_source("bytes that are not UTF-8", e), what, ""))
}

/// Packs the four files of a folder, which must pass the gate, and the text of a validation.
///
/// # Errors
/// [`Error::Bundle`] if one is missing or does not fit.
pub fn pack_folder(folder: &Path, validation: Option<&str>) -> Result<(Vec<u8>, Models)> {
    let models = Models::load(folder)?;
    let text = |name: &str| store::read(&folder.join(name), MAX_TEXT_BYTES);
    let onnx = |name: &str| store::read(&folder.join(name), MAX_MODEL_BYTES);
    let members = [text("ssr.toml")?, onnx("ssr.onnx")?, text("unet.toml")?, onnx("unet.onnx")?];
    let bytes = pack(members.each_ref().map(Vec::as_slice), validation.map(str::as_bytes))?;
    // Check the packed bytes: a file may have changed since it was loaded.
    super::parse(&bytes, "the bundle")?.contents("the bundle")?;
    Ok((bytes, models))
}

/// Creates a key pair: `PREFIX.key`, readable by its owner only, and `PREFIX.pub`.
///
/// # Errors
/// [`Error::Vision`] if either file exists or cannot be written.
pub fn make_keys(prefix: &Path) -> Result<(PathBuf, PathBuf, SecretKey)> {
    let with = |ending: &str| {
        let mut name = OsString::from(prefix);
        name.push(ending);
        PathBuf::from(name)
    };
    let (secret_path, public_path) = (with(".key"), with(".pub"));
    if std::fs::symlink_metadata(&public_path).is_ok() {
        return Err(Error::output(&public_path, "the file exists; keys are never overwritten"));
    }
    let key = SecretKey::generate()?;
    create(&secret_path, key.to_text().as_bytes(), 0o600)?;
    if let Err(error) = create(&public_path, key.public_text().as_bytes(), 0o644) {
        // A secret key without its public key is useless.
        let _ = std::fs::remove_file(&secret_path);
        return Err(error);
    }
    Ok((secret_path, public_path, key))
}

fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::output(path, Cause::with_source("the file exists; keys are never overwritten", e))
        }
        _ => Error::output(path, e),
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|e| {
        let _ = std::fs::remove_file(path);
        failed(e)
    })
}

fn bounded(path: &Path, most_bytes: u64, what: &str) -> Result<Vec<u8>> {
    let fault = |found: Cause| Error::input(path, found, format!("{what} of at most {most_bytes} bytes"), "");
    let mut bytes = Vec::new();
    open_plain(path).and_then(|file| file.take(most_bytes + 1).read_to_end(&mut bytes)).map_err(|e| fault(e.into()))?;
    if bytes.len() as u64 > most_bytes {
        return Err(fault(format!("a file of {} bytes or more", bytes.len()).into()));
    }
    Ok(bytes)
}
