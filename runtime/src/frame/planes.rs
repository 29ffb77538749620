//! Pictures hold the channels of a pixel together, the nets want a plane a channel.

use image::RgbImage;

use crate::error::{Error, Result};

/// Writes the planes red, green, blue of `picture` to `planes`, which holds 3 bytes a pixel.
///
/// # Errors
/// [`Error::Internal`] when `planes` has another length.
pub fn split(picture: &RgbImage, planes: &mut [u8]) -> Result<()> {
    let pixels = picture.as_raw().len() / 3;
    if planes.len() != pixels * 3 || pixels == 0 {
        return Err(Error::internal("planes::split", format!("{} bytes for {pixels} pixels", planes.len())));
    }
    for (channel, plane) in planes.chunks_exact_mut(pixels).enumerate() {
        for (to, from) in plane.iter_mut().zip(picture.as_raw().chunks_exact(3)) {
            *to = from[channel];
        }
    }
    Ok(())
}

/// The picture of `width` x `height` whose planes red, green, blue are given.
///
/// # Errors
/// [`Error::Internal`] when `planes` does not hold 3 bytes a pixel.
pub fn join(planes: &[u8], width: u32, height: u32) -> Result<RgbImage> {
    let mut picture = RgbImage::new(width, height);
    let pixels = picture.as_raw().len() / 3;
    if planes.len() != pixels * 3 || pixels == 0 {
        return Err(Error::internal("planes::join", format!("{} bytes for {pixels} pixels", planes.len())));
    }
    for (channel, plane) in planes.chunks_exact(pixels).enumerate() {
        for (to, from) in picture.as_mut().chunks_exact_mut(3).zip(plane) {
            to[channel] = *from;
        }
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn splitting_and_joining_are_inverse() {
        let picture = RgbImage::from_raw(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
        let mut planes = [0; 6];
        split(&picture, &mut planes).unwrap();
        assert_eq!(planes, [1, 4, 2, 5, 3, 6]);
        assert_eq!(join(&planes, 2, 1).unwrap(), picture);
    }

    #[test]
    fn a_wrong_length_is_an_error() {
        let picture = RgbImage::new(2, 2);
        assert!(split(&picture, &mut [0; 11]).is_err());
        assert!(join(&[0; 13], 2, 2).is_err());
    }
}
