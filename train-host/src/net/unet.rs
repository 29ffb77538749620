//! The segmentation model: 256x256 RGB to maps of 256x256: foreground and core, and, with kinds, the log-odds of white
//! and of platelet against red.
//!
//! A U-Net (Ronneberger et al., 2015) of plain convolutions after a space-to-depth, so that nothing is computed on the
//! large grid; pixel shuffles instead of upsampling, strides instead of pooling.

use super::{INPUT, Net, Op, Value};

/// Foreground and core.
pub const MAPS: i64 = 2;

/// These, and white and platelet against red.
pub const MAPS_WITH_KINDS: i64 = 4;

/// Output channels of the layers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Widths {
    /// Edge of the first kernel.
    pub(super) first_kernel: i64,
    /// On the 64x64 grid.
    pub(super) fine: i64,
    /// On the 32x32 grid.
    pub(super) middle: i64,
    /// On the 16x16 grid.
    pub(super) coarse: i64,
    /// Before the shuffle from 16x16 to 32x32.
    pub(super) up_middle: i64,
    /// Before the shuffle from 32x32 to 64x64.
    pub(super) up_fine: i64,
}

/// The model without kinds.
pub fn net() -> Net {
    with_maps(MAPS, 1)
}

/// The model with kinds.
pub fn net_with_kinds() -> Net {
    with_maps(MAPS_WITH_KINDS, 1)
}

/// The same with `width` times the channels: a teacher, too large for a device.
pub fn net_with_kinds_of(width: u32) -> Net {
    with_maps(MAPS_WITH_KINDS, i64::from(width))
}

fn with_maps(maps: i64, width: i64) -> Net {
    let mut net = Net::new("unet", 3, 256);
    let packed = net.push("pack", INPUT, Op::SpaceToDepth(4));
    let widths = Widths {
        first_kernel: 3,
        fine: 32 * width,
        middle: 48 * width,
        coarse: 64 * width,
        up_middle: 96 * width,
        up_fine: 64 * width,
    };
    with_body(net, packed, widths, maps)
}

/// Appends everything from a value on the 64x64 grid to the maps of 256x256.
pub(super) fn with_body(mut net: Net, input: Value, widths: Widths, maps: i64) -> Net {
    let Widths { first_kernel, fine: fine_width, middle: middle_width, coarse: coarse_width, up_middle, up_fine } =
        widths;
    let fine = net.conv_relu("fine1", input, fine_width, first_kernel, 1);
    let fine = net.conv_relu("fine2", fine, fine_width, 3, 1);
    let middle = net.conv_relu("middle1", fine, middle_width, 3, 2);
    let middle = net.conv_relu("middle2", middle, middle_width, 3, 1);
    let coarse = net.conv_relu("coarse1", middle, coarse_width, 3, 2);
    let coarse = net.conv_relu("coarse2", coarse, coarse_width, 3, 1);
    let coarse = net.conv_relu("coarse3", coarse, coarse_width, 3, 1);

    let up = net.conv_relu("up_middle", coarse, up_middle, 1, 1);
    let up = net.push("up_middle_shuffle", up, Op::DepthToSpace(2));
    let joined = net.push("join_middle", middle, Op::Concat(up));
    let middle = net.conv_relu("middle3", joined, middle_width, 3, 1);
    let middle = net.conv_relu("middle4", middle, middle_width, 3, 1);

    let up = net.conv_relu("up_fine", middle, up_fine, 1, 1);
    let up = net.push("up_fine_shuffle", up, Op::DepthToSpace(2));
    let joined = net.push("join_fine", fine, Op::Concat(up));
    let fine = net.conv_relu("fine3", joined, fine_width, 3, 1);
    let fine = net.conv_relu("fine4", fine, fine_width, 3, 1);
    let maps = net.conv("maps", fine, 16 * maps, 1);
    net.push("unpack", maps, Op::DepthToSpace(4));
    net
}
