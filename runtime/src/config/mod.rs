//! The config file: TOML, units in its keys, unknown keys refused. The command line overrides it.

pub mod address;
pub mod http;
pub mod limits;
pub mod mqtt;
pub mod secret_file;
mod suggest;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use self::mqtt::MqttSection;
use crate::{
    config::limits::{DEFAULT_PICTURES_MIB, MAX_CONTROL_SLIDES, MAX_SOURCE_NAME_BYTES},
    error::{Error, Result},
};
use bloodseg_records::{
    sample::Sample,
    store::{
        limits::{DEFAULT_RECORDS_MIB, MAX_RECORDS_MIB, MIN_RECORDS_MIB},
        retention::Retention,
    },
};
use bloodseg_vision::{
    error::Cause, geometry::PITCHES_UM, model::limits::MAX_TEXT_BYTES, pipeline::limits::MAX_WORKERS,
};
use http::HttpSection;

/// The commented file that explains every key and its default.
pub const DEFAULT: &str = include_str!("default.toml");

/// The whole configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[models]`
    pub models: ModelsSection,
    /// `[output]`
    pub output: OutputSection,
    /// `[optics]`
    pub optics: OpticsSection,
    /// `[budget]`
    pub budget: BudgetSection,
    /// `[records]`
    pub records: RecordsSection,
    /// `[http]`
    pub http: HttpSection,
    /// `[mqtt]`
    pub mqtt: MqttSection,
    /// `[sample]`
    pub sample: Option<Sample>,
    /// `[quality]`
    pub quality: QualitySection,
    /// `[source.NAME]`
    pub source: BTreeMap<String, Source>,
}

/// The models.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelsSection {
    /// Folder of the four files; overrides the slots. If neither is set, the built-in models are used.
    pub dir: Option<PathBuf>,
    /// Folder that `bloodseg models install` installs into.
    pub slots: Option<PathBuf>,
    /// Trusted minisign public keys.
    pub keys: Vec<String>,
    /// File of one more public key.
    pub key_file: Option<PathBuf>,
}

/// The results.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutputSection {
    /// Default results folder, if `--out` is not given.
    pub dir: Option<PathBuf>,
    /// Limit in MiB for pictures of camera runs in a folder.
    pub most_pictures_mib: f64,
}

impl Default for OutputSection {
    fn default() -> Self {
        Self { dir: None, most_pictures_mib: DEFAULT_PICTURES_MIB }
    }
}

impl OutputSection {
    /// The same in bytes.
    pub fn most_picture_bytes(&self) -> u64 {
        (self.most_pictures_mib * 1_048_576.0) as u64
    }
}

/// The microscope.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OpticsSection {
    /// Edge of a pixel of the sensor's picture in the specimen.
    pub um_per_px: Option<f64>,
}

/// Resource limits.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetSection {
    /// Total memory in MiB; `run` does not start if it needs more.
    pub total_mib: Option<f64>,
    /// Threads for the tiles of a frame; by default the number of cores, at most two.
    pub threads: Option<usize>,
}

/// What is recorded of a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordsSection {
    /// Size of the records in a folder, in MiB; beyond it the oldest frames are deleted.
    pub most_mib: f64,
    /// Greatest age of a frame, in days of running time; no limit by default.
    pub most_days: Option<f64>,
    /// Whether the oldest frames are deleted for new ones on a full disk.
    pub oldest_make_room: bool,
    /// Whether a run writes cells.csv and frames.csv at its end.
    pub tables: bool,
}

impl Default for RecordsSection {
    fn default() -> Self {
        Self { most_mib: DEFAULT_RECORDS_MIB, most_days: None, oldest_make_room: false, tables: true }
    }
}

impl RecordsSection {
    /// The retention limits.
    pub fn retention(&self) -> Retention {
        // Casts to the nearest integer.
        let most_bytes = (self.most_mib * 1_048_576.0) as u64;
        let most_age_ms = self.most_days.map(|days| (days * 86_400_000.0) as i64);
        Retention { most_bytes, most_age_ms, oldest_make_room: self.oldest_make_room }
    }
}

/// The kind of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// A camera of this machine.
    Camera,
    /// The pictures of a folder, by name.
    Folder,
    /// The simulated camera.
    Demo,
}

/// What results are compared with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QualitySection {
    /// A file of `bloodseg validate`; `--correct` overrides it.
    pub correct: Option<PathBuf>,
    /// Names of samples that are control slides.
    pub control_slides: Vec<String>,
}

/// One source of frames.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its kind.
    pub kind: SourceKind,
    /// Folder of the pictures; required for [`SourceKind::Folder`], invalid otherwise.
    pub path: Option<PathBuf>,
    /// Device file; only for [`SourceKind::Camera`].
    pub device: Option<PathBuf>,
    /// Frames per second; above 0.
    pub fps: Option<f64>,
    /// Seed of the simulated smear; only for [`SourceKind::Demo`].
    pub seed: Option<u64>,
    /// Width of the sensor's frames; requires `height_px`; only for [`SourceKind::Camera`], like the following keys.
    pub width_px: Option<u32>,
    /// Height of the sensor's frames.
    pub height_px: Option<u32>,
    /// Exposure time, above 0.
    pub exposure_us: Option<u32>,
    /// Gain in the driver's unit.
    pub gain: Option<i32>,
    /// The part of the sensor's frames that is read.
    pub region: Option<RegionSection>,
    /// File of the flat field, as `bloodseg flatfield` writes it.
    pub flatfield: Option<PathBuf>,
    /// Edge of a pixel of the sensor's frames in the specimen; requires `width_px` and `height_px`, for which it is
    /// valid.
    pub um_per_px: Option<f64>,
}

/// A rectangle of the sensor's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionSection {
    /// Left edge.
    pub x_px: u32,
    /// Upper edge.
    pub y_px: u32,
    /// Width, above 0.
    pub width_px: u32,
    /// Height, above 0.
    pub height_px: u32,
}

impl Config {
    /// Reads a config file.
    ///
    /// # Errors
    /// [`Error::Config`] with the line, and a suggestion for an unknown word.
    pub fn load(path: &Path) -> Result<Self> {
        let origin = path.display().to_string();
        let fault = |found: Cause| Error::config(&origin, found, "Check --config");
        let known = std::fs::metadata(path).map_err(|e| fault(e.into()))?;
        if !known.is_file() || known.len() > MAX_TEXT_BYTES {
            return Err(fault(format!("not a text file of at most {MAX_TEXT_BYTES} bytes").into()));
        }
        let text = std::fs::read_to_string(path).map_err(|e| fault(e.into()))?;
        let mut config = Self::parse(&text, &origin)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let paths = config.source.values_mut().flat_map(|source| [&mut source.path, &mut source.flatfield]);
        let models = &mut config.models;
        let of_models = [&mut models.dir, &mut models.slots, &mut models.key_file];
        let secrets = [&mut config.mqtt.password_file, &mut config.http.token_file];
        let others = [&mut config.output.dir, &mut config.quality.correct];
        for path in paths.chain(of_models).chain(secrets).chain(others).flatten() {
            *path = folder.join(&*path);
        }
        Ok(config)
    }

    /// Reads the text of a config file; `origin` names it in errors.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        let config: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            Error::config(
                format!("{origin}, line {line}"),
                Cause::with_source(e.message().trim(), e.clone()),
                suggest::likely(e.message()).map_or_else(
                    || "See `bloodseg config print`".to_owned(),
                    |word| format!("Did you mean `{word}`? See `bloodseg config print`"),
                ),
            )
        })?;
        match config.fault() {
            Some(found) => Err(Error::config(origin, found, "See `bloodseg config print`")),
            None => Ok(config),
        }
    }

    /// A fault that the types do not exclude.
    fn fault(&self) -> Option<String> {
        if let Some(um) = self.optics.um_per_px.filter(|um| !PITCHES_UM.contains(um)) {
            return Some(format!("optics.um_per_px = {um}, expected {}", pitches()));
        }
        if let Some(mib) = self.budget.total_mib.filter(|mib| !is_positive(*mib)) {
            return Some(format!("budget.total_mib = {mib}, expected a number above 0"));
        }
        if let Some(threads) = self.budget.threads.filter(|threads| !(1..=MAX_WORKERS).contains(threads)) {
            return Some(format!("budget.threads = {threads}, expected 1 to {MAX_WORKERS}"));
        }
        if self.quality.control_slides.len() > MAX_CONTROL_SLIDES {
            let found = self.quality.control_slides.len();
            return Some(format!("quality.control_slides has {found} names, expected at most {MAX_CONTROL_SLIDES}"));
        }
        if let Some(Err(found)) = self.sample.clone().map(Sample::checked) {
            return Some(format!("sample: {found}"));
        }
        let most_pictures_mib = self.output.most_pictures_mib;
        if !(0.0..=MAX_RECORDS_MIB).contains(&most_pictures_mib) {
            return Some(format!("output.most_pictures_mib = {most_pictures_mib}, expected 0 to {MAX_RECORDS_MIB}"));
        }
        let RecordsSection { most_mib, most_days, .. } = self.records;
        if !(MIN_RECORDS_MIB..=MAX_RECORDS_MIB).contains(&most_mib) {
            return Some(format!("records.most_mib = {most_mib}, expected {MIN_RECORDS_MIB} to {MAX_RECORDS_MIB}"));
        }
        if let Some(days) = most_days.filter(|days| !is_positive(*days)) {
            return Some(format!("records.most_days = {days}, expected a number above 0"));
        }
        if let Some(found) = self.http.fault().or_else(|| self.mqtt.fault()) {
            return Some(found);
        }
        self.source.iter().find_map(|(name, source)| {
            let found = name_fault(name).or_else(|| source.fault())?;
            Some(format!("source.{}: {found}", name.escape_debug()))
        })
    }
}

/// Validates the name of a source, which becomes the name of a folder and of MQTT topics.
fn name_fault(name: &str) -> Option<String> {
    let odd = name.is_empty()
        || name.len() > MAX_SOURCE_NAME_BYTES
        || name.starts_with('.')
        || name.chars().any(|c| c.is_control() || "/\\".contains(c));
    odd.then(|| {
        format!("expected a name of 1 to {MAX_SOURCE_NAME_BYTES} bytes without slashes and control characters, that does not begin with a dot")
    })
}

impl Source {
    fn fault(&self) -> Option<String> {
        let misplaced = self.keys_of_one_kind().into_iter().find(|(_, kind, is_set)| *is_set && *kind != self.kind);
        if let Some((key, kind, _)) = misplaced {
            return Some(format!("`{key}` is only for kind = \"{}\"", kind.name()));
        }
        if let Some(fps) = self.fps.filter(|fps| !is_positive(*fps)) {
            return Some(format!("fps = {fps}, expected a number above 0"));
        }
        if self.kind == SourceKind::Folder && self.path.is_none() {
            return Some("`path` is missing".into());
        }
        if self.width_px.is_some() != self.height_px.is_some() {
            return Some("width_px and height_px belong together, but one is missing".into());
        }
        if let Some(um) = self.um_per_px {
            if !PITCHES_UM.contains(&um) {
                return Some(format!("um_per_px = {um}, expected {}", pitches()));
            }
            if self.width_px.is_none() {
                return Some("um_per_px is valid for one frame size only: set width_px and height_px too".into());
            }
        }
        let region_px = self.region.map(|region| [region.width_px, region.height_px]);
        [self.width_px, self.height_px, self.exposure_us]
            .into_iter()
            .flatten()
            .chain(region_px.into_iter().flatten())
            .any(|value| value == 0)
            .then(|| "a size or time of 0, expected a number above 0".into())
    }

    /// Keys that are valid for one kind of source only, and whether they are set.
    fn keys_of_one_kind(&self) -> [(&'static str, SourceKind, bool); 10] {
        use SourceKind::{Camera, Demo, Folder};
        [
            ("path", Folder, self.path.is_some()),
            ("seed", Demo, self.seed.is_some()),
            ("device", Camera, self.device.is_some()),
            ("width_px", Camera, self.width_px.is_some()),
            ("height_px", Camera, self.height_px.is_some()),
            ("exposure_us", Camera, self.exposure_us.is_some()),
            ("gain", Camera, self.gain.is_some()),
            ("region", Camera, self.region.is_some()),
            ("flatfield", Camera, self.flatfield.is_some()),
            ("um_per_px", Camera, self.um_per_px.is_some()),
        ]
    }
}

impl SourceKind {
    /// Its name in the file.
    fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Folder => "folder",
            Self::Demo => "demo",
        }
    }
}

/// The accepted pitches, for a message.
pub(crate) fn pitches() -> String {
    format!("{} to {}", PITCHES_UM.start(), PITCHES_UM.end())
}

fn is_positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn refusal(text: &str) -> String {
        let error = Config::parse(text, "test").unwrap_err();
        assert_eq!(error.exit_code(), 6);
        error.to_string()
    }

    #[test]
    fn default_file_equals_defaults() {
        assert_eq!(Config::parse(DEFAULT, "default").unwrap(), Config::default());
    }

    #[test]
    fn sample_in_config_is_validated() {
        let sample = Config::parse("[sample]\nname = \"S-17\"\nstain = \"Giemsa\"\n", "test").unwrap().sample.unwrap();
        assert_eq!((sample.name.as_str(), sample.stain.as_str(), sample.note.as_str()), ("S-17", "Giemsa", ""));
        for text in
            ["[sample]\n", "[sample]\nname = ''\n", "[sample]\nname = \"a\\nb\"\n", "[sample]\nname = 'a'\nx = 1\n"]
        {
            assert!(refusal(text).contains("sample") || refusal(text).contains("name") || refusal(text).contains('x'));
        }
    }

    #[test]
    fn examples_in_default_file_are_valid() {
        let uncommented: String = DEFAULT
            .lines()
            .filter_map(|line| {
                let body = line.strip_prefix("# ").unwrap_or(line);
                let is_toml = body.starts_with('[')
                    || (body.contains(" = ") && !body.starts_with("kind = \""))
                    || (body.starts_with("kind = ") && !body.contains(':'));
                is_toml.then(|| format!("{body}\n"))
            })
            .collect();
        // Mutually exclusive keys.
        let (token, token_file) = ("\ntoken = \"a-long-random-word\"\n", "\ntoken_file = \"http.token\"\n");
        assert!(Config::parse(&uncommented.replace(token, "\n"), "examples").unwrap().http.token_file.is_some());
        let uncommented = uncommented.replace(token_file, "\n");
        let config = Config::parse(&uncommented, "examples").unwrap();
        assert_eq!(config.source.len(), 3);
        assert!(config.source["camera0"].region.is_some() && config.source["camera0"].um_per_px.is_some());
        assert!(config.models.slots.is_some() && config.models.key_file.is_some());
        let mut keys = bloodseg_bundles::bundle::signature::Keys::default();
        config.models.keys.iter().for_each(|key| keys.add(key, "examples").unwrap());
        assert!(!keys.is_empty());
        assert!(config.http.token.is_some());
        assert!(config.models.dir.is_some() && config.output.dir.is_some() && config.optics.um_per_px.is_some());
        assert!(config.records.most_days.is_some());
        assert!(config.quality.correct.is_some() && config.quality.control_slides == ["K1"]);
        assert!(
            config.mqtt.address().is_some() && config.mqtt.password_file.is_some() && config.mqtt.box_name.is_some()
        );
    }

    #[test]
    fn deep_nesting_is_refused() {
        let most = MAX_TEXT_BYTES as usize;
        let of = |before: &str, part: &str, after: &str| {
            let parts = (most - before.len() - after.len()) / part.len();
            [before, &part.repeat(parts), after].concat()
        };
        for text in [
            of("a = ", "[", ""),
            of("a = ", "{a=", ""),
            of("", "a.", "a = 1"),
            of("[", "a.", "a]"),
            of("[[", "a.", "a]]"),
            of("source.", "a.", "kind = \"demo\""),
            of("[models]\ndir = ", "[", ""),
            of("[source.x]\nkind = \"demo\"\nregion.", "a.", "a = 1"),
            of("[source.x]\nkind = ", "{a=", ""),
        ] {
            refusal(&text);
        }
    }

    #[test]
    fn unknown_key_is_refused_with_line_and_suggestion() {
        let message = refusal("[optics]\n\num_per_pixel = 2.0\n");
        assert!(message.contains("line 3") && message.contains("Did you mean `um_per_px`"), "{message}");
        assert!(refusal("[optic]\n").contains("Did you mean `optics`"));
        assert!(refusal("[source.a]\nkind = \"folders\"\npath = \"x\"").contains("Did you mean `folder`"));
        assert!(!refusal("[zzzzzz]\n").contains("Did you mean"));
    }

    #[test]
    fn invalid_values_are_refused() {
        for (text, wanted) in [
            ("[optics]\num_per_px = 0.0", "expected 0.01 to 100"),
            ("[optics]\num_per_px = nan", "expected 0.01 to 100"),
            ("[source.a]\nkind = \"camera\"\nwidth_px = 640\nheight_px = 480\num_per_px = 500", "expected 0.01 to 100"),
            ("[optics]\num_per_px = \"2\"", "line 2"),
            ("[source.a]\nkind = \"folder\"", "`path` is missing"),
            ("[source.\"../x\"]\nkind = \"demo\"", "without slashes"),
            ("[source.\"\"]\nkind = \"demo\"", "expected a name"),
            ("[source.\"a\\nb\"]\nkind = \"demo\"", "control characters"),
            ("[source.a]\nkind = \"demo\"\nfps = -1.0", "fps"),
            ("[source.a]\nkind = \"demo\"\ndevice = \"x\"", "`device` is only for"),
            ("[source.a]\nkind = \"camera\"\nseed = 1", "`seed` is only for"),
            ("[source.a]\nkind = \"folder\"\npath = \"x\"\ngain = 1", "`gain` is only for kind = \"camera\""),
            ("[source.a]\nkind = \"camera\"\nwidth_px = 640", "belong together"),
            ("[source.a]\nkind = \"camera\"\nwidth_px = 640\nheight_px = 0", "above 0"),
            ("[source.a]\nkind = \"camera\"\num_per_px = 1.0", "frame size"),
            ("[source.a]\nkind = \"camera\"\nexposure_us = -1", "line 3"),
            ("[source.a.region]\nx_px = 1", "missing"),
            ("[source.a]\npath = \"x\"", "kind"),
            ("[budget]\ntotal_mib = 0", "budget.total_mib"),
            ("[budget]\nthreads = 99", "budget.threads"),
            ("[output]\nmost_pictures_mib = -1", "output.most_pictures_mib"),
            ("[records]\nmost_mib = 1", "records.most_mib"),
            ("[records]\nmost_mib = nan", "records.most_mib"),
            ("[records]\nmost_days = 0", "records.most_days"),
            ("[records]\ntable = true", "Did you mean `tables`"),
            ("[http]\naddress = \"localhost\"", "line 2"),
            ("[http]\naddress = \"0.0.0.0:80\"", "http.token"),
            ("[http]\ntoken = \"short\"", "16 to 128"),
            ("[http]\ntoken = \"a-long-random-word\"\ntoken_file = \"t\"", "expected only one of them"),
            ("[mqtt]\nbroker = \"a\"", "HOST:PORT"),
            ("[mqtt]\nbox = \"a/b\"", "mqtt.box"),
            ("[mqtt]\ntopic = \"#\"", "mqtt.topic"),
            ("[mqtt]\ndiscovery = \"\"", "mqtt.discovery"),
            ("[mqtt]\npassword_file = \"x\"", "without mqtt.user"),
            ("[mqtt]\npassword = \"x\"", "Did you mean `password_file`"),
            ("[mqtt]\nkeep_alive_s = 0", "mqtt.keep_alive_s"),
            ("[models", "line 1"),
        ] {
            let message = refusal(text);
            assert!(message.contains(wanted), "{text}: {message}");
        }
    }

    #[test]
    fn retention_is_in_bytes_and_milliseconds() {
        let config = Config::parse("[records]\nmost_mib = 8.5\nmost_days = 0.5\ntables = false", "test").unwrap();
        let wanted = Retention { most_bytes: 8_912_896, most_age_ms: Some(43_200_000), oldest_make_room: false };
        assert_eq!((config.records.retention(), config.records.tables), (wanted, false));
        assert_eq!(Config::default().records.retention().most_age_ms, None);
    }

    #[test]
    fn paths_are_relative_to_the_config_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "[models]\ndir = \"m\"\nslots = \"s\"\nkey_file = \"k.pub\"\n[http]\ntoken_file = \"t\"\n[quality]\ncorrect = \"v.json\"\n[source.a]\nkind = \"folder\"\npath = \"/abs\"\n").unwrap();
        let config = Config::load(&path).unwrap();
        assert_eq!(config.models.dir, Some(folder.path().join("m")));
        assert_eq!(config.models.slots, Some(folder.path().join("s")));
        assert_eq!(config.models.key_file, Some(folder.path().join("k.pub")));
        assert_eq!(config.http.token_file, Some(folder.path().join("t")));
        assert_eq!(config.quality.correct, Some(folder.path().join("v.json")));
        assert_eq!(config.source["a"].path, Some(PathBuf::from("/abs")));
        assert_eq!(Config::load(folder.path()).unwrap_err().exit_code(), 6);
        assert_eq!(Config::load(&folder.path().join("none")).unwrap_err().exit_code(), 6);
    }
}
