//! The segmentation net of the ablation: straight from 64x64 RGB to the two maps of 256x256, without a super-resolution
//! before it. It may cost what super-resolution and segmentation cost together, and a little less than they do.

use super::{INPUT, Net, Op};

/// The net.
pub fn net() -> Net {
    let mut net = Net::new("straight", 3, 64);
    let fine = net.conv_relu("fine1", INPUT, 40, 5, 1);
    let fine = net.conv_relu("fine2", fine, 40, 3, 1);
    let middle = net.conv_relu("middle1", fine, 64, 3, 2);
    let middle = net.conv_relu("middle2", middle, 64, 3, 1);
    let coarse = net.conv_relu("coarse1", middle, 80, 3, 2);
    let coarse = net.conv_relu("coarse2", coarse, 80, 3, 1);
    let coarse = net.conv_relu("coarse3", coarse, 80, 3, 1);

    let up = net.conv_relu("up_middle", coarse, 128, 1, 1);
    let up = net.push("up_middle_shuffle", up, Op::DepthToSpace(2));
    let joined = net.push("join_middle", middle, Op::Concat(up));
    let middle = net.conv_relu("middle3", joined, 64, 3, 1);
    let middle = net.conv_relu("middle4", middle, 64, 3, 1);

    let up = net.conv_relu("up_fine", middle, 96, 1, 1);
    let up = net.push("up_fine_shuffle", up, Op::DepthToSpace(2));
    let joined = net.push("join_fine", fine, Op::Concat(up));
    let fine = net.conv_relu("fine3", joined, 40, 3, 1);
    let fine = net.conv_relu("fine4", fine, 40, 3, 1);
    let maps = net.conv("maps", fine, 32, 1);
    net.push("unpack", maps, Op::DepthToSpace(4));
    net
}

#[cfg(test)]
mod tests {
    use crate::net::{ssr, unet};

    #[test]
    fn the_comparison_is_fair() {
        let straight = super::net();
        let together = ssr::net().macs() + unet::net().macs();
        assert!(straight.macs() <= together && straight.macs() * 10 >= together * 8, "{} {together}", straight.macs());
        assert_eq!((straight.channels(straight.output()), straight.edge_px(straight.output())), (2, 256));
    }
}
