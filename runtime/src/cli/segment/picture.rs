//! A picture on its way from its file to its results.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use image::RgbImage;

use crate::cli::inputs::Input;
use crate::error::{Error, Result};
use bloodseg_vision::{
    error::ErrorKind,
    frame::{
        decode::{self, Header, Metadata, Most, Wanted},
        limits::MAX_WHOLE_FIELD_PX,
        reference,
    },
    geometry::MAX_TILED_PX,
    overlay::{Base, Ruler, limits::MAX_OVERLAY_PX},
    pictures,
    pipeline::Analysis,
    placement::{PitchSource, Placement, Scaled},
};

/// How a picture is prepared for analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grid {
    /// Not at all: it is already at the scale of the models.
    AsIs,
    /// The reference preparation.
    WholeField,
    /// Resized to the scale of the models.
    Scaled,
}

/// How pictures are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// How they are prepared for analysis.
    pub(super) grid: Grid,
    /// Bits used in 16-bit samples.
    pub(super) bits: Option<u32>,
}

/// A picture that was read, and what is known about it.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) rgb: RgbImage,
    /// Whether this is the picture of the file itself, and not one derived from it.
    is_of_file: bool,
    /// Its position on the picture of the file.
    pub(super) placement: Placement,
    /// What the file says.
    pub(super) metadata: Metadata,
}

impl Picture {
    /// Reads a picture.
    ///
    /// # Errors
    /// [`ErrorKind::Input`](crate::error::ErrorKind::Input) for one that cannot be used.
    pub(super) fn read(input: &Input, how: How) -> Result<Self> {
        // No decoder should panic on a picture; if one does, the other pictures are still processed.
        let read = catch_unwind(AssertUnwindSafe(|| Self::decoded(input, how)));
        let broken = || Error::input(&input.path, "a picture that crashes its decoder", "an intact one", "");
        read.unwrap_or_else(|_| Err(broken()))
    }

    fn decoded(input: &Input, how: How) -> Result<Self> {
        let most = Most::px(if how.grid == Grid::AsIs { MAX_TILED_PX } else { MAX_WHOLE_FIELD_PX });
        let wanted = Wanted { most, page: input.page, bits: how.bits };
        let decoded = decode::read(&input.path, wanted).map_err(|e| of_page(e, input))?;
        let metadata = decoded.metadata;
        if how.grid != Grid::WholeField {
            return Ok(Self { rgb: decoded.picture, is_of_file: true, placement: Placement::default(), metadata });
        }
        let field = reference::prepare(&decoded.picture).map_err(|e| e.at(&input.path))?;
        let placement = field.placement(decoded.picture.dimensions());
        Ok(Self { rgb: field.lr, is_of_file: false, placement, metadata })
    }

    /// Whether a picture is too large to hold a second one of its size beside it.
    pub(super) fn is_large(input: &Input) -> bool {
        let header = decode::read_header(&input.path, MAX_WHOLE_FIELD_PX);
        header
            .is_ok_and(|Header { size_px: (width, height), .. }| u64::from(width) * u64::from(height) > MAX_OVERLAY_PX)
    }

    /// What the overlay of its analysis is drawn on.
    ///
    /// # Errors
    /// Those of the resize.
    pub(super) fn into_base(self, scaled: &Scaled) -> Result<Base> {
        let is_estimate = scaled.source == PitchSource::Measured;
        let ruler = scaled.um_per_px.map(|um_per_px| Ruler { um_per_px, is_estimate });
        if !self.is_of_file {
            return Ok(Base::super_resolved(&scaled.placement, ruler));
        }
        Ok(Base::of_input(self.rgb, &scaled.placement, ruler)?)
    }
}

/// Adds the page to an error.
fn of_page(error: bloodseg_vision::error::Error, input: &Input) -> Error {
    let parts = error.parts();
    if input.page == 0 || error.kind() != ErrorKind::Input {
        return error.into();
    }
    let found = format!("page {}: {}", input.page + 1, parts.found);
    Error::input(&input.path, found, parts.expected, parts.remedy)
}

/// Writes the pictures of an analysis, with the overlay over `base`; creates the folders in their names.
///
/// # Errors
/// [`ErrorKind::Output`](crate::error::ErrorKind::Output) if one cannot be written.
pub(super) fn write(out: &Path, stem: &str, analysis: &Analysis, base: Base) -> Result<()> {
    if let Some(folder) = Path::new(stem).parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let folder = out.join(folder);
        std::fs::create_dir_all(&folder).map_err(|e| Error::output(&folder, e))?;
    }
    Ok(pictures::write(out, stem, analysis, base)?)
}
