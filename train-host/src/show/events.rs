//! Writes TensorBoard's event files: TFRecords (length, masked CRC-32C, bytes, masked CRC-32C) of protobuf `Event`s, of
//! which a run only needs scalars and pictures.
//!
//! TensorBoard continues reading where it stopped, so a file is only appended to. A resumed run starts another file,
//! whose first event says from which epoch on older events are invalid.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use prost::Message;

/// `Event` of TensorFlow's `event.proto`.
#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

/// `Summary` of `summary.proto`.
#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Item>,
}

/// `SessionLog` of `event.proto`.
#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `SessionLog.START`: older events of this step and later ones are purged.
const START: i32 = 1;

/// `Summary.Value`: a number or a picture with its tag.
#[derive(Clone, PartialEq, Message)]
pub struct Item {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(oneof = "Value", tags = "2, 4")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Value {
    #[prost(float, tag = "2")]
    Simple(f32),
    #[prost(message, tag = "4")]
    Image(Picture),
}

/// `Summary.Image`.
#[derive(Clone, PartialEq, Message)]
struct Picture {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    /// 3 is RGB.
    #[prost(int32, tag = "3")]
    colorspace: i32,
    #[prost(bytes = "vec", tag = "4")]
    encoded: Vec<u8>,
}

impl Item {
    /// A number.
    pub fn scalar(tag: &str, value: f32) -> Self {
        Self { tag: tag.to_owned(), value: Some(Value::Simple(value)) }
    }

    /// A picture in RGB as the bytes of a PNG.
    pub fn picture(tag: &str, (width, height): (u32, u32), png: Vec<u8>) -> Self {
        let picture = Picture { height: height as i32, width: width as i32, colorspace: 3, encoded: png };
        Self { tag: tag.to_owned(), value: Some(Value::Image(picture)) }
    }
}

/// An event file being written.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    file: File,
}

impl Events {
    /// Starts a file in `folder` whose first epoch is `first`.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn begin(folder: &Path, first: u32, now: SystemTime) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot create the folder", folder.display()))?;
        let (path, file) = create(folder, seconds(now) as u64)?;
        let mut this = Self { path, file };
        this.write(&Event { wall_time: seconds(now), step: 0, what: Some(What::FileVersion("brain.Event:2".into())) })?;
        let start = What::SessionLog(SessionLog { status: START });
        this.write(&Event { wall_time: seconds(now), step: first.into(), what: Some(start) })?;
        Ok(this)
    }

    /// Adds the data of an epoch.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add(&mut self, epoch: u32, items: Vec<Item>, now: SystemTime) -> Result<()> {
        let what = Some(What::Summary(Summary { value: items }));
        self.write(&Event { wall_time: seconds(now), step: epoch.into(), what })
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        // One call, so that a reader rarely sees half a record; if it does, it waits for the rest.
        let written = self.file.write_all(&record(&event.encode_to_vec()));
        written.with_context(|| format!("{}: cannot write", self.path.display()))
    }
}

/// A file with an unused name: TensorBoard reads them in the order of their names.
fn create(folder: &Path, second: u64) -> Result<(PathBuf, File)> {
    for number in 0..u16::MAX {
        let path = folder.join(format!("events.out.tfevents.{second:010}.{number:05}.bloodseg"));
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e).with_context(|| format!("{}: cannot write", path.display())),
        }
    }
    anyhow::bail!("{}: too many event files of one second; expected fewer. Delete the folder", folder.display())
}

/// A clock before 1970 reads as 1970.
fn seconds(now: SystemTime) -> f64 {
    now.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// The framing of a record.
fn record(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(bytes.len() + 16);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend(bytes);
    record.extend(masked(bytes).to_le_bytes());
    record
}

/// A checksum as in TFRecords: rotated and shifted, so that checksums of checksums remain useful.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;

    /// The events of a file with verified checksums; an incomplete last record is skipped.
    fn read(bytes: &[u8]) -> Vec<Event> {
        let (mut rest, mut events) = (bytes, Vec::new());
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap());
        while rest.len() >= 12 {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(word(&rest[8..]), masked(&rest[..8]), "checksum of the length");
            let Some(body) = rest.get(12..12 + length) else { break };
            assert_eq!(word(&rest[12 + length..]), masked(body), "checksum of the record");
            events.push(Event::decode(body).unwrap());
            rest = &rest[16 + length..];
        }
        events
    }

    /// Step, tag and number of all summaries in a folder, in TensorBoard's order; 0 for a picture.
    pub(crate) fn read_folder(folder: &Path) -> Vec<(i64, String, f32)> {
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let events = files.iter().flat_map(|file| read(&std::fs::read(file).unwrap()));
        let items = events.flat_map(|event| match event.what {
            Some(What::Summary(summary)) => summary.value.into_iter().map(|item| (event.step, item)).collect(),
            _ => Vec::new(),
        });
        let number = |value| if let Some(Value::Simple(value)) = value { value } else { 0.0 };
        items.map(|(step, item)| (step, item.tag, number(item.value))).collect()
    }

    #[test]
    fn crc32c_matches_rfc_3720() {
        // RFC 3720, B.4.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c::crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c::crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
    }

    #[test]
    fn record_matches_tensorboard_bytes() {
        // The first record of an event file at time 0, from the RecordWriter of TensorBoard 2.21.
        let event = Event { wall_time: 0.0, step: 0, what: Some(What::FileVersion("brain.Event:2".into())) };
        let known = b"\x0f\0\0\0\0\0\0\0mS+\t\x1a\x0dbrain.Event:2\xfc\x98Q)";
        assert_eq!(record(&event.encode_to_vec()), known);
    }

    #[test]
    fn resumed_run_starts_another_file() {
        let root = tempfile::tempdir().unwrap();
        let now = UNIX_EPOCH + Duration::from_millis(1_800_000_000_500);
        let mut first = Events::begin(root.path(), 1, now).unwrap();
        first.add(1, vec![Item::scalar("loss", 0.5)], now).unwrap();
        let mut second = Events::begin(root.path(), 2, now).unwrap();
        second.add(2, vec![Item::picture("fields", (8, 4), vec![1, 2])], now).unwrap();
        assert_eq!(read_folder(root.path()), [(1, "loss".to_owned(), 0.5), (2, "fields".to_owned(), 0.0)]);
        let events = read(&std::fs::read(&second.path).unwrap());
        assert_eq!(events[0].what, Some(What::FileVersion("brain.Event:2".into())));
        assert_eq!((events[1].step, &events[1].what), (2, &Some(What::SessionLog(SessionLog { status: START }))));
        assert!((events[2].wall_time - 1_800_000_000.5).abs() < 1e-6);
    }

    #[test]
    fn error_names_file_that_cannot_be_created() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        let error = Events::begin(&root.path().join("file"), 1, UNIX_EPOCH).unwrap_err();
        assert!(format!("{error:#}").contains("file"));
    }
}
