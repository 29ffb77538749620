//! Where cells grow from: components with a single peak are filled at once, the peaks of the others are queued.
//!
//! Most cells lie apart, and flooding visits each pixel and its neighbours; this visits each row of a component once.

use super::{
    flood::{Ground, Levels},
    peaks::root,
    runs::stretches,
};

/// Numbers the peaks from 1 and returns their number. In components with one peak, all pixels get its number. In the others
/// only the peaks do, and enter the queue in raster order; the other pixels are 0. `grown` has the parents that
/// [`mark`](super::peaks::mark) left, and then the numbers; [`NONE`](super::flood::NONE) stays.
pub(super) fn seed(core: &[u8], ground: &[Ground], grown: &mut [u32], queue: &mut Levels<'_>) -> usize {
    let mut count = 0;
    // The pixels of a stretch are connected. First its root is stored where it begins: then rows can be overwritten.
    for stretch in stretches(ground, Ground::Outside) {
        let highest = root(grown, stretch.start as u32);
        grown[stretch.start] = highest;
        let highest = highest as usize;
        if ground[highest] == Ground::Peak && stretch.contains(&highest) {
            count += 1;
            queue.next[highest] = count;
        }
    }
    for stretch in stretches(ground, Ground::Outside) {
        let highest = grown[stretch.start] as usize;
        if ground[highest] == Ground::Peak {
            grown[stretch].fill(queue.next[highest]);
            continue;
        }
        grown[stretch.clone()].fill(0);
        for peaks in stretches(&ground[stretch.clone()], Ground::Inside) {
            for at in peaks.map(|at| stretch.start + at) {
                count += 1;
                grown[at] = count;
                queue.push(core[at], at as u32);
            }
        }
    }
    count as usize
}
