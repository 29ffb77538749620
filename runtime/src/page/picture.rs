//! The pictures of the page as PNG: made when they are asked for, once a frame, all three of the same frame.

use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use image::{
    ExtendedColorType, ImageEncoder,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};

use super::board::{Board, Pictures, UNSUPPORTED_BIT};
use crate::records::pictures::{HATCH_PX, OUTLINE, UNSUPPORTED};

/// One of the pictures of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// What the sensor saw.
    Lr,
    /// Super-resolved.
    Sr,
    /// The same with outlines.
    Overlay,
}

impl Which {
    /// By the name of its file.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "latest.lr.png" => Some(Self::Lr),
            "latest.sr.png" => Some(Self::Sr),
            "latest.overlay.png" => Some(Self::Overlay),
            _ => None,
        }
    }
}

#[derive(Debug, Default)]
struct Held {
    pictures: Pictures,
    encoded: [Option<Bytes>; 3],
}

/// The frame whose pictures were asked for last.
#[derive(Debug, Default)]
pub struct Gallery(Mutex<Held>);

impl Gallery {
    /// A picture and the number of its frame; none before the first frame. Where `frame` is the one that is held, it is of
    /// that one, so that three pictures asked for one after the other belong together; else of the latest.
    pub fn png(&self, board: &Board, which: Which, frame: Option<u64>) -> Option<(Bytes, u64)> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let published = board.published();
        if published == 0 {
            return None;
        }
        if held.pictures.frame != published && frame != Some(held.pictures.frame) {
            held.encoded = Default::default();
            board.copy_pictures(&mut held.pictures);
        }
        let Held { pictures, encoded } = &mut *held;
        let slot = &mut encoded[which as usize];
        if slot.is_none() {
            *slot = Some(encode(pictures, which)?);
        }
        Some((slot.clone()?, pictures.frame))
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
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Adaptive)
        .write_image(rgb, width, height, ExtendedColorType::Rgb8)
        .ok()?;
    png.shrink_to_fit();
    Some(png.into())
}

/// The super-resolved picture with outlines, as `records::pictures` draws them.
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
        if here & UNSUPPORTED_BIT != 0 && (outermost || (x + y).is_multiple_of(HATCH_PX as usize)) {
            pixel.copy_from_slice(&UNSUPPORTED.0);
        } else if outermost {
            pixel.copy_from_slice(&OUTLINE.0);
        }
    }
    rgb
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        limits::PAGE_PNG_SLACK_BYTES,
        page::board::tests::{frame, publish},
        records::pictures::outlined,
    };

    #[test]
    fn pictures_are_those_of_the_records() {
        let board = Board::new(None);
        let gallery = Gallery::default();
        assert_eq!(gallery.png(&board, Which::Sr, None), None);
        publish(&board, 3, 16, 12);
        let (frame, analysis) = frame(3, 16, 12);
        let wanted = [
            frame.picture.clone(),
            analysis.sr.clone().into(),
            outlined(&analysis.sr, &analysis.labels, &BTreeSet::from([2])).into(),
        ];
        for (which, wanted) in [Which::Lr, Which::Sr, Which::Overlay].into_iter().zip(wanted) {
            let (png, number) = gallery.png(&board, which, None).unwrap();
            assert_eq!((image::load_from_memory(&png).unwrap().into_rgb8(), number), ((*wanted).clone(), 3));
        }
    }

    #[test]
    fn three_pictures_belong_together_while_frames_come() {
        let board = Board::new(None);
        let gallery = Gallery::default();
        publish(&board, 1, 8, 8);
        let first = gallery.png(&board, Which::Lr, Some(1)).unwrap();
        publish(&board, 2, 8, 8);
        assert_eq!(gallery.png(&board, Which::Sr, Some(1)).unwrap().1, 1);
        assert_eq!(gallery.png(&board, Which::Lr, Some(1)).unwrap(), first);
        for frame in [Some(2), None, Some(77)] {
            assert_eq!(gallery.png(&board, Which::Lr, frame).unwrap().1, 2);
        }
    }

    #[test]
    fn noise_takes_no_more_than_its_pixels_and_the_slack() {
        let board = Board::new(None);
        let (frame, mut analysis) = frame(1, 64, 64);
        let noise = crate::model::golden::input(5, analysis.sr.as_raw().len());
        analysis.sr = image::RgbImage::from_raw(256, 256, noise).unwrap();
        board.publish(&frame, &analysis, true, std::time::SystemTime::UNIX_EPOCH, std::time::Duration::ZERO);
        let (png, _) = Gallery::default().png(&board, Which::Sr, None).unwrap();
        assert!((png.len() as u64) < 256 * 256 * 3 + PAGE_PNG_SLACK_BYTES);
    }

    #[test]
    fn only_three_names_are_pictures() {
        assert_eq!(Which::by_name("latest.overlay.png"), Some(Which::Overlay));
        for name in ["", "latest.png", "../latest.sr.png", "LATEST.SR.PNG"] {
            assert_eq!(Which::by_name(name), None);
        }
    }
}
