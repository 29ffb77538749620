//! Resizing of buffers in place: a frame no larger than the last one allocates nothing.

use image::{ImageBuffer, Pixel, Primitive};

/// Makes a picture `width` x `height` with arbitrary contents. Allocates only beyond the largest size so far,
/// and then exactly what it needs.
pub fn refit<P: Pixel>(picture: &mut ImageBuffer<P, Vec<P::Subpixel>>, width: u32, height: u32) {
    if picture.dimensions() == (width, height) {
        return;
    }
    let mut levels = std::mem::take(picture).into_raw();
    let count = width as usize * height as usize * usize::from(P::CHANNEL_COUNT);
    refit_line(&mut levels, count, P::Subpixel::DEFAULT_MIN_VALUE);
    // The length matches, so this always succeeds.
    if let Some(refitted) = ImageBuffer::from_raw(width, height, levels) {
        *picture = refitted;
    }
}

/// The same for a vector of numbers; new ones are `value`.
pub fn refit_line<T: Clone>(line: &mut Vec<T>, count: usize, value: T) {
    if count > line.capacity() {
        // Cleared first, so that old numbers are not copied.
        line.clear();
        line.reserve_exact(count);
    }
    line.resize(count, value);
}

#[cfg(test)]
mod tests {
    use image::{Luma, RgbImage};

    use super::*;

    #[test]
    fn picture_grows_once_and_keeps_its_memory() {
        let mut picture = RgbImage::new(8, 4);
        refit(&mut picture, 10, 10);
        assert_eq!((picture.dimensions(), picture.as_raw().len()), ((10, 10), 300));
        let place = picture.as_raw().as_ptr();
        for (width, height) in [(3, 5), (10, 10), (100, 1), (0, 7), (10, 10)] {
            refit(&mut picture, width, height);
            assert_eq!((picture.dimensions(), picture.as_raw().as_ptr()), ((width, height), place));
        }
    }

    #[test]
    fn luma_picture_has_one_element_per_pixel() {
        let mut labels = ImageBuffer::<Luma<u16>, _>::default();
        refit(&mut labels, 3, 2);
        assert_eq!(labels.into_raw(), [0; 6]);
    }
}
