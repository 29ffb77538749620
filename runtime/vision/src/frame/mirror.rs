//! Coordinates outside a picture.

/// Maps a coordinate outside `0..side` to its mirror image inside; the outermost pixels are repeated. `side` is in pixels
/// and at least 1.
pub fn mirrored(place: i64, side: u32) -> u32 {
    let side = i64::from(side.max(1));
    let place = place.rem_euclid(2 * side);
    place.min(2 * side - 1 - place) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_past_the_ends_are_mirrored() {
        let places: Vec<u32> = (-2..7).map(|place| mirrored(place, 3)).collect();
        assert_eq!(places, [1, 0, 0, 1, 2, 2, 1, 0, 0]);
        assert_eq!(mirrored(-5, 1), 0);
    }
}
