//! Memory that is allocated once and aligned to cache lines.

/// Bytes that every part of an arena is aligned to: a cache line.
pub const ALIGN_BYTES: usize = 64;

/// Zeroed bytes aligned to a cache line.
#[derive(Debug)]
pub struct Arena {
    words: Vec<u64>,
    start: usize,
    bytes: usize,
}

impl Arena {
    /// Allocates `bytes`.
    pub fn new(bytes: usize) -> Self {
        let words = vec![0u64; (bytes + ALIGN_BYTES).div_ceil(8)];
        let start = words.as_ptr().align_offset(ALIGN_BYTES).min(ALIGN_BYTES / 8) * 8;
        Self { words, start, bytes }
    }

    /// The bytes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let (start, bytes) = (self.start, self.bytes);
        &mut bytemuck::cast_slice_mut(&mut self.words)[start..start + bytes]
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

/// `bytes` rounded up to a cache line.
pub const fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGN_BYTES)
}

/// Immutable numbers aligned to a cache line: packed weights.
#[derive(Debug)]
pub struct Packed {
    arena: Arena,
    elements: usize,
}

impl Packed {
    /// Stores a copy of `numbers`.
    pub fn of<T: bytemuck::NoUninit>(numbers: &[T]) -> Self {
        let bytes: &[u8] = bytemuck::cast_slice(numbers);
        let mut arena = Arena::new(bytes.len());
        arena.bytes_mut().copy_from_slice(bytes);
        Self { arena, elements: numbers.len() }
    }

    /// The numbers, in their original type.
    pub fn get<T: bytemuck::AnyBitPattern>(&self) -> &[T] {
        let bytes: &[u8] = bytemuck::cast_slice(&self.arena.words);
        let bytes = &bytes[self.arena.start..self.arena.start + self.elements * size_of::<T>()];
        bytemuck::cast_slice(bytes)
    }

    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.arena.words.len() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_cache_line_aligned() {
        for bytes in [0, 1, 63, 64, 65, 4096] {
            let mut arena = Arena::new(bytes);
            assert_eq!((arena.bytes_mut().len(), arena.len()), (bytes, bytes));
            assert_eq!(arena.bytes_mut().as_ptr() as usize % ALIGN_BYTES, 0);
        }
        let packed = Packed::of(&[1i16, -2, 3]);
        assert_eq!(packed.get::<i16>(), [1, -2, 3]);
        assert_eq!(packed.get::<i16>().as_ptr() as usize % ALIGN_BYTES, 0);
    }
}
