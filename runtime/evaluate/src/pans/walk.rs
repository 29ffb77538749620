//! The path of a window: it stays, moves by part of a field in any direction, or jumps.

use super::montage::FIELD_PX;
use bloodseg_smear::draw::Draw;

/// Frames of one montage.
pub(super) const FRAMES: u32 = 30;

/// Shares of frames that stay in place, and that jump anywhere; the others move by 5 to 90 % of a field.
const STILL: f64 = 0.2;
const JUMP: f64 = 0.1;

/// Upper left corners of the windows of one montage, in its pixels.
pub(super) fn walk(range_px: [u32; 2], draw: &mut Draw) -> Vec<[u32; 2]> {
    let anywhere = |draw: &mut Draw| range_px.map(|range| draw.whole(0, range));
    let mut at = anywhere(draw);
    let mut corners = vec![at];
    while corners.len() < FRAMES as usize {
        let kind = draw.unit();
        if kind < JUMP {
            at = anywhere(draw);
        } else if kind >= JUMP + STILL {
            let (length, angle) = (draw.between(0.05, 0.9) * f64::from(FIELD_PX), draw.angle());
            let step = [length * angle.cos(), length * angle.sin()];
            // Turns back at the edge of the montage, as a stage does at the edge of the smear.
            at = std::array::from_fn(|axis| {
                let (place, range) = (f64::from(at[axis]) + step[axis], f64::from(range_px[axis]));
                let inside = if place < 0.0 || place > range { f64::from(at[axis]) - step[axis] } else { place };
                inside.clamp(0.0, range) as u32
            });
        }
        corners.push(at);
    }
    corners
}
