//! The segmentation model of the ablation: directly from 64x64 RGB to the two maps of 256x256, without super-resolution.
//! Its cost is slightly below that of super-resolution and segmentation together.

use super::{
    INPUT, Net,
    unet::{MAPS, Widths, with_body},
};

/// The model.
pub fn net() -> Net {
    let widths = Widths { first_kernel: 5, fine: 40, middle: 64, coarse: 80, up_middle: 128, up_fine: 96 };
    with_body(Net::new("straight", 3, 64), INPUT, widths, MAPS)
}

#[cfg(test)]
mod tests {
    use crate::net::{ssr, unet};

    #[test]
    fn cost_is_comparable_to_both_nets_together() {
        let straight = super::net();
        let together = ssr::net().macs() + unet::net().macs();
        assert!(straight.macs() <= together && straight.macs() * 10 >= together * 8, "{} {together}", straight.macs());
        assert_eq!((straight.channels(straight.output()), straight.edge_px(straight.output())), (2, 256));
    }
}
