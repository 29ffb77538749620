//! Checks whether the write-ahead log is complete. SQLite reads it up to the first frame with a wrong checksum and
//! ignores the rest without an error: an interrupted write looks the same as a block that the disk lost.
//!
//! The format is in SQLite's file format documentation, section 4: a header of 32 bytes, then frames of 24 bytes and a
//! page.

use std::{
    io::{self, BufReader, Read},
    path::Path,
    thread::sleep,
    time::Duration,
};

use bloodseg_durable::open_plain;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// How often, and at which interval, a log is checked: a run that is writing leaves a frame unfinished for a moment.
const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// What is wrong with the log at `path`; nothing if there is none, it is complete, or it ends in an unfinished frame.
pub fn log_damage(path: &Path) -> Option<String> {
    let mut found = look(path).ok().flatten()?;
    for _ in 1..LOOKS {
        sleep(BETWEEN_LOOKS);
        let again = look(path).ok().flatten()?;
        if again != found {
            // It is being written.
            return None;
        }
        found = again;
    }
    Some(match found {
        Found::Header => "the header of the log".into(),
        Found::Frame { at, behind } => {
            format!("the log from page {at} on, with {behind} written after it")
        }
    })
}

/// Where the valid part of a log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Header,
    Frame { at: u64, behind: u64 },
}

fn look(path: &Path) -> io::Result<Option<Found>> {
    let mut log = BufReader::new(open_plain(path)?);
    let mut header = [0; HEADER_BYTES];
    if !is_filled(&mut log, &mut header)? || header.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let (first, stated) = header.split_at(24);
    let mut sum = Sum { little: header[3] & 1 == 0, state: [0; 2] };
    sum.add(first);
    let magic = header[..3] == [0x37, 0x7f, 0x06] && header[3] & !1 == 0x82;
    if !magic || sum.bytes() != stated {
        return Ok(Some(Found::Header));
    }
    let page_bytes = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
    let salts: [u8; 8] = header[16..24].try_into().unwrap_or_default();
    let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes.min(65536)];
    let (mut number, mut broken) = (0_u64, None);
    while is_filled(&mut log, &mut frame)? {
        number += 1;
        let same_salts = frame[8..16] == salts;
        match &mut broken {
            None => {
                sum.add(&frame[..8]);
                sum.add(&frame[FRAME_HEADER_BYTES..]);
                if !same_salts {
                    // The end: what follows is left from before the log was restarted, unless these bytes alone are
                    // damaged.
                    broken = Some((number, 0));
                } else if sum.bytes() != frame[16..24] {
                    broken = Some((number, 1));
                }
            }
            Some((_, behind)) => *behind += u64::from(same_salts),
        }
    }
    Ok(broken.filter(|(_, behind)| *behind > 0).map(|(at, behind)| Found::Frame { at, behind }))
}

/// Fills `into`, or says that there is no more data.
fn is_filled(log: &mut impl Read, into: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(into) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The checksum of the log, over pairs of 32-bit words.
struct Sum {
    little: bool,
    state: [u32; 2],
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        for pair in bytes.as_chunks::<8>().0 {
            let [a, b, c, d, e, f, g, h] = *pair;
            let word = |bytes| if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
            let [one, two] = &mut self.state;
            *one = one.wrapping_add(word([a, b, c, d])).wrapping_add(*two);
            *two = two.wrapping_add(word([e, f, g, h])).wrapping_add(*one);
        }
    }

    /// As it is stored.
    fn bytes(&self) -> [u8; 8] {
        let [one, two] = self.state.map(u32::to_be_bytes);
        std::array::from_fn(|at| if at < 4 { one[at] } else { two[at - 4] })
    }
}
