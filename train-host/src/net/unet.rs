//! The segmentation net: 256x256 RGB to two maps of 256x256, foreground and core.
//!
//! A U-Net (Ronneberger et al., 2015) of plain convolutions behind a space-to-depth, so that nothing is
//! computed on the large grid; pixel shuffles instead of upsampling, strides instead of pooling.

use super::{INPUT, Net, Op};

/// The net.
pub fn net() -> Net {
    let mut net = Net::new("unet", 3, 256);
    let packed = net.push("pack", INPUT, Op::SpaceToDepth(4));
    let fine = net.conv_relu("fine1", packed, 32, 3, 1);
    let fine = net.conv_relu("fine2", fine, 32, 3, 1);
    let middle = net.conv_relu("middle1", fine, 48, 3, 2);
    let middle = net.conv_relu("middle2", middle, 48, 3, 1);
    let coarse = net.conv_relu("coarse1", middle, 64, 3, 2);
    let coarse = net.conv_relu("coarse2", coarse, 64, 3, 1);
    let coarse = net.conv_relu("coarse3", coarse, 64, 3, 1);

    let up = net.conv_relu("up_middle", coarse, 96, 1, 1);
    let up = net.push("up_middle_shuffle", up, Op::DepthToSpace(2));
    let joined = net.push("join_middle", middle, Op::Concat(up));
    let middle = net.conv_relu("middle3", joined, 48, 3, 1);
    let middle = net.conv_relu("middle4", middle, 48, 3, 1);

    let up = net.conv_relu("up_fine", middle, 64, 1, 1);
    let up = net.push("up_fine_shuffle", up, Op::DepthToSpace(2));
    let joined = net.push("join_fine", fine, Op::Concat(up));
    let fine = net.conv_relu("fine3", joined, 32, 3, 1);
    let fine = net.conv_relu("fine4", fine, 32, 3, 1);
    let maps = net.conv("maps", fine, 32, 1);
    net.push("unpack", maps, Op::DepthToSpace(4));
    net
}
