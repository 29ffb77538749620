//! A scan: the blocks of one or several components in order.

use super::{
    Fault, Result,
    bits::Bits,
    block::{self, Band},
    huffman::Huffman,
};

/// This many zero bytes in a row are not data, unless the all-zero code ends a block.
const HOLE_BYTES: usize = 64;

/// A component of the frame.
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks of an MCU of several components, across and down.
    pub(super) sampling: (u32, u32),
    /// Blocks that contain pixels of the component, across and down.
    pub(super) blocks: (u32, u32),
    /// Blocks per row, including those that complete the last MCU.
    pub(super) stride: u32,
    /// For each block of a progressive JPEG, the coefficients that are not 0.
    pub(super) set: Vec<u64>,
    /// For each coefficient, the lowest bit seen so far; 255 before the first.
    pub(super) low: [u8; 64],
}

impl Component {
    /// Records the contents of a scan.
    pub(super) fn note(&mut self, band: Band) {
        self.low.iter_mut().take(band.last as usize + 1).skip(band.first as usize).for_each(|low| *low = band.low);
    }
}

/// A component in a scan, with its tables.
pub(super) struct Part {
    pub(super) component: usize,
    pub(super) dc: Option<Huffman>,
    pub(super) ac: Option<Huffman>,
}

/// What all blocks of a scan share.
pub(super) struct Scan {
    pub(super) parts: Vec<Part>,
    pub(super) band: Band,
    pub(super) progressive: bool,
    /// MCUs between two restart markers; 0 if there are none.
    pub(super) interval: u32,
    /// MCUs of several components, across and down.
    pub(super) mcus: (u32, u32),
}

impl Scan {
    /// Scans from byte `at` to the end and returns the position after it.
    ///
    /// # Errors
    /// If blocks are missing, extra or invalid.
    pub(super) fn walk(&self, bytes: &[u8], at: usize, components: &mut [Component]) -> Result<usize> {
        self.refuse_holes(bytes, at)?;
        let alone = match self.parts.as_slice() {
            [part] => components.get(part.component).map(|component| component.blocks),
            _ => None,
        };
        let (across, down) = alone.unwrap_or(self.mcus);
        let mut bits = Bits::new(bytes, at);
        let (mut to_skip, mut since, mut restarts) = (0, 0, 0);
        for y in 0..down {
            for x in 0..across {
                if self.interval > 0 && since == self.interval {
                    bits.restart((restarts % 8) as u8)?;
                    (restarts, since, to_skip) = (restarts + 1, 0, 0);
                }
                since += 1;
                if alone.is_some() {
                    self.block(&mut bits, &self.parts[0], components, (x, y), &mut to_skip)?;
                } else {
                    self.mcu(&mut bits, components, (x, y), &mut to_skip)?;
                }
            }
        }
        bits.end()
    }

    fn mcu(&self, bits: &mut Bits, components: &mut [Component], at: (u32, u32), to_skip: &mut u32) -> Result<()> {
        for part in &self.parts {
            let Some((across, down)) = components.get(part.component).map(|component| component.sampling) else {
                continue;
            };
            for y in 0..down {
                for x in 0..across {
                    self.block(bits, part, components, (at.0 * across + x, at.1 * down + y), to_skip)?;
                }
            }
        }
        Ok(())
    }

    fn block(
        &self,
        bits: &mut Bits,
        part: &Part,
        components: &mut [Component],
        (x, y): (u32, u32),
        to_skip: &mut u32,
    ) -> Result<()> {
        const NO_TABLE: Fault = Fault::Damaged("a Huffman table is missing");
        if !self.progressive {
            let (dc, ac) = part.dc.as_ref().zip(part.ac.as_ref()).ok_or(NO_TABLE)?;
            return block::sequential(bits, dc, ac);
        }
        if self.band.first == 0 {
            return match self.band.high {
                0 => block::constant(bits, Some(part.dc.as_ref().ok_or(NO_TABLE)?)),
                _ => block::constant(bits, None),
            };
        }
        let ac = part.ac.as_ref().ok_or(NO_TABLE)?;
        let set = components
            .get_mut(part.component)
            .and_then(|component| component.set.get_mut(y as usize * component.stride as usize + x as usize));
        let set = set.ok_or(Fault::Damaged("a block outside the picture"))?;
        if self.band.high == 0 {
            block::first(bits, ac, self.band, set, to_skip)
        } else {
            block::refined(bits, ac, self.band, set, to_skip)
        }
    }

    /// Zeros from a failed disk or transfer are valid codes, and sometimes make up the missing number of blocks. With
    /// usual tables they decode to blocks of 63 small coefficients, which no encoder writes repeatedly.
    fn refuse_holes(&self, bytes: &[u8], at: usize) -> Result<()> {
        let ends_a_block = |part: &Part| part.ac.as_ref().is_some_and(|ac| ac.symbol_of_zeros() == Some(0));
        if self.progressive || self.parts.iter().all(ends_a_block) {
            return Ok(());
        }
        let mut zeros = 0;
        for (here, &byte) in bytes.iter().enumerate().skip(at) {
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            if zeros >= HOLE_BYTES {
                return Err(Fault::Damaged("zeros in place of data"));
            }
            let next = bytes.get(here + 1).copied().unwrap_or(0);
            if byte == 0xff && next != 0 && !(0xd0..=0xd7).contains(&next) {
                break;
            }
        }
        Ok(())
    }
}
