//! The super-resolution model: 64x64 RGB to 256x256 RGB.
//!
//! Plain convolutions on the low-resolution grid, a residual added to the repeated input, and a pixel shuffle: the
//! anchor-based plain net of Du et al. (2021, "Anchor-based Plain Net for Mobile Image Super-Resolution"), which keeps
//! every tensor but the last on the small grid and needs no Resize.

use super::{INPUT, Net, Op};

const WIDTH: i64 = 32;

/// The model.
pub fn net() -> Net {
    let mut net = Net::new("ssr", 3, 64);
    let mut features = net.conv_relu("head", INPUT, WIDTH, 5, 1);
    for name in ["body1", "body2", "body3"] {
        features = net.conv_relu(name, features, WIDTH, 3, 1);
    }
    let residual = net.conv("residual", features, 48, 3);
    let anchor = net.push("anchor", INPUT, Op::Repeat(16));
    let sum = net.push("sum", residual, Op::AddOnGridOf(anchor));
    net.push("shuffle", sum, Op::DepthToSpace(4));
    net
}
