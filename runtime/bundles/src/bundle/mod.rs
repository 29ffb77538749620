//! A bundle: both models with their manifests in one signed file, and the validation of their counts if there is one.
//! `docs/bundle.md` defines the format.
//!
//! Everything except the sizes is fixed: the version determines the members, their names and their order. Nothing is
//! ambiguous, and there are no paths or counts that could do harm.

pub mod accept;
pub mod file;
pub mod key;
pub mod signature;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, path::Path};

use signature::Keys;

use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Result},
    limits::MAX_BUNDLE_BYTES,
};
use bloodseg_vision::{
    error::Cause,
    model::{
        limits::{MAX_MODEL_BYTES, MAX_TEXT_BYTES},
        manifest::Role,
        store::{Model, Models},
    },
};

/// The first bytes of every bundle.
pub const MAGIC: [u8; 8] = *b"bloodseg";

/// Names of the models' members, in their order: those of version 1 of the format.
pub const MEMBERS: [&str; 4] = ["ssr.toml", "ssr.onnx", "unet.toml", "unet.onnx"];

/// Name of the member that follows them in version 2: a file of `bloodseg validate`.
pub const VALIDATION: &str = "validation.json";

/// Most members of a bundle.
const MAX_MEMBERS: usize = MEMBERS.len() + 1;

/// Bytes of a name in the table, padded with zeros.
const NAME_BYTES: usize = 16;

/// Bytes of an entry of the table: name and size.
const ENTRY_BYTES: usize = NAME_BYTES + 8;

/// Bytes before the table: magic, version, number of members.
const START_BYTES: usize = 16;

/// Bytes of the SHA-256 at the end.
const HASH_BYTES: usize = 32;

/// Most bytes of a bundle besides its contents.
pub const MAX_FRAME_BYTES: u64 = (START_BYTES + MAX_MEMBERS * ENTRY_BYTES + HASH_BYTES) as u64;

const TODO: &str = "Fetch the bundle again, or pack it again with `bloodseg models pack`";

/// The members of a bundle, borrowed from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bundle<'a> {
    /// Contents in the order of [`MEMBERS`].
    pub members: [&'a [u8]; 4],
    /// Contents of [`VALIDATION`]; `None` in version 1.
    pub validation: Option<&'a [u8]>,
}

/// What a bundle holds.
#[derive(Debug, Clone)]
pub struct Contents {
    /// Both models, validated by the gate.
    pub models: Models,
    /// The text of the validation. It is not checked here, because only the records know what it means.
    pub validation: Option<String>,
}

/// Splits a bundle into its members, without reading their contents; `origin` names it in errors.
///
/// # Errors
/// [`Error::Bundle`] for every byte that differs from the format. Never panics.
pub fn parse<'a>(bytes: &'a [u8], origin: &str) -> Result<Bundle<'a>> {
    let fault = |found: String, expected: String| Error::bundle(origin, found, expected, TODO);
    if bytes.len() as u64 > MAX_BUNDLE_BYTES {
        return Err(fault(format!("{} bytes", bytes.len()), format!("at most {MAX_BUNDLE_BYTES}")));
    }
    let cut_off = || fault(format!("{} bytes, cut off", bytes.len()), "a whole bundle".into());
    if !bytes.starts_with(&MAGIC) {
        return Err(fault(
            "not a bundle".into(),
            format!("a file that begins with {:?}", MAGIC.escape_ascii().to_string()),
        ));
    }
    let (start, rest) = bytes.split_at_checked(START_BYTES).ok_or_else(cut_off)?;
    let number = |at: usize| start.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes);
    let has_validation = match number(8) {
        1 => false,
        2 => true,
        other => return Err(fault(format!("a bundle of version {other}"), "version 1 or 2".into())),
    };
    let count = MEMBERS.len() + usize::from(has_validation);
    if number(12) as usize != count {
        return Err(fault(format!("{} members", number(12)), format!("{count}")));
    }
    let (table, rest) = rest.split_at_checked(count * ENTRY_BYTES).ok_or_else(cut_off)?;
    let (body, hash) = rest.len().checked_sub(HASH_BYTES).map(|at| rest.split_at(at)).ok_or_else(cut_off)?;
    let mut members = [[].as_slice(); MAX_MEMBERS];
    let mut rest = body;
    let entries = table.as_chunks::<ENTRY_BYTES>().0;
    for ((member, entry), name) in members.iter_mut().zip(entries).zip(MEMBERS.into_iter().chain([VALIDATION])) {
        let (found, size) = entry.split_at(NAME_BYTES);
        if found != padded(name) {
            return Err(fault(format!("a member named {:?}", found.escape_ascii().to_string()), name.into()));
        }
        let size_bytes = size.try_into().map_or(u64::MAX, u64::from_le_bytes);
        if size_bytes > most_bytes(name) {
            return Err(fault(format!("{name} of {size_bytes} bytes"), format!("at most {}", most_bytes(name))));
        }
        (*member, rest) =
            usize::try_from(size_bytes).ok().and_then(|at| rest.split_at_checked(at)).ok_or_else(cut_off)?;
    }
    if !rest.is_empty() {
        return Err(fault(format!("{} bytes after the last member", rest.len()), "none".into()));
    }
    let whole = bytes.len() - HASH_BYTES;
    if *Sha256::digest(bytes.get(..whole).unwrap_or_default()) != *hash {
        return Err(fault("a SHA-256 that does not match the contents".into(), "an undamaged bundle".into()));
    }
    let [models @ .., validation] = members;
    Ok(Bundle { members: models, validation: has_validation.then_some(validation) })
}

/// Builds a bundle from `members` in the order of [`MEMBERS`], and the validation of their counts. The same members produce
/// the same bytes.
///
/// # Errors
/// [`Error::Bundle`] if one is too large.
pub fn pack(members: [&[u8]; 4], validation: Option<&[u8]>) -> Result<Vec<u8>> {
    let named = || MEMBERS.into_iter().zip(members).chain(validation.map(|text| (VALIDATION, text)));
    let version: u32 = if validation.is_some() { 2 } else { 1 };
    let mut bytes = Vec::from(MAGIC);
    bytes.extend(version.to_le_bytes());
    bytes.extend((named().count() as u32).to_le_bytes());
    for (name, member) in named() {
        let size_bytes = member.len() as u64;
        if size_bytes > most_bytes(name) {
            let found = format!("{size_bytes} bytes");
            return Err(Error::bundle(name, found, format!("at most {}", most_bytes(name)), ""));
        }
        bytes.extend(padded(name));
        bytes.extend(size_bytes.to_le_bytes());
    }
    named().for_each(|(_, member)| bytes.extend(member));
    let hash = Sha256::digest(&bytes);
    bytes.extend(hash);
    Ok(bytes)
}

impl Bundle<'_> {
    /// Both models, validated by the gate, and the validation; `origin` names the bundle in errors.
    ///
    /// # Errors
    /// [`Error::Bundle`] if a manifest cannot be read, a model does not match its manifest, or the validation is not UTF-8.
    pub fn contents(&self, origin: &str) -> Result<Contents> {
        let [ssr_text, ssr, unet_text, unet] = self.members;
        let model = |toml: &[u8], onnx: &[u8], role, name: &str| {
            let origin = format!("{origin}, {name}");
            Ok::<_, Error>(Model::new(text(toml, "a manifest", &origin)?, Cow::Owned(onnx.to_vec()), role, &origin)?)
        };
        let validation = self.validation.map(|json| text(json, "a validation", origin)).transpose()?;
        Ok(Contents {
            models: Models {
                ssr: model(ssr_text, ssr, Role::SuperResolution, "ssr")?,
                unet: model(unet_text, unet, Role::Segmentation, "unet")?,
            },
            validation: validation.map(str::to_owned),
        })
    }
}

fn text<'a>(bytes: &'a [u8], what: &str, origin: &str) -> Result<&'a str> {
    std::str::from_utf8(bytes)
        .map_err(|e| Error::bundle(origin, Cause::with_source(format!("{what} that is not UTF-8"), e), "UTF-8", TODO))
}

/// The contents of a bundle file. One of `keys` must have signed it, in a file of the same name with `.minisig` appended;
/// with `None` only damage is detected, and anyone may have made it.
///
/// ```
/// use bloodseg_bundles::bundle::{file, load};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("new.bloodseg");
/// std::fs::write(&path, file::pack_folder("../../models".as_ref(), None)?.0)?;
/// let contents = load(&path, None)?;
/// assert!(!contents.models.are_built_in() && contents.validation.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Vision`] for a file that cannot be read, [`Error::Bundle`] for one that is damaged, not signed, or whose
/// models do not pass the gate.
pub fn load(path: &Path, keys: Option<&Keys>) -> Result<Contents> {
    let (bytes, origin) = (file::read(path)?, path.display().to_string());
    match keys {
        Some(keys) => Ok(accept::accept(bytes, file::read_signature(path)?, keys, false, &origin)?.contents),
        None => parse(&bytes, &origin)?.contents(&origin),
    }
}

fn most_bytes(name: &str) -> u64 {
    if name.ends_with(".onnx") { MAX_MODEL_BYTES } else { MAX_TEXT_BYTES }
}

fn padded(name: &str) -> [u8; NAME_BYTES] {
    let mut padded = [0; NAME_BYTES];
    padded.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
    padded
}
