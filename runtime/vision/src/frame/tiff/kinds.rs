//! How the pixels of a TIFF page are stored, and the names of unsupported kinds.

/// JPEG as in the second technical note on TIFF 6.
pub(super) const JPEG: u64 = 7;

/// An extra sample that is a premultiplied alpha.
pub(super) const MULTIPLIED_ALPHA: u64 = 1;

const ALPHA: u64 = 2;

/// The maker of a file that is more than a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    /// A slide scanned by Hamamatsu: NDPI.
    Hamamatsu,
    /// A slide scanned by Aperio: SVS.
    Aperio,
    /// A raw photograph with a preview in front.
    Camera,
}

/// The tags of a page that describe its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// Bits of the first sample.
    pub(super) bits: u64,
    /// 1 unsigned, 2 signed, 3 floating point.
    pub(super) format: u64,
    pub(super) photometric: u64,
    pub(super) compression: u64,
    pub(super) samples: u64,
    /// The meaning of the first extra sample, and how many there are.
    pub(super) extra: u64,
    pub(super) extras: u64,
    pub(super) is_planar: bool,
    pub(super) has_predictor: bool,
    pub(super) maker: Option<Maker>,
}

const DEPTH: &str = "Convert it to 8 or 16 bit";
const COLOUR: &str = "Convert it to RGB or grey";
const PACKING: &str = "Save it without compression, or with LZW or Deflate";
const FIELD: &str = "Export a field at full resolution as PNG or TIFF, for example with QuPath";

impl Kind {
    /// Why it is not supported, and what to do.
    pub(super) fn unread(&self) -> Option<(String, &'static str)> {
        self.made_by().or_else(|| self.packed()).or_else(|| self.coloured()).or_else(|| self.of_channels())
    }

    fn made_by(&self) -> Option<(String, &'static str)> {
        Some(match self.maker? {
            Maker::Hamamatsu => ("a slide of a Hamamatsu scanner (NDPI)".into(), FIELD),
            Maker::Aperio => ("a slide of an Aperio scanner (SVS)".into(), FIELD),
            Maker::Camera => {
                ("a raw photograph (DNG, NEF or similar)".into(), "Develop it to an 8 or 16 bit TIFF or PNG")
            }
        })
    }

    fn packed(&self) -> Option<(String, &'static str)> {
        let name = match self.compression {
            1 | 4 | 5 | JPEG | 8 | 32_773 | 32_946 => return None,
            2 | 3 => "CCITT fax",
            6 => "old-style JPEG",
            9 | 10 | 34_661 => "JBIG",
            33_003..=33_005 | 34_712 => "JPEG 2000",
            22_610 | 34_934 => "JPEG XR",
            34_887 => "LERC",
            34_892 => "lossy DNG JPEG",
            34_925 => "LZMA",
            50_000 => "Zstandard",
            50_001 => "WebP",
            50_002 | 52_546 => "JPEG XL",
            other => return Some((format!("a TIFF with compression {other}"), PACKING)),
        };
        Some((format!("a TIFF with {name} compression"), PACKING))
    }

    fn coloured(&self) -> Option<(String, &'static str)> {
        let bits = self.bits;
        match (self.format, self.photometric) {
            (3 | 6, _) => return Some((format!("floating-point samples of {bits} bit"), DEPTH)),
            (2 | 5, _) => return Some(("signed samples".into(), "Convert it to 8 or 16 bit unsigned")),
            (_, 3) => return Some(("a TIFF with a palette".into(), COLOUR)),
            (_, 4) => return Some(("a TIFF mask".into(), COLOUR)),
            (_, 6) if self.compression != JPEG || self.is_planar || (self.samples, bits) != (3, 8) => {
                return Some(("a TIFF in YCbCr".into(), COLOUR));
            }
            (_, 8..=10) => return Some(("a TIFF in L*a*b*".into(), COLOUR)),
            (_, 32_803 | 34_892) => return Some(("a TIFF of raw sensor data".into(), COLOUR)),
            _ => {}
        }
        match bits {
            1 | 8 | 16 => None,
            9..16 => {
                Some((format!("samples of {bits} bit, packed"), "Convert it to 8 bit, or to 16 bit and pass --bits"))
            }
            _ => Some((format!("samples of {bits} bit"), DEPTH)),
        }
    }

    /// Channels that are neither colour nor alpha would be mistaken for one of them, or corrupt the others.
    fn of_channels(&self) -> Option<(String, &'static str)> {
        const CHANNELS: &str = "Save it as RGB or grey without extra channels";
        let Self { samples, extras, .. } = *self;
        let is_alpha = matches!(self.extra, MULTIPLIED_ALPHA | ALPHA);
        let is_read = match self.photometric {
            0 | 1 => {
                samples == 1 || (samples, extras, is_alpha, self.photometric) == (2, 1, true, 1) && !self.is_planar
            }
            2 if samples == 4 && extras == 0 => true,
            2 if extras + 3 != samples => false,
            // The decoder's predictor includes the channels that it skips.
            2 => samples == 3 + u64::from(is_alpha) || !self.has_predictor,
            5 => samples == 4 && !self.is_planar,
            6 => true,
            _ => return Some((format!("a TIFF of photometric kind {}", self.photometric), COLOUR)),
        };
        (!is_read).then(|| {
            let colour = match self.photometric {
                0 | 1 => "grey",
                2 => "RGB",
                _ => "CMYK",
            };
            (
                format!("a TIFF in {colour} with {samples} channels{}", if self.is_planar { ", planar" } else { "" }),
                CHANNELS,
            )
        })
    }
}
