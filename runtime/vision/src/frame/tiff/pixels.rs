//! The pixels of a TIFF page, read directly into the memory of the picture, unlike the decoder of the crate `image`,
//! which holds a second copy. Grey with alpha and YCbCr JPEGs are only supported here.

use std::io::{BufRead, Seek};

use image::{
    ColorType, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageResult, Limits,
    error::{DecodingError, LimitError, LimitErrorKind, UnsupportedError, UnsupportedErrorKind},
    metadata::Orientation,
};
use tiff::{
    TiffError,
    decoder::{Decoder, Limits as TiffLimits},
    tags::Tag,
};

use crate::frame::limits::{MAX_DECODE_BYTES, MAX_TIFF_VALUE_BYTES};

/// A page whose tags were read.
pub struct Pixels<R: BufRead + Seek> {
    decoder: Decoder<R>,
    size_px: (u32, u32),
    colour: ColorType,
    is_ycbcr: bool,
}

impl<R: BufRead + Seek> Pixels<R> {
    /// The first page of a file ([`super::Page::is_plain`]).
    ///
    /// # Errors
    /// Errors of the decoder for a damaged or unsupported page.
    pub fn of(file: R) -> ImageResult<Self> {
        let mut limits = TiffLimits::default();
        limits.ifd_value_size = MAX_TIFF_VALUE_BYTES;
        // A strip can be the whole picture.
        limits.intermediate_buffer_size = MAX_DECODE_BYTES as usize;
        let mut decoder = Decoder::new(file).map_err(as_image_error)?.with_limits(limits);
        let size_px = decoder.dimensions().map_err(as_image_error)?;
        let found = decoder.colortype().map_err(as_image_error)?;
        let colour = match found {
            tiff::ColorType::Gray(8) => ColorType::L8,
            tiff::ColorType::Gray(16) => ColorType::L16,
            tiff::ColorType::Multiband { bit_depth: 8, num_samples: 2 } => ColorType::La8,
            tiff::ColorType::Multiband { bit_depth: 16, num_samples: 2 } => ColorType::La16,
            tiff::ColorType::RGB(8) | tiff::ColorType::YCbCr(8) => ColorType::Rgb8,
            tiff::ColorType::RGB(16) => ColorType::Rgb16,
            tiff::ColorType::RGBA(8) => ColorType::Rgba8,
            tiff::ColorType::RGBA(16) => ColorType::Rgba16,
            other => return Err(unsupported(UnsupportedErrorKind::GenericFeature(format!("{other:?}")))),
        };
        Ok(Self { decoder, size_px, colour, is_ycbcr: matches!(found, tiff::ColorType::YCbCr(_)) })
    }
}

impl<R: BufRead + Seek> ImageDecoder for Pixels<R> {
    fn dimensions(&self) -> (u32, u32) {
        self.size_px
    }

    fn color_type(&self) -> ColorType {
        self.colour
    }

    fn original_color_type(&self) -> ExtendedColorType {
        self.colour.into()
    }

    fn orientation(&mut self) -> ImageResult<Orientation> {
        let value = self.decoder.find_tag_unsigned::<u8>(Tag::Orientation).map_err(as_image_error)?;
        Ok(value.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms))
    }

    fn set_limits(&mut self, limits: Limits) -> ImageResult<()> {
        let (width, height) = self.dimensions();
        limits.check_dimensions(width, height)
    }

    fn read_image(mut self, samples: &mut [u8]) -> ImageResult<()> {
        self.decoder.read_image_bytes(samples).map_err(as_image_error)?;
        if self.is_ycbcr {
            samples.as_chunks_mut::<3>().0.iter_mut().for_each(|pixel| *pixel = rgb(*pixel));
        }
        Ok(())
    }

    fn read_image_boxed(self: Box<Self>, samples: &mut [u8]) -> ImageResult<()> {
        (*self).read_image(samples)
    }
}

/// A pixel of a JPEG: full-range BT.601, in integers with 16 fractional bits.
fn rgb([luma, blue, red]: [u8; 3]) -> [u8; 3] {
    let luma = (i32::from(luma) << 16) + (1 << 15);
    let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
    let sums = [luma + 91_881 * red, luma - 22_554 * blue - 46_802 * red, luma + 116_130 * blue];
    sums.map(|sum| (sum >> 16).clamp(0, 255) as u8)
}

fn unsupported(kind: UnsupportedErrorKind) -> ImageError {
    ImageError::Unsupported(UnsupportedError::from_format_and_kind(ImageFormat::Tiff.into(), kind))
}

fn as_image_error(error: TiffError) -> ImageError {
    match error {
        TiffError::IoError(error) => ImageError::IoError(error),
        TiffError::UnsupportedError(what) => unsupported(UnsupportedErrorKind::GenericFeature(what.to_string())),
        TiffError::LimitsExceeded => ImageError::Limits(LimitError::from_kind(LimitErrorKind::InsufficientMemory)),
        other => ImageError::Decoding(DecodingError::new(ImageFormat::Tiff.into(), other)),
    }
}

#[cfg(test)]
mod tests {
    use super::rgb;

    #[test]
    fn jpeg_colours_match_bt_601() {
        let wanted = [
            ([0, 128, 128], [0; 3]),
            ([255, 128, 128], [255; 3]),
            ([76, 85, 255], [254, 0, 0]),
            ([150, 44, 21], [0, 255, 1]),
            ([29, 255, 107], [0, 0, 254]),
        ];
        for (ycbcr, colour) in wanted {
            let found = rgb(ycbcr);
            assert!(found.iter().zip(colour).all(|(a, b): (&u8, u8)| a.abs_diff(b) <= 1), "{ycbcr:?}: {found:?}");
        }
    }
}
