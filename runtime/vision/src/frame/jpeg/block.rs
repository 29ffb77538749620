//! Blocks of 8x8 coefficients, parsed to find where they end. Only values needed by later blocks or scans are kept.

use super::{Fault, Result, bits::Bits, huffman::Huffman};

const OUT_OF_BLOCK: Fault = Fault::Damaged("a coefficient outside its block");

/// Largest number of bits of a coefficient.
const MOST_COEFFICIENT_BITS: u32 = 15;

/// The coefficients that a scan contains: `first` to `last`, bits down to `low`, from `high` (0 for the first scan of
/// them).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Band {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) high: u8,
    pub(super) low: u8,
}

fn value(bits: &mut Bits, size: u32) -> Result<()> {
    if size > MOST_COEFFICIENT_BITS {
        return Err(Fault::Damaged("an invalid coefficient"));
    }
    bits.take(size).map(|_| ())
}

/// A block of a sequential JPEG.
pub(super) fn sequential(bits: &mut Bits, dc: &Huffman, ac: &Huffman) -> Result<()> {
    let size = dc.symbol(bits)?;
    value(bits, size.into())?;
    let mut k = 1;
    while k < 64 {
        let symbol = u32::from(ac.symbol(bits)?);
        let (run, size) = (symbol >> 4, symbol & 15);
        if size == 0 {
            if run < 15 {
                break;
            }
            k += 16;
            continue;
        }
        k += run;
        if k > 63 {
            return Err(OUT_OF_BLOCK);
        }
        value(bits, size)?;
        k += 1;
    }
    Ok(())
}

/// The DC coefficient of a block in a progressive JPEG.
pub(super) fn constant(bits: &mut Bits, dc: Option<&Huffman>) -> Result<()> {
    match dc {
        Some(dc) => {
            let size = dc.symbol(bits)?;
            value(bits, size.into())
        }
        None => bits.take(1).map(|_| ()),
    }
}

/// The first bits of AC coefficients. `set` has a bit for each that is not 0; `to_skip` counts the following blocks
/// without any more.
pub(super) fn first(bits: &mut Bits, ac: &Huffman, band: Band, set: &mut u64, to_skip: &mut u32) -> Result<()> {
    if *to_skip > 0 {
        *to_skip -= 1;
        return Ok(());
    }
    let mut k = band.first;
    while k <= band.last {
        let symbol = u32::from(ac.symbol(bits)?);
        let (run, size) = (symbol >> 4, symbol & 15);
        if size == 0 {
            if run < 15 {
                *to_skip = (1 << run) - 1 + bits.take(run)?;
                break;
            }
            k += 16;
            continue;
        }
        k += run;
        if k > band.last {
            return Err(OUT_OF_BLOCK);
        }
        value(bits, size)?;
        *set |= 1 << k;
        k += 1;
    }
    Ok(())
}

/// One more bit of AC coefficients.
pub(super) fn refined(bits: &mut Bits, ac: &Huffman, band: Band, set: &mut u64, to_skip: &mut u32) -> Result<()> {
    let mut k = band.first;
    if *to_skip == 0 {
        while k <= band.last {
            let symbol = u32::from(ac.symbol(bits)?);
            let (mut run, size) = (symbol >> 4, symbol & 15);
            match (size, run) {
                (0, 15) => {}
                (0, run) => {
                    *to_skip = (1 << run) + bits.take(run)?;
                    break;
                }
                (1, _) => {
                    bits.take(1)?;
                }
                _ => return Err(Fault::Damaged("an invalid coefficient")),
            }
            while k <= band.last {
                if *set >> k & 1 == 1 {
                    bits.take(1)?;
                } else if run == 0 {
                    break;
                } else {
                    run -= 1;
                }
                k += 1;
            }
            if size == 1 {
                if k > band.last {
                    return Err(OUT_OF_BLOCK);
                }
                *set |= 1 << k;
            }
            k += 1;
        }
    }
    if *to_skip > 0 {
        while k <= band.last {
            if *set >> k & 1 == 1 {
                bits.take(1)?;
            }
            k += 1;
        }
        *to_skip -= 1;
    }
    Ok(())
}
