//! Keys and bundles for makers of models.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    cli::{corrections, print},
    error::{Error, Result},
};
use bloodseg_bundles::bundle::{Contents, file, key::SecretKey};
use bloodseg_durable::AtomicFile;
use bloodseg_records::validation::Validation;
use bloodseg_vision::model::golden;

/// Arguments of `models keygen`.
///
/// The keys are in minisign format, without a password: keep PREFIX.key where nobody else can read it. Existing files are
/// never replaced.
#[derive(Debug, Args)]
pub(super) struct KeygenArgs {
    /// Path of the keys, without extension
    #[arg(long, value_name = "PREFIX")]
    out: PathBuf,
}

/// Arguments of `models pack`.
///
/// The signature is written beside the bundle, to FILE.minisig; distribute both. A bundle that was packed without a key
/// can be signed with the minisign tool: minisign -Sm FILE.
#[derive(Debug, Args)]
pub(super) struct PackArgs {
    /// Folder with ssr.onnx, ssr.toml, unet.onnx and unet.toml
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The bundle, such as NAME.bloodseg
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// A file of `bloodseg validate`, of these models: devices then also give counts as that person would have counted
    #[arg(long, value_name = "FILE")]
    validation: Option<PathBuf>,

    /// Secret key to sign it with
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

pub(super) fn keygen(args: &KeygenArgs) -> Result<()> {
    let (secret_path, public_path, key) = file::make_keys(&args.out)?;
    print::line(format_args!("secret   {}: keep it secret", secret_path.display()));
    print::line(format_args!("public   {}: key {}", public_path.display(), key.id()));
    print::line(format_args!("trust it [models] keys = [\"{}\"]", key.public_line()));
    Ok(())
}

pub(super) fn pack(args: &PackArgs) -> Result<()> {
    let key = match &args.key {
        Some(path) => {
            let text = file::read_text(path, "a secret key of minisign")?;
            Some(SecretKey::parse(&text, &path.display().to_string())?)
        }
        None => None,
    };
    let validation = args.validation.as_deref().map(Validation::read_text).transpose()?;
    let (bytes, models) = file::pack_folder(&args.folder, validation.as_deref())?;
    let contents = Contents { models, validation };
    let origin = args.validation.as_ref().map_or_else(String::new, |path| path.display().to_string());
    let validation = corrections::check(&contents, &origin)?;
    // A stale signature must not lie beside a new bundle, not even for a moment.
    let signature_path = file::signature_path(&args.out);
    match std::fs::remove_file(&signature_path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::output(&signature_path, e)),
        _ => write(&args.out, &bytes)?,
    }
    let models = &contents.models;
    let versions = format!("ssr {}, unet {}", models.ssr.manifest.version, models.unet.manifest.version);
    print::line(format_args!("bundle   {}: {versions}, {} bytes", args.out.display(), bytes.len()));
    if let Some(validation) = validation {
        let pictures = validation.agreement.pairs;
        print::line(format_args!("counts   corrected by a validation on {pictures} pictures"));
    }
    print::line(format_args!("sha256   {}", golden::sha256(&bytes)));
    match key {
        Some(key) => {
            let name = args.out.file_name().unwrap_or_default().to_string_lossy();
            write(&signature_path, key.sign(&bytes, &name).as_bytes())?;
            print::line(format_args!("signed   {}: key {}", signature_path.display(), key.id()));
        }
        None => print::line("signed   not yet: --key FILE, or minisign -Sm BUNDLE"),
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(|e| Error::output(path, e))?;
    Ok(file.commit()?)
}
