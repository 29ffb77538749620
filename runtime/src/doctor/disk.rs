//! Checks that the results folder is writable, survives a restart, and has room for a day.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Finding;
use crate::{
    doctor::limits::{FRAME_RECORD_BYTES, PICTURES_BYTES},
    error::Error,
};
use bloodseg_records::store;

/// Properties of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this user may still write.
    pub free_bytes: u64,
    /// Whether it is in memory and lost at a restart.
    pub in_memory: bool,
    /// Whether it is a network share, on which processes cannot share memory maps.
    pub is_share: bool,
}

/// Checks the results folder. `space` returns the file system of a path; a run produces `fps` frames per second, and
/// keeps `most_bytes` of records. A missing folder is checked by its nearest existing parent.
pub fn check(folder: Option<&Path>, fps: f64, most_bytes: u64, space: &dyn Fn(&Path) -> io::Result<Space>) -> Finding {
    let Some(folder) = folder else {
        return Finding::skipped("disk", "no results folder", "Pass --out DIR, or output.dir in the config file");
    };
    let place = existing(folder);
    let known = match write_and_remove(&place).and_then(|()| space(&place)) {
        Ok(known) => known,
        Err(error) => return Finding::fault("disk", &Error::output(folder, error)),
    };
    let hour_bytes = fps * 3600.0 * FRAME_RECORD_BYTES as f64;
    let days = known.free_bytes.saturating_sub(PICTURES_BYTES) as f64 / (24.0 * hour_bytes).max(1.0);
    // The space of existing records is reused when the oldest frames are deleted.
    let there = fs::metadata(folder.join(store::FILE)).map_or(0, |file| file.len());
    let growth = most_bytes.saturating_sub(there) as f64;
    let has_room = |hours: f64| known.free_bytes as f64 >= PICTURES_BYTES as f64 + growth.min(hours * hour_bytes);
    let space = format!(
        "{}: {:.1} GB free, room for {days:.1} days at {fps} frames per second and {} bytes per frame; up to {:.0} MiB of records are \
         kept (records.most_mib)",
        folder.display(),
        known.free_bytes as f64 / 1e9,
        FRAME_RECORD_BYTES,
        most_bytes as f64 / 1_048_576.0
    );
    if !has_room(1.0) {
        let todo = "Free space, move old results away, or choose another folder with --out";
        let fault = Error::output(folder, format!("{space}; room for less than an hour"));
        return Finding { todo: todo.into(), expected: "room for a day".into(), ..Finding::fault("disk", &fault) };
    }
    if !has_room(24.0) {
        let todo = "Free space, move old results away, or keep less: records.most_mib in the config file";
        return Finding::look("disk", space, "room for a day", todo);
    }
    if known.in_memory {
        let found = format!("{space}; it lies in memory: a restart empties it");
        return Finding::look("disk", found, "a folder on a card or disk", "Choose another folder with --out");
    }
    if known.is_share {
        let found = format!("{space}; it is another machine's, where `export` has to wait until a run has ended");
        return Finding::look("disk", found, "a folder of this machine", "Choose another folder with --out");
    }
    Finding::ok("disk", space)
}

/// The folder itself, or the nearest existing parent.
fn existing(folder: &Path) -> PathBuf {
    let above = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new(""));
    if above.as_os_str().is_empty() { PathBuf::from(".") } else { above.to_owned() }
}

/// Does what a run would do there: permissions, quotas and read-only file systems only show by trying.
fn write_and_remove(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".bloodseg-doctor-{}", std::process::id()));
    let written = fs::write(&path, [0; 4096]).and_then(|()| fs::File::open(&path)?.sync_all());
    let removed = fs::remove_file(&path);
    written.and(removed)
}

/// The file system of a path.
///
/// # Errors
/// I/O errors.
#[cfg(target_os = "linux")]
pub fn space(path: &Path) -> io::Result<Space> {
    /// `TMPFS_MAGIC` of the kernel's `magic.h`.
    const TMPFS: i128 = 0x0102_1994;
    /// `RAMFS_MAGIC` of the same.
    const RAMFS: i128 = 0x8584_58f6;
    /// `V9FS_MAGIC`, `NFS_SUPER_MAGIC`, `CIFS_SUPER_MAGIC` and `SMB2_SUPER_MAGIC` of the same.
    const SHARES: [i128; 4] = [0x0102_1997, 0x6969, 0xff53_4d42, 0xfe53_4d42];

    let known = rustix::fs::statfs(path)?;
    // The types of both fields differ between platforms.
    let (kind, block, blocks) = (i128::from(known.f_type), i128::from(known.f_bsize), i128::from(known.f_bavail));
    Ok(Space {
        free_bytes: u64::try_from(block * blocks).unwrap_or(0),
        in_memory: [TMPFS, RAMFS].contains(&(kind & 0xffff_ffff)),
        is_share: SHARES.contains(&(kind & 0xffff_ffff)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::doctor::Outcome;

    const GB: u64 = 1_000_000_000;
    /// More than any disk has.
    const NO_END: u64 = u64::MAX;

    fn with(free_bytes: u64, in_memory: bool) -> impl Fn(&Path) -> io::Result<Space> {
        move |_| Ok(Space { free_bytes, in_memory, is_share: false })
    }

    #[test]
    fn network_share_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let share = |_: &Path| Ok(Space { free_bytes: 100 * GB, in_memory: false, is_share: true });
        let finding = check(Some(folder.path()), 1.0, NO_END, &share);
        assert_eq!(finding.outcome, Outcome::Look);
        assert!(finding.found.contains("another machine's"), "{finding:?}");
    }

    #[test]
    fn room_is_estimated_in_days() {
        let folder = tempfile::tempdir().unwrap();
        let day = 86_400 * FRAME_RECORD_BYTES;
        for (free, in_memory, outcome, code) in [
            (PICTURES_BYTES + 2 * day, false, Outcome::Ok, 0),
            (PICTURES_BYTES + 2 * day, true, Outcome::Look, 0),
            (PICTURES_BYTES + day / 2, false, Outcome::Look, 0),
            (PICTURES_BYTES + day / 30, false, Outcome::Fault, 5),
            (0, true, Outcome::Fault, 5),
        ] {
            let finding = check(Some(folder.path()), 1.0, NO_END, &with(free, in_memory));
            assert_eq!((finding.outcome, finding.exit_code), (outcome, code), "{finding:?}");
        }
        let fast = check(Some(folder.path()), 30.0, NO_END, &with(PICTURES_BYTES + 2 * day, false));
        assert_eq!(fast.outcome, Outcome::Look);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn records_need_at_most_their_limit() {
        const MOST: u64 = 8 << 20;
        let folder = tempfile::tempdir().unwrap();
        let outcome = |free| check(Some(folder.path()), 30.0, MOST, &with(free, false)).outcome;
        // An hour alone would be more than 400 MB.
        assert_eq!([outcome(PICTURES_BYTES + MOST), outcome(PICTURES_BYTES + MOST - 1)], [Outcome::Ok, Outcome::Fault]);
        fs::write(folder.path().join(store::FILE), vec![0; MOST as usize / 2]).unwrap();
        assert_eq!(outcome(PICTURES_BYTES + MOST / 2), Outcome::Ok, "what is there is a part of it");
        fs::write(folder.path().join(store::FILE), vec![0; MOST as usize]).unwrap();
        assert_eq!([outcome(PICTURES_BYTES), outcome(PICTURES_BYTES - 1)], [Outcome::Ok, Outcome::Fault]);
    }

    #[test]
    fn missing_folder_is_checked_by_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("a/b");
        assert_eq!(check(Some(&new), 1.0, NO_END, &with(GB, false)).outcome, Outcome::Ok);
        assert!(!new.exists());
        assert_eq!(existing(Path::new("surely/not/there")), Path::new("."));
        assert_eq!(check(None, 1.0, NO_END, &with(GB, false)).outcome, Outcome::Skipped);
    }

    #[test]
    fn unwritable_folder_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let broken = |_: &Path| Err(io::Error::other("Input/output error"));
        let whole = with(GB, false);
        for finding in [check(Some(&file), 1.0, NO_END, &whole), check(Some(folder.path()), 1.0, NO_END, &broken)] {
            assert_eq!((finding.outcome, finding.exit_code), (Outcome::Fault, 5));
            assert!(finding.todo.contains("--out"), "{finding:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn space_reads_the_file_system() {
        assert!(space(Path::new("/proc")).is_ok_and(|known| !known.in_memory && known.free_bytes == 0));
        assert!(space(Path::new("/surely/not/there")).is_err());
    }
}
