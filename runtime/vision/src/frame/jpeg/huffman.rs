//! JPEG Huffman tables.

use super::{Fault, Result, bits::Bits};

/// Codes of up to this many bits are found with one lookup.
const QUICK_BITS: u32 = 9;

/// One table.
#[derive(Clone)]
pub(super) struct Huffman {
    /// Length and symbol by the first [`QUICK_BITS`] bits; length 0 if the code is longer.
    quick: Vec<(u8, u8)>,
    /// For each code length: the first code after it, aligned to 16 bits, and the index of the symbol of code 0.
    ends: [(u32, i32); 17],
    symbols: Vec<u8>,
}

impl Huffman {
    /// From the numbers of codes of 1 to 16 bits, and the symbols in code order.
    ///
    /// # Errors
    /// If there are more codes than possible.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self> {
        let mut quick = vec![(0, 0); 1 << QUICK_BITS];
        let mut ends = [(0, 0); 17];
        let (mut code, mut index) = (0_u32, 0_usize);
        for (bits, &count) in (1_u32..).zip(counts) {
            ends[bits as usize].1 = index as i32 - code as i32;
            for _ in 0..count {
                if code >= 1 << bits {
                    return Err(Fault::Damaged("a Huffman table with too many codes"));
                }
                let symbol = *symbols.get(index).ok_or(Fault::Damaged("a Huffman table with too few symbols"))?;
                if bits <= QUICK_BITS {
                    let first = (code << (QUICK_BITS - bits)) as usize;
                    quick[first..first + (1 << (QUICK_BITS - bits))].fill((bits as u8, symbol));
                }
                code += 1;
                index += 1;
            }
            ends[bits as usize].0 = code << (16 - bits);
            code <<= 1;
        }
        Ok(Self { quick, ends, symbols: symbols.to_vec() })
    }

    /// Consumes one code and returns its symbol.
    ///
    /// # Errors
    /// If the table lacks the code, or the data ends.
    pub(super) fn symbol(&self, bits: &mut Bits) -> Result<u8> {
        let ahead = bits.peek16();
        let (length, symbol) = self.quick[(ahead >> (16 - QUICK_BITS)) as usize];
        if length > 0 {
            bits.take(length.into())?;
            return Ok(symbol);
        }
        for (length, &(end, offset)) in (0_u32..).zip(&self.ends).skip(1) {
            if ahead < end {
                bits.take(length)?;
                let index = (ahead >> (16 - length)) as i32 + offset;
                let symbol = usize::try_from(index).ok().and_then(|index| self.symbols.get(index));
                return symbol.copied().ok_or(Fault::Damaged("an invalid code"));
            }
        }
        // Beyond the end, bits read as zeros, and a table may lack the all-zero code.
        bits.take(16)?;
        Err(Fault::Damaged("an invalid code"))
    }

    /// The symbol of the all-zero code.
    pub(super) fn symbol_of_zeros(&self) -> Option<u8> {
        self.symbols.first().copied()
    }
}
