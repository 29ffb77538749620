//! The pictures of the page as PNG: encoded on request, once per frame, all three from the same frame.
//!
//! One frame is held together with its numbers. A client that shows both requests the numbers first ([`Gallery::hold`]),
//! and then has some time to request the pictures of the same frame, whatever is analysed meanwhile and who else is
//! connected.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::body::Bytes;
use image::{
    ExtendedColorType, ImageEncoder,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};

use super::board::{Board, PLATELET_BIT, Pictures, Reading, UNSUPPORTED_BIT, WHITE_BIT};
use crate::page::limits::PAGE_HOLD;
use bloodseg_vision::{
    cells::Kind,
    pictures::{HATCH_PX, Look},
};

/// One of the pictures of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The input.
    Lr,
    /// Super-resolved.
    Sr,
    /// The same with outlines.
    Overlay,
}

impl Which {
    /// By file name.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "latest.lr.png" => Some(Self::Lr),
            "latest.sr.png" => Some(Self::Sr),
            "latest.overlay.png" => Some(Self::Overlay),
            _ => None,
        }
    }
}

/// Why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// No frame has been analysed yet.
    NotYet,
    /// The requested frame is neither held nor the latest.
    Gone,
    /// It cannot be encoded.
    Broken,
}

/// The client for which a frame is held.
#[derive(Debug, Clone, Copy)]
struct Promise {
    viewer: u64,
    /// Other clients received its numbers too.
    shared: bool,
    until: Duration,
}

#[derive(Debug, Default)]
struct Held {
    pictures: Pictures,
    /// The numbers of the same frame; `None` before the first.
    reading: Option<Reading>,
    encoded: [Option<Bytes>; 3],
    promise: Option<Promise>,
}

impl Held {
    /// Copies the latest frame, if it is new.
    fn take(&mut self, board: &Board) {
        if self.reading.is_none() || self.pictures.frame != board.published() {
            self.encoded = Default::default();
            self.promise = None;
            self.reading = Some(board.copy(&mut self.pictures));
        }
    }
}

/// The held frame.
#[derive(Debug, Default)]
pub struct Gallery(Mutex<Held>);

impl Gallery {
    /// Holds a frame for `viewer`, a number chosen by each client, and returns its numbers. It is the latest, or that of
    /// another viewer who received it less than [`PAGE_HOLD`] before `now`, the time since the run began: otherwise
    /// viewers would take frames away from each other and never get a picture.
    pub fn hold(&self, board: &Board, viewer: u64, now: Duration) -> Reading {
        if board.published() == 0 {
            return board.read();
        }
        let mut held = self.lock();
        match &mut held.promise {
            Some(promise) if now < promise.until && (promise.shared || promise.viewer != viewer) => {
                promise.shared = true;
            }
            _ => {
                held.take(board);
                held.promise = Some(Promise { viewer, shared: false, until: now + PAGE_HOLD });
            }
        }
        held.reading.clone().unwrap_or_else(|| board.read())
    }

    /// A picture and the number of its frame: of `frame`, or of the latest if `None`.
    ///
    /// # Errors
    /// Never returns the picture of another frame: [`Missing::Gone`] reports this.
    pub fn png(&self, board: &Board, which: Which, frame: Option<u64>) -> Result<(Bytes, u64), Missing> {
        if board.published() == 0 {
            return Err(Missing::NotYet);
        }
        let mut held = self.lock();
        if frame.is_none_or(|frame| frame != held.pictures.frame && frame == board.published()) {
            held.take(board);
        }
        let Held { pictures, encoded, .. } = &mut *held;
        // The latest may be another one by now.
        if frame.is_some_and(|frame| frame != pictures.frame) {
            return Err(Missing::Gone);
        }
        let slot = &mut encoded[which as usize];
        if slot.is_none() {
            *slot = encode(pictures, which);
        }
        slot.clone().map(|png| (png, pictures.frame)).ok_or(Missing::Broken)
    }

    // A panic while it was held comes from the encoder: the held frame is complete, or is copied again.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encode(pictures: &Pictures, which: Which) -> Option<Bytes> {
    let (width, height) = if which == Which::Lr { pictures.lr.size_px } else { pictures.sr.size_px };
    let outlined;
    let rgb = match which {
        Which::Lr => &pictures.lr.rgb,
        Which::Sr => &pictures.sr.rgb,
        Which::Overlay => {
            outlined = outline(pictures);
            &outlined
        }
    };
    let mut png = Vec::with_capacity(rgb.len() / 2);
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Paeth)
        .write_image(rgb, width, height, ExtendedColorType::Rgb8)
        .ok()?;
    png.shrink_to_fit();
    Some(png.into())
}

/// The super-resolved picture with outlines, as in `pictures`.
fn outline(pictures: &Pictures) -> Vec<u8> {
    let mut rgb = pictures.sr.rgb.clone();
    let (width, height) = (pictures.sr.size_px.0 as usize, pictures.sr.size_px.1 as usize);
    let labels = &pictures.labels;
    for (at, (pixel, &here)) in rgb.chunks_exact_mut(3).zip(labels).enumerate() {
        if here == 0 {
            continue;
        }
        let (x, y) = (at % width, at / width);
        let beside = [
            (x > 0).then(|| at - 1),
            (x + 1 < width).then_some(at + 1),
            (y > 0).then(|| at - width),
            (y + 1 < height).then_some(at + width),
        ];
        let outermost = beside.into_iter().flatten().any(|there| labels[there] != here);
        let look = look(here);
        if outermost || (look.is_doubted && (x + y).is_multiple_of(HATCH_PX as usize)) {
            pixel.copy_from_slice(&look.colour().0);
        }
    }
    rgb
}

/// Decodes the look bits of a label.
fn look(label: u16) -> Look {
    let kind = match label & (WHITE_BIT | PLATELET_BIT) {
        WHITE_BIT => Kind::White,
        PLATELET_BIT => Kind::Platelet,
        _ => Kind::Unknown,
    };
    Look { kind, is_doubted: label & UNSUPPORTED_BIT != 0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::page::{
        board::tests::{frame, publish},
        limits::PAGE_PNG_SLACK_BYTES,
    };
    use bloodseg_vision::pictures::{looks, outlined};

    #[test]
    fn pictures_match_records() {
        let board = Board::new();
        let gallery = Gallery::default();
        assert_eq!(gallery.png(&board, Which::Sr, None), Err(Missing::NotYet));
        publish(&board, 3, 16, 12);
        let (frame, analysis) = frame(3, 16, 12);
        let wanted = [
            frame.picture.clone(),
            analysis.sr.clone().into(),
            outlined(&analysis.sr, &analysis.labels, &looks(&analysis)).into(),
        ];
        for (which, wanted) in [Which::Lr, Which::Sr, Which::Overlay].into_iter().zip(wanted) {
            let (png, number) = gallery.png(&board, which, None).unwrap();
            assert_eq!((image::load_from_memory(&png).unwrap().into_rgb8(), number), ((*wanted).clone(), 3));
        }
    }

    #[test]
    fn kinds_are_drawn_as_in_records() {
        let board = Board::new();
        let (frame, mut analysis) = frame(1, 16, 12);
        analysis.cells[0].kind = Kind::Platelet;
        analysis.cells[1].kind = Kind::White;
        analysis.cells[1].consistency.offset_levels = 0.0;
        board.publish(&frame, &analysis, true, std::time::SystemTime::UNIX_EPOCH, Duration::ZERO);
        let (png, _) = Gallery::default().png(&board, Which::Overlay, None).unwrap();
        let wanted = outlined(&analysis.sr, &analysis.labels, &looks(&analysis));
        assert_eq!(image::load_from_memory(&png).unwrap().into_rgb8(), wanted);
    }

    #[test]
    fn held_frame_serves_all_pictures_while_frames_arrive() {
        let board = Board::new();
        let gallery = Gallery::default();
        publish(&board, 1, 8, 8);
        let first = gallery.png(&board, Which::Lr, Some(1)).unwrap();
        publish(&board, 2, 8, 8);
        assert_eq!(gallery.png(&board, Which::Sr, Some(1)).unwrap().1, 1);
        assert_eq!(gallery.png(&board, Which::Lr, Some(1)).unwrap(), first);
        for frame in [Some(2), None] {
            assert_eq!(gallery.png(&board, Which::Lr, frame).unwrap().1, 2);
        }
    }

    #[test]
    fn never_returns_picture_of_another_frame() {
        let board = Board::new();
        let gallery = Gallery::default();
        for number in 1..=3 {
            publish(&board, number, 8, 8);
        }
        assert_eq!(gallery.png(&board, Which::Lr, Some(2)), Err(Missing::Gone), "neither held nor the latest");
        assert_eq!(gallery.png(&board, Which::Lr, Some(4)), Err(Missing::Gone), "not there yet");
        assert_eq!(gallery.png(&board, Which::Lr, Some(3)).unwrap().1, 3);
        publish(&board, 4, 8, 8);
        assert_eq!(gallery.png(&board, Which::Lr, Some(3)).unwrap().1, 3, "still held");
        assert_eq!(gallery.png(&board, Which::Lr, Some(4)).unwrap().1, 4);
        assert_eq!(gallery.png(&board, Which::Sr, Some(3)), Err(Missing::Gone), "no longer held");
    }

    #[test]
    fn viewer_gets_numbers_and_pictures_of_the_same_frame() {
        let (board, gallery) = (Board::new(), Gallery::default());
        let at = |ms: u64| Duration::from_millis(ms);
        let hold = |viewer, now| gallery.hold(&board, viewer, now).numbers.map(|numbers| numbers.frame);
        assert_eq!(hold(1, at(0)), None, "before the first frame");
        publish(&board, 1, 8, 8);
        assert_eq!(hold(1, at(0)), Some(1));
        publish(&board, 2, 8, 8);
        assert_eq!(gallery.png(&board, Which::Lr, Some(1)).unwrap().1, 1);
        // A single viewer always gets the latest frame.
        assert_eq!(hold(1, at(1)), Some(2));
        publish(&board, 3, 8, 8);
        // Another one arrives between the numbers of the first and its pictures, and sees the same frame.
        assert_eq!((hold(2, at(2)), hold(1, at(3))), (Some(2), Some(2)));
        for which in [Which::Lr, Which::Sr, Which::Overlay] {
            assert_eq!(gallery.png(&board, which, Some(2)).unwrap().1, 2);
        }
        let until = at(1) + PAGE_HOLD;
        assert_eq!((hold(2, until), hold(1, until)), (Some(3), Some(3)), "nobody is held up for longer");
    }

    #[test]
    fn png_of_noise_fits_pixels_plus_slack() {
        let board = Board::new();
        let (frame, mut analysis) = frame(1, 64, 64);
        let noise = bloodseg_vision::model::golden::input(5, analysis.sr.as_raw().len());
        analysis.sr = image::RgbImage::from_raw(256, 256, noise).unwrap();
        board.publish(&frame, &analysis, true, std::time::SystemTime::UNIX_EPOCH, std::time::Duration::ZERO);
        let (png, _) = Gallery::default().png(&board, Which::Sr, None).unwrap();
        assert!((png.len() as u64) < 256 * 256 * 3 + PAGE_PNG_SLACK_BYTES);
    }

    #[test]
    fn only_known_picture_names_are_accepted() {
        assert_eq!(Which::by_name("latest.overlay.png"), Some(Which::Overlay));
        for name in ["", "latest.png", "../latest.sr.png", "LATEST.SR.PNG"] {
            assert_eq!(Which::by_name(name), None);
        }
    }
}
