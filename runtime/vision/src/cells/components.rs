//! Cells as components of the foreground only, so touching cells are one.

use image::{GrayImage, Luma};

use super::Labels;
use crate::{
    error::{Error, Result},
    frame,
};

/// One label per 4-connected component of the pixels whose level is above `above`, numbered in raster order. The labels
/// have the size of `foreground`.
///
/// # Errors
/// [`Error::Internal`] for more components than there are labels.
pub fn components(foreground: &GrayImage, above: u8) -> Result<Labels> {
    let (width, height) = foreground.dimensions();
    let binary = GrayImage::from_fn(width, height, |x, y| Luma([u8::from(foreground.get_pixel(x, y).0[0] > above)]));
    let labels = frame::components::components(&binary)
        .pixels()
        .map(|&Luma([label])| u16::try_from(label).map_err(|e| Error::internal("components", e)))
        .collect::<Result<_>>()?;
    Labels::from_raw(width, height, labels).ok_or_else(|| Error::internal("components", "buffer size"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn components_are_4_connected_and_strictly_above_level() {
        let levels = [200, 100, 0, 0, 200, 200];
        let foreground = GrayImage::from_raw(3, 2, levels.to_vec()).unwrap();
        assert_eq!(components(&foreground, 100).unwrap().into_raw(), [1, 0, 0, 0, 2, 2]);
        assert_eq!(components(&foreground, 99).unwrap().into_raw(), [1, 1, 0, 0, 1, 1]);
    }
}
