//! The pictures of an analysis: super-resolved, mask, labels, and outlines over the first.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage, codecs::png::PngEncoder};

use super::atomic::AtomicFile;
use crate::{
    cells::{self, Labels},
    error::{Error, Result},
    pipeline::Analysis,
};

/// Endings of the pictures that are written for `a.png`: `a` and one of these.
pub const SUFFIXES: [&str; 4] = [".sr.png", ".mask.png", ".labels.png", ".overlay.png"];

/// Colour of the outlines: far from every stain.
const OUTLINE: Rgb<u8> = Rgb([0, 220, 60]);

/// Paths of the four pictures for `stem` in `folder`, in the order of [`SUFFIXES`].
pub fn paths(folder: &Path, stem: &str) -> [PathBuf; 4] {
    SUFFIXES.map(|suffix| folder.join(format!("{stem}{suffix}")))
}

/// Whether a file is named like one of ours, so that results are not taken for inputs.
pub fn is_result(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Writes the four pictures of one analysis; each appears whole or not at all.
///
/// # Errors
/// [`Error::Output`] when one cannot be written.
pub fn write(folder: &Path, stem: &str, analysis: &Analysis) -> Result<()> {
    let [sr, mask, labels, overlay] = paths(folder, stem);
    let size = analysis.sr.dimensions();
    let levels: Vec<u8> = analysis.labels.as_raw().iter().flat_map(|label| label.to_ne_bytes()).collect();
    png(&sr, &analysis.sr, size, ExtendedColorType::Rgb8)?;
    png(&mask, &cells::mask(&analysis.labels), size, ExtendedColorType::L8)?;
    png(&labels, &levels, size, ExtendedColorType::L16)?;
    png(&overlay, &outlined(&analysis.sr, &analysis.labels), size, ExtendedColorType::Rgb8)
}

/// Writes a picture as PNG; it appears whole or not at all.
///
/// # Errors
/// [`Error::Output`] when it cannot be written.
pub fn write_rgb(path: &Path, picture: &RgbImage) -> Result<()> {
    png(path, picture, picture.dimensions(), ExtendedColorType::Rgb8)
}

/// Writes one PNG. `bytes` are rows from the top; 16-bit samples in the machine's own order.
fn png(path: &Path, bytes: &[u8], (width, height): (u32, u32), colour: ExtendedColorType) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    PngEncoder::new(&mut file).write_image(bytes, width, height, colour).map_err(|e| Error::output(path, e))?;
    file.flush().map_err(|e| Error::output(path, e))?;
    file.commit()
}

/// `picture` with the outermost pixels of every cell coloured. The two must be of one size.
pub fn outlined(picture: &RgbImage, labels: &Labels) -> RgbImage {
    let mut outlined = picture.clone();
    for (x, y, pixel) in outlined.enumerate_pixels_mut() {
        let label = |x: u32, y: u32| labels.get_pixel_checked(x, y).map(|label| label.0[0]);
        let here = label(x, y);
        if here.is_none_or(|here| here == 0) {
            continue;
        }
        let beside = [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)];
        // The picture's border is no outline: the cell may go on behind it.
        if beside.into_iter().any(|(x, y)| label(x, y).is_some_and(|there| Some(there) != here)) {
            *pixel = OUTLINE;
        }
    }
    outlined
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use image::{DynamicImage, GrayImage, Luma};

    use super::*;
    use crate::segmentation::CellMaps;

    #[test]
    fn the_four_pictures_hold_what_their_names_say() {
        let folder = tempfile::tempdir().unwrap();
        let labels = Labels::from_fn(8, 4, |x, _| Luma([if x < 3 { 0 } else { 300 }]));
        let maps = CellMaps { foreground: GrayImage::new(8, 4), core: GrayImage::new(8, 4) };
        let sr = RgbImage::from_pixel(8, 4, Rgb([9, 8, 7]));
        let analysis = Analysis {
            quality: Default::default(),
            sr: sr.clone(),
            maps,
            labels: labels.clone(),
            cells: vec![],
            times: Default::default(),
            tiles: 1,
        };
        write(folder.path(), "a.b", &analysis).unwrap();
        let read = |suffix: &str| image::open(folder.path().join(format!("a.b{suffix}"))).unwrap();
        assert_eq!(read(".sr.png"), DynamicImage::ImageRgb8(sr));
        assert_eq!(read(".labels.png"), DynamicImage::ImageLuma16(labels));
        let mask = read(".mask.png");
        assert!(
            matches!(&mask, DynamicImage::ImageLuma8(mask) if mask.get_pixel(2, 0).0 == [0] && mask.get_pixel(3, 0).0 == [255])
        );
        let overlay = read(".overlay.png").into_rgb8();
        assert_eq!([2, 3, 4].map(|x| *overlay.get_pixel(x, 1)), [Rgb([9, 8, 7]), OUTLINE, Rgb([9, 8, 7])]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn touching_cells_are_parted_by_their_outlines() {
        let labels = Labels::from_raw(6, 1, vec![1, 1, 1, 2, 2, 2]).unwrap();
        let marked = outlined(&RgbImage::new(6, 1), &labels);
        let at: Vec<bool> = marked.pixels().map(|pixel| *pixel == OUTLINE).collect();
        assert_eq!(at, [false, false, true, true, false, false]);
    }

    #[test]
    fn results_are_known_by_their_names() {
        assert!(is_result(Path::new("out/a.sr.png")) && is_result(Path::new("a.overlay.png")));
        assert!(!is_result(Path::new("a.png")) && !is_result(Path::new("mask.png")));
    }
}
