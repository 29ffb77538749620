//! The two models, from a folder or embedded in the binary, always validated by the gate.

use std::{
    borrow::Cow,
    fmt,
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

use super::{
    gate,
    manifest::{Manifest, Role},
};
use crate::{
    error::{Cause, Error, Result},
    model::limits::{MAX_MODEL_BYTES, MAX_TEXT_BYTES},
};

/// A model that passed the gate.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its manifest.
    pub manifest: Manifest,
    /// The ONNX file; borrowed from the program if built in.
    pub onnx: Cow<'static, [u8]>,
}

/// The two models of the pipeline.
#[derive(Debug, Clone)]
pub struct Models {
    /// 64x64 to 256x256.
    pub ssr: Model,
    /// 256x256 to the maps of cells.
    pub unet: Model,
}

impl Model {
    /// Validates a model and its manifest; `origin` names it in errors.
    ///
    /// # Errors
    /// [`Error::Model`] if the two do not match each other or `role`.
    pub fn new(manifest: &str, onnx: Cow<'static, [u8]>, role: Role, origin: &str) -> Result<Self> {
        let manifest = Manifest::parse(manifest, origin)?;
        gate::check(&manifest, role, &onnx, origin)?;
        Ok(Self { manifest, onnx })
    }

    /// Loads and validates `<name>.toml` and `<name>.onnx` of a folder.
    ///
    /// # Errors
    /// [`Error::Model`] if one is missing, damaged, or invalid.
    pub fn load(folder: &Path, name: &str, role: Role) -> Result<Self> {
        let text_path = folder.join(name).with_extension("toml");
        let text = String::from_utf8(read(&text_path, MAX_TEXT_BYTES)?).map_err(|e| {
            Error::model(text_path.display(), Cause::with_source("bytes that are not UTF-8", e), "a manifest", "")
        })?;
        let path = folder.join(name).with_extension("onnx");
        let onnx = read(&path, MAX_MODEL_BYTES)?;
        Self::new(&text, Cow::Owned(onnx), role, &path.display().to_string())
    }

    /// Validates a built-in model: as [`Self::new`], except for the hash, which the tests of the build compare.
    #[cfg(built_in_models)]
    fn built_in(manifest: &str, onnx: &'static [u8], role: Role, origin: &str) -> Result<Self> {
        let manifest = Manifest::parse(manifest, origin)?;
        gate::check_without_hash(&manifest, role, onnx, origin)?;
        Ok(Self { manifest, onnx: Cow::Borrowed(onnx) })
    }

    /// Whether it is embedded in the program, and so cannot have been replaced.
    pub fn is_built_in(&self) -> bool {
        matches!(self.onnx, Cow::Borrowed(_))
    }
}

impl Models {
    /// Whether both are embedded in the program.
    pub fn are_built_in(&self) -> bool {
        self.ssr.is_built_in() && self.unet.is_built_in()
    }

    /// Whether cells are reported as red, white or platelet, and not only as cells.
    pub fn has_kinds(&self) -> bool {
        self.unet.manifest.output.shape[1] == gate::CHANNELS_WITH_KINDS
    }

    /// The embedded models.
    ///
    /// # Errors
    /// [`Error::Model`] if the build has none, or files that do not match.
    #[cfg(built_in_models)]
    pub fn embedded() -> Result<Self> {
        let ssr = include_bytes!("../../../../models/ssr.onnx").as_slice();
        let unet = include_bytes!("../../../../models/unet.onnx").as_slice();
        let ssr_text = include_str!("../../../../models/ssr.toml");
        let unet_text = include_str!("../../../../models/unet.toml");
        Ok(Self {
            ssr: Model::built_in(ssr_text, ssr, Role::SuperResolution, "built-in ssr")?,
            unet: Model::built_in(unet_text, unet, Role::Segmentation, "built-in unet")?,
        })
    }

    /// The embedded models: none, in a build from a tree without them.
    ///
    /// # Errors
    /// [`Error::Model`] always.
    #[cfg(not(built_in_models))]
    pub fn embedded() -> Result<Self> {
        let todo = "Pass --models DIR, or build with the four files in models/";
        Err(Error::model("built-in", "none in this build", "a build with models", todo))
    }

    /// Loads `ssr.toml`, `ssr.onnx`, `unet.toml` and `unet.onnx` of a folder.
    ///
    /// # Errors
    /// [`Error::Model`] if one is missing, damaged, or invalid.
    pub fn load(folder: &Path) -> Result<Self> {
        Ok(Self {
            ssr: Model::load(folder, "ssr", Role::SuperResolution)?,
            unet: Model::load(folder, "unet", Role::Segmentation)?,
        })
    }
}

/// Names, versions and pitch: `ssr 0.2.0 and unet 0.2.0 for 1.374 um per pixel, with kinds`.
impl fmt::Display for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [ssr, unet] = [&self.ssr.manifest, &self.unet.manifest];
        let kinds = if self.has_kinds() { "with" } else { "without" };
        write!(
            f,
            "{} {} and {} {} for {} um per pixel, {kinds} kinds",
            ssr.name, ssr.version, unet.name, unet.version, unet.pitch.um_per_px
        )
    }
}

/// Reads a file from a models folder, up to a limit.
pub fn read(path: &Path, most_bytes: u64) -> Result<Vec<u8>> {
    const EXPECTED: &str = "ssr.onnx, ssr.toml, unet.onnx and unet.toml in the models folder";
    let fault = |found: Cause, todo: &str| Error::model(path.display(), found, EXPECTED, todo);
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound => {
            let todo = "Check --models, or omit it to use the built-in ones";
            fault(Cause::with_source("no such file", e), todo)
        }
        _ => fault(e.into(), ""),
    };
    // Check the path first: opening a pipe would wait for its other end.
    let known = std::fs::metadata(path).map_err(failed)?;
    if !known.is_file() || known.len() > most_bytes {
        let found =
            if known.is_file() { format!("a file of {} bytes", known.len()) } else { "not a regular file".into() };
        return Err(Error::model(path.display(), found, format!("a file of at most {most_bytes} bytes"), ""));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(most_bytes).read_to_end(&mut bytes)).map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::engine::{Engine, Setup, fixture};

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, draft) in [("ssr", fixture::ssr()), ("unet", fixture::unet())] {
            let (text, onnx) = fixture::files(&draft);
            std::fs::write(folder.path().join(name).with_extension("toml"), text).unwrap();
            std::fs::write(folder.path().join(name).with_extension("onnx"), onnx).unwrap();
        }
        folder
    }

    fn refusal(spoil: impl Fn(&Path)) -> String {
        let folder = folder();
        spoil(folder.path());
        let error = Models::load(folder.path()).unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::Model);
        error.to_string()
    }

    #[test]
    fn folder_of_models_is_loaded() {
        let models = Models::load(folder().path()).unwrap();
        assert!(!models.are_built_in());
        assert_eq!(models.ssr.manifest.role, Role::SuperResolution);
        assert!(models.unet.manifest.cells.is_some());
        let text = models.to_string();
        assert!(!models.has_kinds() && text.ends_with("um per pixel, without kinds"), "{text}");
        assert!(text.starts_with(&format!("ssr {} and unet ", models.ssr.manifest.version)), "{text}");
    }

    #[test]
    #[cfg(built_in_models)]
    fn built_in_models_match_manifests_with_every_kernel() {
        let models = Models::embedded().unwrap();
        assert!(models.are_built_in() && models.has_kinds());
        for model in [&models.ssr, &models.unet] {
            gate::check(&model.manifest, model.manifest.role, &model.onnx, "built-in").unwrap();
            for kernel in Setup::kernels() {
                let [_, _, height, width] = model.manifest.input.shape;
                let setup = Setup::with_kernel(kernel).unwrap();
                Engine::load(model, height, width, &setup).unwrap().verify(model).unwrap();
            }
        }
    }

    #[test]
    fn truncated_changed_swapped_or_missing_model_is_rejected() {
        let change = |folder: &Path, change: fn(&mut Vec<u8>)| {
            let path = folder.join("unet.onnx");
            let mut bytes = std::fs::read(&path).unwrap();
            change(&mut bytes);
            std::fs::write(path, bytes).unwrap();
        };
        assert!(refusal(|folder| change(folder, |bytes| bytes.truncate(100))).contains("100 bytes"));
        assert!(refusal(|folder| change(folder, |bytes| bytes[60] ^= 1)).contains("sha256"));
        assert!(refusal(|folder| change(folder, Vec::clear)).contains("0 bytes"));
        assert!(refusal(|folder| std::fs::remove_file(folder.join("ssr.onnx")).unwrap()).contains("no such file"));
        assert!(refusal(|folder| std::fs::write(folder.join("ssr.toml"), [0xff, 0xfe]).unwrap()).contains("not UTF-8"));
        assert!(refusal(|folder| std::fs::write(folder.join("ssr.toml"), "name = 1").unwrap()).contains("manifest"));
        let swapped = refusal(|folder| {
            for ending in ["onnx", "toml"] {
                let (ssr, unet) =
                    (folder.join("ssr").with_extension(ending), folder.join("unet").with_extension(ending));
                std::fs::copy(&ssr, unet).unwrap();
            }
        });
        assert!(swapped.contains("SuperResolution"), "{swapped}");
    }

    #[test]
    fn segmenter_has_two_or_four_maps() {
        for channels in [2, 4] {
            let model = fixture::try_take(&fixture::unet_of(channels)).unwrap();
            assert_eq!(model.manifest.output.shape, [1, channels, 256, 256]);
            Engine::load(&model, 256, 256, &Setup::default()).unwrap().verify(&model).unwrap();
        }
        for channels in [1, 3, 5] {
            let error = fixture::try_take(&fixture::unet_of(channels)).unwrap_err();
            assert_eq!(error.kind(), crate::error::ErrorKind::Model);
            let text = error.to_string();
            assert!(text.contains(&format!("output of shape [1, {channels}, 256, 256]")), "{text}");
            assert!(text.contains("[1, 2, 256, 256] or [1, 4, 256, 256]"), "{text}");
        }
    }

    #[test]
    fn manifest_that_differs_from_model_is_rejected() {
        let refusal = |spoil: fn(&mut Manifest)| {
            let mut draft = fixture::unet();
            spoil(&mut draft.manifest);
            fixture::try_take(&draft).unwrap_err().to_string()
        };
        assert!(refusal(|m| m.output.shape[1] = 3).contains("shape"));
        // A graph of two maps whose manifest declares four.
        assert!(refusal(|m| m.output.shape[1] = 4).contains("as its manifest says"));
        assert!(refusal(|m| m.input.dtype = "f32".into()).contains("f32"));
        assert!(refusal(|m| m.operators.push("Loop".into())).contains("Loop"));
        assert!(refusal(|m| m.cells = None).contains("[cells]"));
        assert!(refusal(|m| m.opset = 5).contains("opset 5"));
        assert!(refusal(|m| m.format = 9).contains("format 9"));
        assert!(refusal(|m| m.pitch.um_per_px = f64::NAN).contains("pitch"));
        assert!(refusal(|m| m.golden.generator = "x".into()).contains("generator"));
        assert!(refusal(|m| m.input.range = [9, 9]).contains("range"));
    }
}
