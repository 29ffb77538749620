//! Converts a frame in driver memory to a picture for the models, row by row, in preallocated memory.
//!
//! checks -> decoding to RGB -> region of interest -> flat field -> resize into a picture of the pool.

pub mod colour;
pub mod jpeg;

use crate::{
    camera::device::{Format, RawFrame, layout::Layout},
    error::{Error, Result},
};
use bloodseg_vision::{
    frame::{
        flat_field::FlatField,
        pool::{FramePool, Picture},
        reference::centre_square,
        row_resize::{RowResize, Side},
    },
    geometry::{MAX_FRAME_PX, REFERENCE_LR_PX},
    placement::Placement,
};
use colour::Weights;
use jpeg::{JpegFault, JpegReader};

/// A rectangle of the sensor's picture, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Left edge.
    pub x_px: u32,
    /// Upper edge.
    pub y_px: u32,
    /// Width, above 0.
    pub width_px: u32,
    /// Height, above 0.
    pub height_px: u32,
}

/// How the sensor's picture is scaled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// Unscaled.
    AsIs,
    /// Unscaled, or shrunk to this many pixels.
    Within(u64),
    /// Result pixels are this many sensor pixels in x and y, above 0.
    Factor(f64),
    /// The centre square becomes one tile, as in the reference preparation.
    WholeField,
}

/// Why a frame did not become a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The driver flagged it.
    Damaged,
    /// Its size differs from the stream's.
    WrongSize(String),
    /// A truncated or damaged JPEG.
    Torn(String),
    /// All pictures of the pool are in use.
    NoBuffer,
}

impl Refusal {
    /// What was found and expected.
    pub fn error(&self) -> Error {
        match self {
            Self::Damaged => {
                Error::picture("a frame flagged as damaged by the driver", "an intact one", "Check the cable")
            }
            Self::WrongSize(found) => Error::picture(
                found,
                "the size at the start of the stream",
                "Check that no other program configures the camera",
            ),
            Self::Torn(found) => {
                Error::picture(format!("a torn JPEG frame: {found}"), "a complete one", "Check the cable")
            }
            Self::NoBuffer => Error::picture("a frame without a free picture", "a free picture in the pool", ""),
        }
    }
}

/// Converts a stream's frames to pictures.
#[derive(Debug)]
pub struct Intake {
    format: Format,
    region: Region,
    flat_field: Option<FlatField>,
    weights: Weights,
    jpeg: Option<JpegReader>,
    resize: RowResize,
    /// RGB of one row of the frame, in whole pixel pairs.
    row: Vec<u8>,
    pool: FramePool,
    size_px: (u32, u32),
    placement: Placement,
}

/// Limits a region to this many pixels.
fn within(most_px: u64, region: Region) -> Scale {
    let px = u64::from(region.width_px) * u64::from(region.height_px);
    if px <= most_px { Scale::AsIs } else { Scale::Factor((px as f64 / most_px.max(1) as f64).sqrt()) }
}

impl Intake {
    /// Allocates all memory for a stream of `format`, with `pictures` pictures in the pool. Without a region the whole
    /// frame is read; without a flat field it is not corrected.
    ///
    /// # Errors
    /// [`ErrorKind::Input`](crate::error::ErrorKind::Input) for a region outside the frame, a flat field of another size
    /// than the frame, and for a result of more than [`MAX_FRAME_PX`] pixels (which [`Scale::AsIs`] may have) or of none.
    pub fn new(
        format: Format,
        region: Option<Region>,
        flat_field: Option<FlatField>,
        scale: Scale,
        pictures: usize,
    ) -> Result<Self> {
        let (width, height) = (format.width_px, format.height_px);
        let mut region = region.unwrap_or(Region { x_px: 0, y_px: 0, width_px: width, height_px: height });
        let ends = [(region.x_px, region.width_px, width), (region.y_px, region.height_px, height)];
        if ends.iter().any(|&(start, length, side)| length == 0 || u64::from(start) + u64::from(length) > side.into()) {
            let Region { x_px, y_px, width_px, height_px } = region;
            return Err(Error::picture(
                format!("a region of {width_px}x{height_px} pixels at {x_px}, {y_px}"),
                format!("one inside the frame of {width}x{height} pixels"),
                "Correct x_px, y_px, width_px and height_px of the source's region",
            ));
        }
        if let Some(made_for) = flat_field.as_ref().map(FlatField::size_px).filter(|size| *size != (width, height)) {
            return Err(Error::picture(
                format!("a flat field for frames of {}x{} pixels", made_for.0, made_for.1),
                format!("one for {width}x{height} pixels, the size of the camera's frames"),
                "Measure it again with `bloodseg flatfield`, or set width_px and height_px to its size",
            ));
        }
        if scale == Scale::WholeField {
            let (x, y, edge) = centre_square(region.width_px, region.height_px);
            region = Region { x_px: region.x_px + x, y_px: region.y_px + y, width_px: edge, height_px: edge };
        }
        let scale = match scale {
            Scale::Within(most_px) => within(most_px, region),
            other => other,
        };
        let side = |from_px: u32| match scale {
            Scale::AsIs | Scale::Within(_) => Side::whole(from_px, from_px),
            Scale::Factor(factor) => Side::middle(from_px, factor),
            Scale::WholeField => Side::whole(from_px, REFERENCE_LR_PX),
        };
        let (across, down) = (side(region.width_px), side(region.height_px));
        let size_px = (across.to_px, down.to_px);
        if scale != Scale::AsIs && u64::from(size_px.0) * u64::from(size_px.1) > MAX_FRAME_PX {
            return Err(Error::picture(
                format!("frames that would be resized to {}x{} pixels", size_px.0, size_px.1),
                format!("at most {MAX_FRAME_PX} pixels"),
                "Check um_per_px, or set a region of interest",
            ));
        }
        let jpeg = (format.layout == Layout::Mjpeg)
            .then(|| JpegReader::new((width, height), (format.most_bytes as usize).min(3 * (width * height) as usize)));
        Ok(Self {
            format,
            region,
            flat_field,
            weights: Weights::of(format.range),
            jpeg,
            resize: RowResize::new(across, down)?,
            row: vec![0; 3 * width.next_multiple_of(2) as usize],
            pool: FramePool::new(size_px.0, size_px.1, pictures),
            size_px,
            placement: Placement {
                scale: across.factor,
                start_px: [f64::from(region.x_px) + across.start_px, f64::from(region.y_px) + down.start_px],
            },
        })
    }

    /// The stream's format.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Width and height of the pictures in pixels.
    pub fn size_px(&self) -> (u32, u32) {
        self.size_px
    }

    /// Where a picture lies on the sensor's.
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// Converts a frame to a picture.
    ///
    /// # Errors
    /// [`Refusal`]; the next frame may be fine.
    pub fn take(&mut self, raw: RawFrame<'_>) -> std::result::Result<Picture, Refusal> {
        if raw.damaged {
            return Err(Refusal::Damaged);
        }
        let Self { format, region, flat_field, weights, jpeg, resize, row, pool, .. } = self;
        let height = format.height_px;
        let (pixels, stride) = match jpeg {
            Some(reader) => match reader.read(raw.bytes) {
                Ok(pixels) => (pixels, 3 * format.width_px as usize),
                Err(JpegFault::Torn(found)) => return Err(Refusal::Torn(found)),
                Err(JpegFault::WrongSize(width, height)) => {
                    return Err(Refusal::WrongSize(format!("a JPEG frame of {width}x{height} pixels")));
                }
            },
            None => {
                let stride = format.stride_bytes as usize;
                let least = format.layout.frame_bytes(height, stride).unwrap_or(usize::MAX);
                let most = least.max(format.most_bytes as usize);
                if !(least..=most).contains(&raw.bytes.len()) {
                    let found = format!("a frame of {} bytes where {least} were expected", raw.bytes.len());
                    return Err(Refusal::WrongSize(found));
                }
                (raw.bytes, stride)
            }
        };
        let mut picture = pool.lend().ok_or(Refusal::NoBuffer)?;
        let (x, width) = (region.x_px as usize, region.width_px as usize);
        resize.begin();
        for y in (region.y_px as usize..).take(region.height_px as usize) {
            if format.layout == Layout::Mjpeg {
                let from = pixels.get(y * stride..).unwrap_or_default();
                for (to, from) in row.iter_mut().zip(from) {
                    *to = *from;
                }
            } else {
                colour::row(format.layout, weights, pixels, height, stride, y, row);
            }
            let row = row.get_mut(3 * x..3 * (x + width)).unwrap_or_default();
            if let Some(flat_field) = flat_field {
                flat_field.correct(y as u32, region.x_px, row);
            }
            // Sizes were checked when the stream began; a mismatch means an invalid frame.
            resize.row(row, &mut picture).map_err(|e| Refusal::WrongSize(e.to_string()))?;
        }
        Ok(picture)
    }
}

#[cfg(test)]
mod tests;
