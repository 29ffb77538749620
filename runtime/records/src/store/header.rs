//! The first 100 bytes of the database file. They decide how SQLite reads everything else, and some damage in them causes
//! no error. The format is in SQLite's file format documentation, section 1.3.

use std::{io::Read, path::Path};

use super::{Fault, schema::APPLICATION_ID};
use bloodseg_durable::open_plain;

const BYTES: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Refuses a bloodseg database with a damaged header. A file that is missing, too short, or of another program passes:
/// SQLite reports what it is.
///
/// # Errors
/// [`Fault::Damaged`].
pub(super) fn check(path: &Path) -> Result<(), Fault> {
    match read(path) {
        Some(header) if is_ours(&header) && !is_sound(&header) => {
            Err(Fault::Damaged("its header is not what was written".into(), None))
        }
        _ => Ok(()),
    }
}

/// Whether a file that SQLite does not accept as a database was a bloodseg database: our application id is in its place, or
/// nothing is left of the header, as on a disk that lost its first block.
pub(super) fn was_ours(path: &Path) -> bool {
    read(path).is_some_and(|header| is_ours(&header) || header.iter().all(|byte| *byte == 0))
}

/// Whether it is a database, and its header names another program or none.
pub(super) fn is_of_another_program(path: &Path) -> bool {
    read(path).is_some_and(|header| header.starts_with(MAGIC) && !is_ours(&header))
}

fn read(path: &Path) -> Option<[u8; BYTES]> {
    let mut header = [0; BYTES];
    open_plain(path).and_then(|mut file| file.read_exact(&mut header)).ok()?;
    Some(header)
}

fn is_ours(header: &[u8; BYTES]) -> bool {
    header[68..72] == APPLICATION_ID.to_be_bytes()
}

/// Whether everything is as we write it. Fields that change with every write are left to SQLite.
fn is_sound(header: &[u8; BYTES]) -> bool {
    let word = |at: usize| {
        let [a, b, c, d] = [header[at], header[at + 1], header[at + 2], header[at + 3]];
        u32::from_be_bytes([a, b, c, d])
    };
    let (write_version, read_version) = (header[18], header[19]);
    header.starts_with(MAGIC)
        && matches!(write_version, 1 | 2)
        && write_version == read_version
        && header[20] == 0
        && header[21..24] == [64, 32, 32]
        // Schema format and UTF-8.
        && word(44) == 4
        && word(56) == 1
        // A file whose free pages can be returned says so in both places.
        && (word(52) != 0) == (word(64) != 0)
        && word(64) <= 1
        // The list of free pages and its length.
        && (word(32) == 0) == (word(36) == 0)
        && header[72..92].iter().all(|byte| *byte == 0)
}
