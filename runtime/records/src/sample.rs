//! The sample that frames belong to, as named by a person, and the file in the results folder that names the current one.
//!
//! A name is a pseudonym: the number of a tube or a slide. Nothing here detects or removes a person's name.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    limits::{MAX_SAMPLE_FILE_BYTES, MAX_SAMPLE_NAME_BYTES, MAX_SAMPLE_TEXT_BYTES},
};
use bloodseg_durable::{AtomicFile, open_plain};

/// Name of the file in the results folder.
pub const FILE: &str = "sample.toml";

/// A sample.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Its name: 1 to [`MAX_SAMPLE_NAME_BYTES`] bytes.
    pub name: String,
    /// Who prepared or examined it, or empty; like the stain and the note at most [`MAX_SAMPLE_TEXT_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operator: String,
    /// How it is stained, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stain: String,
    /// Anything else, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Sample {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let sample: Self = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        sample.checked()
    }

    /// The same, without spaces at the ends of its texts.
    ///
    /// # Errors
    /// What is wrong with one of its texts.
    pub fn checked(mut self) -> std::result::Result<Self, String> {
        let Self { name, operator, stain, note } = &mut self;
        for text in [&mut *name, operator, stain, note] {
            *text = text.trim().to_owned();
        }
        if name.is_empty() {
            return Err("the sample has no name".into());
        }
        let most = [MAX_SAMPLE_NAME_BYTES, MAX_SAMPLE_TEXT_BYTES, MAX_SAMPLE_TEXT_BYTES, MAX_SAMPLE_TEXT_BYTES];
        for ((what, text), most) in
            [("name", &*name), ("operator", operator), ("stain", stain), ("note", note)].into_iter().zip(most)
        {
            if text.len() > most {
                return Err(format!("the {what} of the sample has {} bytes; expected at most {most}", text.len()));
            }
            if text.chars().any(char::is_control) {
                return Err(format!("the {what} of the sample has control characters"));
            }
        }
        Ok(self)
    }
}

/// Distinguishes one version of the file from the next.
type Stamp = (u64, Option<SystemTime>, Option<u64>);

/// The file that names the current sample; a run checks it before each frame.
#[derive(Debug)]
pub struct SampleFile {
    path: PathBuf,
    seen: Option<Stamp>,
}

impl SampleFile {
    /// The file in this results folder.
    pub fn of(folder: &Path) -> Self {
        Self { path: folder.join(FILE), seen: None }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The sample that it names; none without the file.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Vision`] for a file that cannot be read or does not describe a sample.
    pub fn read(&self) -> Result<Option<Sample>> {
        let expected = "a sample: name, and optionally operator, stain, note";
        let todo = "Write it with `bloodseg sample NAME`, or remove the file";
        let failed = |found: String| Error::input(&self.path, found, expected, todo);
        let mut text = String::new();
        match open_plain(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
            Ok(file) => file.take(MAX_SAMPLE_FILE_BYTES + 1).read_to_string(&mut text),
        }
        .map_err(|error| failed(error.to_string()))?;
        if text.len() as u64 > MAX_SAMPLE_FILE_BYTES {
            return Err(failed(format!("more than {MAX_SAMPLE_FILE_BYTES} bytes")));
        }
        Sample::parse(&text).map(Some).map_err(failed)
    }

    /// The sample if the file has changed since the last check; the first check always reports a change.
    ///
    /// # Errors
    /// As [`SampleFile::read`], once for each version of the file.
    pub fn changed(&mut self) -> Result<Option<Option<Sample>>> {
        let now = stamp(&self.path);
        if self.seen.is_some_and(|seen| seen == now) {
            return Ok(None);
        }
        self.seen = Some(now);
        self.read().map(Some)
    }

    /// Names the current sample; none removes the file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, sample: Option<&Sample>) -> Result<()> {
        let Some(sample) = sample else {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::output(&self.path, error)),
                _ => Ok(()),
            };
        };
        let text = toml::to_string(sample).map_err(|error| Error::internal("the sample", error.to_string()))?;
        let mut file = AtomicFile::create(&self.path)?;
        file.write_all(text.as_bytes()).map_err(|error| Error::output(&self.path, error))?;
        Ok(file.commit()?)
    }
}

fn stamp(path: &Path) -> Stamp {
    let Ok(found) = fs::metadata(path) else { return (0, None, None) };
    #[cfg(unix)]
    let number = Some(std::os::unix::fs::MetadataExt::ino(&found));
    #[cfg(not(unix))]
    let number = None;
    (found.len(), found.modified().ok(), number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn named(name: &str) -> Sample {
        Sample { name: name.into(), ..Sample::default() }
    }

    #[test]
    fn written_sample_is_read_and_change_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = SampleFile::of(folder.path());
        assert_eq!(file.changed().unwrap(), Some(None), "no file");
        assert_eq!(file.changed().unwrap(), None);
        let sample = Sample { operator: "A. B.".into(), stain: "Giemsa".into(), ..named("S-17 \"ü\"") };
        file.write(Some(&sample)).unwrap();
        assert_eq!(file.changed().unwrap(), Some(Some(sample)));
        assert_eq!(file.changed().unwrap(), None);
        file.write(Some(&named("S-18"))).unwrap();
        assert_eq!(file.changed().unwrap(), Some(Some(named("S-18"))));
        file.write(None).unwrap();
        file.write(None).unwrap();
        assert_eq!(file.changed().unwrap(), Some(None));
    }

    #[test]
    fn invalid_sample_is_rejected_once_per_version() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = SampleFile::of(folder.path());
        let long = format!("name = '{}'", "x".repeat(MAX_SAMPLE_NAME_BYTES + 1));
        let huge = format!("name = 'a' # {}", "x".repeat(MAX_SAMPLE_FILE_BYTES as usize));
        for text in ["", "name = ''", "name = '  '", "name = 1", "nam = 'a'", "name = \"a\\nb\"", "\u{0}", &long, &huge]
        {
            fs::write(file.path(), text).unwrap();
            file.seen = None;
            assert!(file.changed().is_err(), "{text:?}");
            assert_eq!(file.changed().unwrap(), None, "{text:?}");
        }
        fs::write(file.path(), [0xff, 0xfe]).unwrap();
        assert!(file.read().is_err());
    }
}
