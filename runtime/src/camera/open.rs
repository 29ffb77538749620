//! Opens a source by name.

use std::path::{Path, PathBuf};

use super::{
    FrameSource,
    demo::{self, Demo},
    device::{Device, OrFault, Settings, names},
    folder::{Folder, Replay},
    intake::Region,
    live::{Camera, Wanted},
};
use crate::{
    config::{Config, RegionSection, Source, SourceKind},
    error::{Error, Result},
};
use bloodseg_vision::frame::flat_field::FlatField;

/// The default camera device.
const FIRST_CAMERA: &str = "/dev/video0";

/// Default seed of the simulated camera.
pub const DEFAULT_SEED: u64 = 1;

/// Options from the command line, which override the config.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Wish {
    /// Frames per second.
    pub fps: Option<f64>,
    /// Seed of a simulated camera.
    pub seed: Option<u64>,
    /// Restart at the end of a folder.
    pub repeat: bool,
    /// Shrink the pictures of a folder or camera with the reference preparation.
    pub whole_field: bool,
    /// Edge of a pixel in the specimen, in micrometres: of a camera's sensor, or of a folder's unscaled pictures.
    pub um_per_px: Option<f64>,
    /// Deliver a camera's frames, and pictures of a folder, unscaled.
    pub as_is: bool,
    /// Bits used by 16-bit samples in pictures of a folder.
    pub bits: Option<u32>,
}

/// Opens a source: a name from the config, else `demo`, a folder, or a camera.
///
/// # Errors
/// [`Error::Source`] with the available sources.
pub fn open(name: &str, config: &Config, wish: Wish) -> Result<Box<dyn FrameSource>> {
    if let Some(source) = config.source.get(name) {
        return configured(name, source, config, wish);
    }
    if name == "demo" {
        let (seed, fps) = (wish.seed.unwrap_or(DEFAULT_SEED), wish.fps.unwrap_or(demo::DEFAULT_FPS));
        return Ok(Box::new(Demo::new(name, seed, fps).with_pitch(wish.um_per_px)));
    }
    if Path::new(name).is_dir() {
        let short = Path::new(name).file_name().unwrap_or_default().to_string_lossy();
        let short = if short.is_empty() { "folder" } else { &short };
        return Ok(Box::new(Folder::open(short, Path::new(name), replay(config, wish, None))?));
    }
    if names::is_camera_name(name) {
        return camera(name, &names::device_of(name), wanted(config, None, wish)?, config);
    }
    let found = if Path::new(name).exists() { "a file, not a folder" } else { "no such source or folder" };
    let known = config.source.keys().map(String::as_str).chain(["demo"]);
    let near = known.map(|known| (strsim::damerau_levenshtein(known, name), known)).min().filter(|near| near.0 <= 2);
    let near = near.map_or_else(String::new, |near| format!("Did you mean `{}`? ", near.1));
    let single = if Path::new(name).is_file() { "Single pictures are for `bloodseg segment`. " } else { "" };
    Err(Error::frames(name, found, format!("{near}{single}Available sources: {}", usable(config))))
}

fn configured(name: &str, source: &Source, config: &Config, wish: Wish) -> Result<Box<dyn FrameSource>> {
    match source.kind {
        SourceKind::Demo => {
            let seed = wish.seed.or(source.seed).unwrap_or(DEFAULT_SEED);
            let fps = wish.fps.or(source.fps).unwrap_or(demo::DEFAULT_FPS);
            Ok(Box::new(Demo::new(name, seed, fps).with_pitch(wish.um_per_px)))
        }
        SourceKind::Folder => {
            let path = source.path.as_deref().unwrap_or(Path::new(""));
            Ok(Box::new(Folder::open(name, path, replay(config, wish, source.fps))?))
        }
        SourceKind::Camera => {
            let device = source.device.clone().unwrap_or_else(|| PathBuf::from(FIRST_CAMERA));
            camera(name, &device, wanted(config, Some(source), wish)?, config)
        }
    }
}

fn replay(config: &Config, wish: Wish, fps: Option<f64>) -> Replay {
    Replay {
        fps: wish.fps.or(fps),
        repeat: wish.repeat,
        whole_field: wish.whole_field,
        as_is: wish.as_is,
        um_per_px: wish.um_per_px.or(config.optics.um_per_px),
        bits: wish.bits,
    }
}

/// The configuration of a camera: the command line overrides its section, which overrides `[optics]`.
///
/// # Errors
/// Errors of the flat-field file.
fn wanted(config: &Config, source: Option<&Source>, wish: Wish) -> Result<Wanted> {
    let region = |region: RegionSection| Region {
        x_px: region.x_px,
        y_px: region.y_px,
        width_px: region.width_px,
        height_px: region.height_px,
    };
    Ok(Wanted {
        size_px: source.and_then(|source| source.width_px.zip(source.height_px)),
        settings: Settings {
            fps: wish.fps.or(source.and_then(|source| source.fps)),
            exposure_us: source.and_then(|source| source.exposure_us),
            gain: source.and_then(|source| source.gain),
        },
        region: source.and_then(|source| source.region).map(region),
        flat_field: source.and_then(|source| source.flatfield.as_deref()).map(FlatField::read).transpose()?,
        um_per_px: wish.um_per_px.or(source.and_then(|source| source.um_per_px)).or(config.optics.um_per_px),
        whole_field: wish.whole_field,
        as_is: wish.as_is,
    })
}

fn camera(name: &str, path: &Path, wanted: Wanted, config: &Config) -> Result<Box<dyn FrameSource>> {
    // The name is part of file names.
    let short = if name.contains('/') { name.rsplit('/').next().unwrap_or(name) } else { name };
    let opened = hardware(path).and_then(|device| Camera::open(short, path.to_owned(), device, wanted));
    match opened {
        Ok(camera) => Ok(Box::new(camera)),
        Err(fault) => Err(names::unusable(name, path, &fault, &names::find(Path::new("/dev")), &usable(config))),
    }
}

#[cfg(target_os = "linux")]
fn hardware(path: &Path) -> OrFault<Box<dyn Device>> {
    Ok(Box::new(super::device::v4l2::V4l2::new(path)))
}

#[cfg(not(target_os = "linux"))]
fn hardware(_path: &Path) -> OrFault<Box<dyn Device>> {
    Err(super::device::Fault::Gone("cameras are only supported on Linux".into()))
}

/// The available sources, for messages.
fn usable(config: &Config) -> String {
    let mut names: Vec<String> = config.source.keys().filter(|name| *name != "demo").cloned().collect();
    names.push("demo (simulated camera)".into());
    names.push("any folder of pictures".into());
    names.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn refusal(name: &str, config: &str) -> String {
        let error = open(name, &Config::parse(config, "test").unwrap(), Wish::default()).unwrap_err();
        assert_eq!(error.exit_code(), 7);
        error.to_string()
    }

    #[test]
    fn config_overrides_built_in_sources() {
        let config = Config::parse("[source.demo]\nkind = \"camera\"\ndevice = \"/dev/video9\"", "test").unwrap();
        let text = open("demo", &config, Wish::default()).unwrap_err().to_string();
        assert!(text.contains("/dev/video9"), "{text}");
    }

    #[test]
    fn command_line_overrides_config() {
        let config = Config::parse("[source.x]\nkind = \"demo\"\nfps = 3.0\nseed = 5", "test").unwrap();
        let description = |wish| open("x", &config, wish).unwrap().describe();
        assert!(description(Wish::default()).contains("3 frames/s, seed 5"));
        assert!(
            description(Wish { fps: Some(7.5), seed: Some(6), ..Wish::default() }).contains("7.5 frames/s, seed 6")
        );
    }

    #[test]
    fn missing_camera_error_names_device_and_available_sources() {
        let text = refusal("camera7", "[source.mine]\nkind = \"folder\"\npath = \"x\"");
        for part in ["/dev/video7", "mine", "demo", "folder"] {
            assert!(text.contains(part), "{part} not in: {text}");
        }
    }

    #[test]
    fn unknown_name_gets_a_suggestion() {
        assert!(refusal("dmeo", "").contains("Did you mean `demo`"));
        assert!(!refusal("something else", "").contains("Did you mean"));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(refusal(&file.path().to_string_lossy(), "").contains("segment"));
    }
}
