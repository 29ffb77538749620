//! Replays a folder as frames, sorted by name.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Clockwork, FrameSource, Need, Next, Pacing};
use crate::error::{Error, Result};
use bloodseg_vision::{
    error::Cause,
    frame::{
        Frame,
        decode::{self, EXTENSIONS, Header, Most, Wanted, looks_like_picture, read_header},
        limits::MAX_WHOLE_FIELD_PX,
        name::FrameName,
        reference,
    },
    pictures,
    placement::{PitchSource, Scaled},
};

/// Replay options.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Replay {
    /// Frames per second, as a live source; if `None`, each frame waits for the analysis.
    pub fps: Option<f64>,
    /// Restart at the end.
    pub repeat: bool,
    /// Shrink each picture to 64x64 with the reference preparation.
    pub whole_field: bool,
    /// Do not scale pictures for the models.
    pub as_is: bool,
    /// Edge of a pixel of the pictures in the specimen, in micrometres; overrides the files' metadata.
    pub um_per_px: Option<f64>,
    /// Bits used by 16-bit samples.
    pub bits: Option<u32>,
}

/// The pictures of a folder.
#[derive(Debug)]
pub struct Folder {
    name: String,
    /// Each picture: a file and a page.
    pictures: Vec<(PathBuf, usize)>,
    /// Pitch of the models in micrometres per pixel, once known.
    target_um_per_px: Option<f64>,
    /// Stems that several pictures share, in lower case.
    shared: BTreeSet<String>,
    at: usize,
    number: u64,
    /// Number of consecutive unreadable pictures.
    unreadable: usize,
    replay: Replay,
    clock: Option<Clockwork>,
    /// The memory need that the budget assumes.
    held_to: Option<Need>,
}

impl Folder {
    /// Lists the pictures of a folder without opening them. Skips results of bloodseg, and names that begin with a dot.
    ///
    /// # Errors
    /// [`Error::Source`] for a folder that cannot be read or has no pictures.
    pub fn open(name: &str, path: &Path, replay: Replay) -> Result<Self> {
        let fault = |found: Cause, todo: &str| Error::frames(name, found.led_by(path.display()), todo);
        let entries = std::fs::read_dir(path).map_err(|e| fault(e.into(), "Name a folder that can be read"))?;
        let mut paths: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| is_picture(path)).collect();
        if paths.is_empty() {
            let todo = format!("Name a folder of pictures ({})", EXTENSIONS.join(", "));
            return Err(fault("a folder without pictures".into(), &todo));
        }
        paths.sort();
        let mut seen = BTreeSet::new();
        let shared = paths.iter().map(|path| short(path)).filter(|name| !seen.insert(name.clone())).collect();
        let pictures =
            paths.into_iter().flat_map(|path| (0..decode::pages(&path)).map(move |page| (path.clone(), page)));
        Ok(Self {
            name: name.to_owned(),
            pictures: pictures.collect(),
            target_um_per_px: None,
            shared,
            at: 0,
            number: 0,
            unreadable: 0,
            replay,
            clock: replay.fps.map(Clockwork::new),
            held_to: None,
        })
    }

    fn read(&self, path: &Path, page: usize) -> Result<(image::RgbImage, Scaled)> {
        let most = Most {
            px: match self.held_to {
                Some(need) if !self.replay.whole_field => px(need.frame_px),
                _ => MAX_WHOLE_FIELD_PX,
            },
            reading_bytes: self.held_to.map_or(u64::MAX, |need| need.making_bytes),
        };
        let decode::Decoded { picture, metadata } = decode::read(path, Wanted { most, page, bits: self.replay.bits })?;
        let source = if self.replay.um_per_px.is_some() { PitchSource::Given } else { PitchSource::Metadata };
        let origin = Scaled::as_it_is(self.replay.um_per_px.or(metadata.um_per_px), source);
        if !self.replay.whole_field {
            return Ok((picture, origin));
        }
        let field = reference::prepare(&picture)?;
        let placement = field.placement(picture.dimensions());
        Ok((field.lr, Scaled { placement, ..origin }))
    }

    /// No decoder should panic on a picture; if one does, the next picture can still be read.
    fn read_guarded(&self, path: &Path, page: usize) -> Result<(image::RgbImage, Scaled)> {
        let read = catch_unwind(AssertUnwindSafe(|| self.read(path, page)));
        read.unwrap_or_else(|_| Err(Error::input(path, "a picture that crashes its decoder", "an intact one", "")))
    }

    /// The name of a picture, with `#2` for a second page; with its extension if two results would have the same name.
    fn name_of(&self, path: &Path, page: usize) -> FrameName {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_shared = self.shared.contains(&short(path));
        match (is_shared, page) {
            (false, 0) => FrameName::Own(name),
            (true, 0) => FrameName::Whole(name),
            (false, _) => FrameName::Page(name, page + 1),
            (true, _) => FrameName::Whole(format!("{name}#{}", page + 1)),
        }
    }

    /// A size at the scale of the models, if the pitch was given.
    fn at_scale(&self, (width, height): (u32, u32)) -> Option<(u32, u32)> {
        let factor = self.target_um_per_px.zip(self.replay.um_per_px).map(|(target, own)| target / own)?;
        let side = |px: u32| (f64::from(px) / factor).round().clamp(1.0, f64::from(u32::MAX)) as u32;
        Some((side(width), side(height)))
    }
}

/// A picture that is not a result of bloodseg. Other systems leave files beside pictures whose names begin with a dot.
fn is_picture(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !is_hidden && path.is_file() && looks_like_picture(path) && !pictures::is_result(path)
}

/// The stem, compared without case like on case-insensitive file systems.
fn short(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase()
}

fn px((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

impl FrameSource for Folder {
    fn name(&self) -> &str {
        &self.name
    }

    fn describe(&self) -> String {
        let pace = match self.replay.fps {
            Some(fps) => format!("{fps} frames/s"),
            None => "each waits for the previous one".to_owned(),
        };
        let again = if self.replay.repeat { ", over and over" } else { "" };
        format!("folder of {} pictures by name, {pace}{again}", self.pictures.len())
    }

    fn is_of_files(&self) -> bool {
        true
    }

    fn pacing(&self) -> Pacing {
        if self.clock.is_some() { Pacing::Live } else { Pacing::Lossless }
    }

    // Pictures of a folder may differ in size, so the whole-field shrink factor is not a single number.
    fn um_per_px(&self) -> Option<f64> {
        self.replay.um_per_px.filter(|_| !self.replay.whole_field)
    }

    fn needs_scale(&self) -> bool {
        !self.replay.whole_field && !self.replay.as_is
    }

    fn pictures(&self) -> usize {
        self.pictures.len()
    }

    fn peek(&self, at: usize) -> Result<(image::RgbImage, Scaled)> {
        let (path, page) = self.pictures.get(at).ok_or_else(|| Error::internal("folder", "no such picture"))?;
        self.read_guarded(path, *page)
    }

    fn resample_to(&mut self, um_per_px: f64) -> Result<()> {
        self.target_um_per_px = Some(um_per_px);
        Ok(())
    }

    fn need(&self) -> Need {
        let mut need = Need::default();
        for (path, _) in self.pictures.iter().filter(|(_, page)| *page == 0) {
            // Unreadable files are reported when they are replayed.
            let Ok(Header { size_px, reading_bytes, .. }) = read_header(path, MAX_WHOLE_FIELD_PX) else { continue };
            // Shrinking a whole field takes less memory than reading it, and that memory is free again by then.
            need.making_bytes = need.making_bytes.max(reading_bytes);
            if !self.replay.whole_field && px(size_px) > px(need.frame_px) {
                need.frame_px = size_px;
            }
        }
        need.analysed_px = if self.needs_scale() { self.at_scale(need.frame_px) } else { Some(need.frame_px) };
        need
    }

    fn hold_to(&mut self, need: Need) {
        self.held_to = Some(need);
    }

    fn go_on_after(&mut self, frames: u64, unreadable: u64) {
        let (taken, in_all) = (frames + unreadable, self.pictures.len() as u64);
        // The remainder is less than the number of paths, which fits.
        self.at = if self.replay.repeat { taken % in_all } else { taken.min(in_all) } as usize;
        self.number = frames;
    }

    fn next_frame(&mut self, now: Duration) -> Result<Next> {
        if self.at == self.pictures.len() {
            if !self.replay.repeat {
                return Ok(Next::End);
            }
            self.at = 0;
        }
        if self.unreadable >= self.pictures.len() {
            return Err(Error::frames(
                &self.name,
                format!("none of its {} pictures can be used", self.pictures.len()),
                "See the warnings",
            ));
        }
        if let Some(due) = self.clock.as_mut().and_then(|clock| clock.take(now)) {
            return Ok(Next::Wait(due));
        }
        let (path, page) = &self.pictures[self.at];
        let page = *page;
        self.at += 1;
        match self.read_guarded(path, page) {
            Ok((picture, origin)) => {
                self.unreadable = 0;
                self.number += 1;
                let (path, page) = &self.pictures[self.at - 1];
                let name = self.name_of(path, *page);
                Ok(Next::Frame(Frame { number: self.number, name, picture: picture.into(), origin }))
            }
            Err(error) => {
                self.unreadable += 1;
                Ok(Next::Unreadable(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use image::{Rgb, RgbImage};

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, level) in [("b.png", 2), ("a.png", 1), ("a.sr.png", 9)] {
            RgbImage::from_pixel(8, 6, Rgb([level; 3])).save(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("aa.png"), "no picture").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "").unwrap();
        folder
    }

    fn described(next: Next) -> String {
        match next {
            Next::Frame(frame) => format!("{} {} {}", frame.number, frame.name, frame.picture.get_pixel(0, 0).0[0]),
            Next::Unreadable(error) => format!("unreadable {}", error.exit_code()),
            Next::Wait(due) => format!("wait {}", due.as_millis()),
            Next::End => "end".into(),
        }
    }

    fn take(source: &mut Folder, count: usize) -> Vec<String> {
        (0..count).map(|_| described(source.next_frame(Duration::ZERO).unwrap())).collect()
    }

    #[test]
    fn frames_are_sorted_by_name_and_bad_ones_reported() {
        let folder = folder();
        let mut source = Folder::open("x", folder.path(), Replay::default()).unwrap();
        assert_eq!(source.pacing(), Pacing::Lossless);
        assert_eq!(take(&mut source, 5), ["1 a.png 1", "unreadable 3", "2 b.png 2", "end", "end"]);
    }

    #[test]
    fn repeated_folder_restarts_and_paced_one_waits() {
        let folder = folder();
        let replay = Replay { repeat: true, ..Replay::default() };
        let mut source = Folder::open("x", folder.path(), replay).unwrap();
        assert_eq!(take(&mut source, 4), ["1 a.png 1", "unreadable 3", "2 b.png 2", "3 a.png 1"]);
        let mut source = Folder::open("x", folder.path(), Replay { fps: Some(2.0), ..replay }).unwrap();
        assert_eq!(source.pacing(), Pacing::Live);
        assert_eq!(take(&mut source, 2), ["1 a.png 1", "wait 500"]);
    }

    #[test]
    fn reopened_folder_continues_with_next_picture() {
        let folder = folder();
        let opened = |repeat, frames, unreadable| {
            let mut source = Folder::open("x", folder.path(), Replay { repeat, ..Replay::default() }).unwrap();
            source.go_on_after(frames, unreadable);
            take(&mut source, 2)
        };
        assert_eq!(opened(false, 1, 0), ["unreadable 3", "2 b.png 2"]);
        assert_eq!(opened(false, 1, 1), ["2 b.png 2", "end"]);
        assert_eq!(opened(false, 2, 1), ["end", "end"]);
        assert_eq!(opened(true, 3, 1), ["unreadable 3", "4 b.png 2"]);
    }

    #[test]
    fn repeated_folder_of_unreadable_files_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.png"), "x").unwrap();
        let replay = Replay { repeat: true, ..Replay::default() };
        let mut source = Folder::open("x", folder.path(), replay).unwrap();
        assert_eq!(take(&mut source, 1), ["unreadable 3"]);
        assert_eq!(source.next_frame(Duration::ZERO).unwrap_err().exit_code(), 7);
    }

    #[test]
    fn missing_or_empty_folder_is_a_source_error() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("none")] {
            assert_eq!(Folder::open("x", &path, Replay::default()).unwrap_err().exit_code(), 7);
        }
    }

    #[test]
    fn memory_need_follows_largest_picture_and_is_enforced() {
        let folder = tempfile::tempdir().unwrap();
        let save = |name: &str, side: u32| RgbImage::new(side, side).save(folder.path().join(name)).unwrap();
        save("a.png", 80);
        save("b.png", 200);
        std::fs::write(folder.path().join("c.png"), "no picture").unwrap();
        let mut source = Folder::open("x", folder.path(), Replay { repeat: true, ..Replay::default() }).unwrap();
        let need = source.need();
        assert_eq!(need.frame_px, (200, 200));
        assert!(need.making_bytes > 3 * 200 * 200);
        source.hold_to(need);
        assert_eq!(take(&mut source, 3), ["1 a.png 0", "2 b.png 0", "unreadable 3"]);
        // Another file took its place after the budget was computed.
        save("a.png", 201);
        assert_eq!(take(&mut source, 2), ["unreadable 3", "3 b.png 0"]);

        let replay = Replay { whole_field: true, ..Replay::default() };
        let mut source = Folder::open("x", folder.path(), replay).unwrap();
        let need = source.need();
        assert_eq!(need.frame_px, (64, 64));
        assert!(need.making_bytes > 2 * 3 * 201 * 201);
        source.hold_to(need);
        save("b.png", 400);
        assert_eq!(take(&mut source, 2), ["1 a.png 0", "unreadable 3"]);
    }

    #[test]
    fn whole_field_is_shrunk_to_one_tile() {
        let folder = tempfile::tempdir().unwrap();
        RgbImage::new(300, 260).save(folder.path().join("a.png")).unwrap();
        let replay = Replay { whole_field: true, ..Replay::default() };
        let mut source = Folder::open("x", folder.path(), replay).unwrap();
        let next = source.next_frame(Duration::ZERO).unwrap();
        assert!(matches!(next, Next::Frame(frame) if frame.picture.dimensions() == (64, 64)));
    }
}
