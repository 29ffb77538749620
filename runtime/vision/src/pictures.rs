//! The pictures of an analysis: super-resolved, mask, labels, and an overlay with outlines, where unsupported cells are
//! distinguished by colour and hatching.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use image::{
    ExtendedColorType, GrayImage, ImageEncoder, Rgb, RgbImage,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};

use crate::{
    cells::{self, Cell, Kind, Labels, runs::runs},
    error::{Error, Result},
    frame::specimen::OUTSIDE,
    geometry::SCALE,
    overlay::Base,
    pipeline::Analysis,
};
use bloodseg_durable::AtomicFile;

pub use crate::frame::name::stem;

/// Bytes per pixel of the super-resolved grid that writing the pictures takes: labels as bytes, the overlay, and a whole
/// compressed picture.
pub const MAX_SAVED_PICTURE_BYTES_PER_PX: u64 = 12;

/// Suffixes of the pictures written for `a.png`: `a` and one of these.
pub const SUFFIXES: [&str; 4] = [".sr.png", ".mask.png", ".labels.png", ".overlay.png"];

/// Colour of the outlines, unlike any stain.
pub const OUTLINE: Rgb<u8> = Rgb([0, 220, 60]);

/// Colour of the outlines of white cells.
pub const WHITE_OUTLINE: Rgb<u8> = Rgb([0, 200, 255]);

/// Colour of the outlines of platelets.
pub const PLATELET_OUTLINE: Rgb<u8> = Rgb([255, 235, 0]);

/// Colour of the outline of a supported cell of this kind.
pub fn outline_colour(kind: Kind) -> Rgb<u8> {
    match kind {
        Kind::Red | Kind::Unknown => OUTLINE,
        Kind::White => WHITE_OUTLINE,
        Kind::Platelet => PLATELET_OUTLINE,
    }
}

/// How a cell is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Its kind.
    pub kind: Kind,
    /// Whether the cell is unsupported.
    pub is_doubted: bool,
}

impl Look {
    /// Colour of its outline.
    pub fn colour(self) -> Rgb<u8> {
        if self.is_doubted { UNSUPPORTED } else { outline_colour(self.kind) }
    }
}

/// How cells are drawn, by label; missing ones as [`Look::default`].
pub type Looks = BTreeMap<u16, Look>;

/// How the cells of an analysis are drawn.
pub fn looks(analysis: &Analysis) -> Looks {
    let look = |cell: &Cell| Look { kind: cell.kind, is_doubted: !cell.consistency.supported() };
    let all = analysis.cells.iter().map(|cell| (cell.label, look(cell)));
    all.filter(|(_, look)| look.is_doubted || look.colour() != OUTLINE).collect()
}

/// Colour of the outline and hatching of an unsupported cell. The hatching distinguishes it where colours are hard to
/// distinguish.
pub const UNSUPPORTED: Rgb<u8> = Rgb([255, 140, 0]);

/// Colour of the lines over excluded areas.
pub const SHADE: Rgb<u8> = Rgb([110, 120, 140]);

/// Distance of these lines in pixels.
pub(crate) const SHADE_PX: usize = 8;

/// Distance of the hatching lines in pixels.
pub const HATCH_PX: u32 = 6;

/// Paths of the four pictures for `stem` in `folder`, in the order of [`SUFFIXES`].
pub fn paths(folder: &Path, stem: &str) -> [PathBuf; 4] {
    SUFFIXES.map(|suffix| folder.join(format!("{stem}{suffix}")))
}

/// Whether a file name is that of a result, so that results are not taken as inputs.
pub fn is_result(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Writes the four pictures of an analysis atomically, with the overlay over `base`. They are not synced: pictures are
/// dispensable, unlike tables and records.
///
/// # Errors
/// [`Error::Output`] if one cannot be written.
pub fn write(folder: &Path, stem: &str, analysis: &Analysis, base: Base) -> Result<()> {
    write_by(AtomicFile::create, folder, stem, analysis, base)
}

/// The same in the folder of a run, where no other process writes, with the overlay over the super-resolved picture.
pub fn write_alone(folder: &Path, stem: &str, analysis: &Analysis) -> Result<()> {
    write_by(AtomicFile::create_alone, folder, stem, analysis, Base::default())
}

/// How a file is opened.
type Create = fn(&Path) -> bloodseg_durable::Result<AtomicFile>;

fn write_by(create: Create, folder: &Path, stem: &str, analysis: &Analysis, base: Base) -> Result<()> {
    let png = |path: &Path, bytes: &[u8], size, colour| png(create, path, bytes, size, colour);
    let [sr, mask, labels, overlay] = paths(folder, stem);
    let size = analysis.sr.dimensions();
    png(&sr, &analysis.sr, size, ExtendedColorType::Rgb8)?;
    png(&mask, &cells::mask(&analysis.labels), size, ExtendedColorType::L8)?;
    png(&labels, &native_bytes(&analysis.labels), size, ExtendedColorType::L16)?;
    let drawn = base.draw(analysis);
    png(&overlay, &drawn, drawn.dimensions(), ExtendedColorType::Rgb8)
}

/// Labels as bytes in native order.
fn native_bytes(labels: &Labels) -> Vec<u8> {
    let mut bytes = vec![0; 2 * labels.len()];
    for (level, label) in bytes.chunks_exact_mut(2).zip(labels.as_raw()) {
        level.copy_from_slice(&label.to_ne_bytes());
    }
    bytes
}

/// Writes labels as a 16-bit grey PNG, atomically.
///
/// # Errors
/// [`Error::Output`] if it cannot be written.
pub fn write_labels(path: &Path, labels: &Labels) -> Result<()> {
    png(AtomicFile::create, path, &native_bytes(labels), labels.dimensions(), ExtendedColorType::L16)
}

/// Writes a picture as PNG, atomically.
///
/// # Errors
/// [`Error::Output`] if it cannot be written.
pub fn write_rgb(path: &Path, picture: &RgbImage) -> Result<()> {
    png(AtomicFile::create, path, picture, picture.dimensions(), ExtendedColorType::Rgb8)
}

/// Writes a PNG. `bytes` are rows from the top; 16-bit samples in native order.
fn png(
    create: Create,
    path: &Path,
    bytes: &[u8],
    (width, height): (u32, u32),
    colour: ExtendedColorType,
) -> Result<()> {
    let mut file = create(path)?;
    PngEncoder::new_with_quality(&mut file, CompressionType::Fast, filter(colour))
        .write_image(bytes, width, height, colour)
        .map_err(|e| Error::output(path, e))?;
    file.flush().map_err(|e| Error::output(path, e))?;
    Ok(file.commit_unsynced()?)
}

/// One filter for all rows: trying all of them on each row costs half as much again, and the four files are as large
/// together.
fn filter(colour: ExtendedColorType) -> FilterType {
    match colour {
        ExtendedColorType::Rgb8 => FilterType::Paeth,
        _ => FilterType::Up,
    }
}

/// Shades excluded areas with diagonal lines. `mask` is the analysed picture's, a quarter of `picture`'s size in each
/// direction; an empty one shades nothing.
pub fn shade_outside(picture: &mut RgbImage, mask: &GrayImage) {
    let width = picture.width() as usize;
    for (y, row) in picture.chunks_exact_mut(3 * width.max(1)).enumerate() {
        for (x, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let is_line = (x + y).is_multiple_of(SHADE_PX);
            let kind = is_line.then(|| mask.get_pixel_checked(x as u32 / SCALE, y as u32 / SCALE)).flatten();
            if kind.is_some_and(|kind| kind.0[0] == OUTSIDE) {
                *pixel = SHADE.0;
            }
        }
    }
}

/// `picture` with the outermost pixels of every cell in the colour of its look; unsupported cells are hatched. Picture
/// and labels must have the same size.
pub fn outlined(picture: &RgbImage, labels: &Labels, looks: &Looks) -> RgbImage {
    let mut outlined = picture.clone();
    let width = labels.width() as usize;
    let row = |y: usize| labels.as_raw().get(y * width..(y + 1) * width);
    for (y, pixels) in outlined.chunks_exact_mut(3 * width.max(1)).enumerate() {
        let Some(here) = row(y) else { break };
        // The border of the picture is not an outline: the cell may continue beyond it.
        let above = y.checked_sub(1).and_then(row).unwrap_or(here);
        let below = row(y + 1).unwrap_or(here);
        for run in runs(here, 0) {
            let look = looks.get(&run.value).copied().unwrap_or_default();
            let colour = look.colour().0;
            let ends =
                [if run.begin > 0 { run.begin } else { width }, if run.end < width { run.end - 1 } else { width }];
            let range = run.begin..run.end;
            let pixels = pixels[3 * run.begin..3 * run.end].chunks_exact_mut(3);
            for ((x, pixel), (above, below)) in
                range.clone().zip(pixels).zip(above[range.clone()].iter().zip(&below[range]))
            {
                let outermost = (x == ends[0]) | (x == ends[1]) | (*above != run.value) | (*below != run.value);
                if outermost || (look.is_doubted && (x + y).is_multiple_of(HATCH_PX as usize)) {
                    pixel.copy_from_slice(&colour);
                }
            }
        }
    }
    outlined
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use image::{DynamicImage, Luma};

    use super::*;
    use crate::segmentation::CellMaps;

    #[test]
    fn writes_the_four_pictures_of_an_analysis() {
        let folder = tempfile::tempdir().unwrap();
        let labels = Labels::from_fn(8, 4, |x, _| Luma([if x < 3 { 0 } else { 300 }]));
        let maps = CellMaps::empty(8, 4);
        let sr = RgbImage::from_pixel(8, 4, Rgb([9, 8, 7]));
        let analysis = Analysis {
            quality: Default::default(),
            sr: sr.clone(),
            maps,
            labels: labels.clone(),
            cells: vec![],
            outside: Default::default(),
            scaled: Default::default(),
            times: Default::default(),
            tiles: 1,
        };
        write(folder.path(), "a.b", &analysis, Base::default()).unwrap();
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
        write_labels(&folder.path().join("alone.png"), &analysis.labels).unwrap();
        let [alone, beside] =
            ["alone.png", "a.b.labels.png"].map(|name| std::fs::read(folder.path().join(name)).unwrap());
        assert_eq!(alone, beside);
    }

    #[test]
    fn outlines_separate_touching_cells() {
        let labels = Labels::from_raw(6, 1, vec![1, 1, 1, 2, 2, 2]).unwrap();
        let marked = outlined(&RgbImage::new(6, 1), &labels, &Looks::new());
        let at: Vec<bool> = marked.pixels().map(|pixel| *pixel == OUTLINE).collect();
        assert_eq!(at, [false, false, true, true, false, false]);
    }

    #[test]
    fn unsupported_cell_is_hatched_in_its_own_colour() {
        let labels = Labels::from_fn(30, 12, |x, y| {
            let row = (1..11).contains(&y);
            Luma([if row && (1..14).contains(&x) { 1 } else { u16::from(row && (16..29).contains(&x)) * 2 }])
        });
        let marked = outlined(
            &RgbImage::new(30, 12),
            &labels,
            &Looks::from([(2, Look { is_doubted: true, kind: Kind::White })]),
        );
        let count = |colour, columns: std::ops::Range<u32>| {
            marked.enumerate_pixels().filter(|(x, _, pixel)| columns.contains(x) && **pixel == colour).count()
        };
        let outline = 2 * (13 + 10) - 4;
        assert_eq!((count(OUTLINE, 0..15), count(UNSUPPORTED, 0..15)), (outline, 0));
        assert_eq!(count(OUTLINE, 15..30), 0);
        assert!(count(UNSUPPORTED, 15..30) > outline + 10);
        assert_eq!(marked.get_pixel(20, 5).0, [0; 3], "the picture is seen between the lines");
    }

    #[test]
    fn outline_colours_distinguish_kinds() {
        let labels = Labels::from_raw(9, 1, vec![1, 1, 1, 2, 2, 2, 3, 3, 3]).unwrap();
        let look = |kind| Look { kind, is_doubted: false };
        let looks = Looks::from([(1, look(Kind::White)), (2, look(Kind::Platelet)), (3, look(Kind::Red))]);
        let marked = outlined(&RgbImage::new(9, 1), &labels, &looks);
        let at = [2, 3, 5, 6].map(|x| *marked.get_pixel(x, 0));
        assert_eq!(at, [WHITE_OUTLINE, PLATELET_OUTLINE, PLATELET_OUTLINE, OUTLINE]);
        let colours = [OUTLINE, WHITE_OUTLINE, PLATELET_OUTLINE, UNSUPPORTED, SHADE];
        assert!(colours.iter().enumerate().all(|(at, colour)| !colours[..at].contains(colour)));
    }

    #[test]
    fn results_are_recognised_by_name() {
        assert!(is_result(Path::new("out/a.sr.png")) && is_result(Path::new("a.overlay.png")));
        assert!(!is_result(Path::new("a.png")) && !is_result(Path::new("mask.png")));
    }
}
