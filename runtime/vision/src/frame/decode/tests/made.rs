//! Files that no available encoder writes, byte by byte.

/// A tag of a TIFF: number, type (2 text, 3 short, 4 long, 7 bytes), values.
pub(super) type Tag<'a> = (u16, u16, &'a [u32]);

/// The layout of TIFF data.
#[derive(Clone, Copy)]
pub(super) enum Cut {
    /// Strips of this many rows.
    Strips(u32),
    /// Square tiles of this edge length in pixels.
    Tiles(u32),
}

/// A single-page, little-endian TIFF: `tags`, plus those that locate `pieces`.
pub(super) fn tiff((width, height): (u32, u32), tags: &[Tag], cut: Cut, pieces: &[Vec<u8>]) -> Vec<u8> {
    let lengths: Vec<u32> = pieces.iter().map(|piece| piece.len() as u32).collect();
    let mut bytes = b"II*\0\0\0\0\0".to_vec();
    let places: Vec<u32> = pieces
        .iter()
        .map(|piece| {
            let at = bytes.len() as u32;
            bytes.extend(piece);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            at
        })
        .collect();
    let (size, edge) = (
        [[width], [height]],
        [match cut {
            Cut::Strips(px) | Cut::Tiles(px) => px,
        }],
    );
    let mut all: Vec<Tag> = vec![(256, 4, &size[0]), (257, 4, &size[1])];
    match cut {
        Cut::Strips(_) => all.extend([(273, 4, &places[..]), (278, 4, &edge[..]), (279, 4, &lengths[..])]),
        Cut::Tiles(_) => {
            all.extend([(322, 4, &edge[..]), (323, 4, &edge[..]), (324, 4, &places[..]), (325, 4, &lengths[..])]);
        }
    }
    all.extend(tags);
    all.sort_by_key(|tag| tag.0);
    let entries: Vec<Vec<u8>> = all.iter().map(|tag| entry(*tag, &mut bytes)).collect();
    let directory = bytes.len() as u32;
    bytes[4..8].copy_from_slice(&directory.to_le_bytes());
    bytes.extend((entries.len() as u16).to_le_bytes());
    entries.iter().for_each(|entry| bytes.extend(entry));
    bytes.extend([0; 4]);
    bytes
}

/// An entry of a directory; values that do not fit are appended to `bytes`.
fn entry((tag, kind, values): Tag, bytes: &mut Vec<u8>) -> Vec<u8> {
    let width = match kind {
        3 => 2,
        4 => 4,
        _ => 1,
    };
    let mut packed: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes().into_iter().take(width)).collect();
    if packed.len() > 4 {
        let at = bytes.len() as u32;
        bytes.append(&mut packed);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        packed = at.to_le_bytes().to_vec();
    }
    packed.resize(4, 0);
    let head = [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &(values.len() as u32).to_le_bytes()].concat();
    [head, packed].concat()
}

/// A JPEG with one level per channel, in parts: tables; frame, scan and end. Both together are a complete file.
pub(super) struct Jpeg {
    /// Without the start marker.
    pub(super) tables: Vec<u8>,
    /// Neither start nor tables.
    pub(super) picture: Vec<u8>,
}

impl Jpeg {
    /// Baseline, none of the channels subsampled.
    pub(super) fn flat((width, height): (u16, u16), levels: &[u8]) -> Self {
        let mut tables = vec![0xff, 0xdb, 0, 67, 0];
        tables.extend([1; 64]);
        // Sizes of DC differences 0 to 11 in four bits each; of AC nothing but the end of the block, in one.
        tables.extend([0xff, 0xc4, 0, 31, 0x00, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        tables.extend(0..12);
        tables.extend([0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let (count, [y1, y0], [x1, x0]) = (levels.len() as u8, height.to_be_bytes(), width.to_be_bytes());
        let mut picture = vec![0xff, 0xc0, 0, 8 + 3 * count, 8, y1, y0, x1, x0, count];
        (1..=count).for_each(|id| picture.extend([id, 0x11, 0]));
        picture.extend([0xff, 0xda, 0, 6 + 2 * count, count]);
        (1..=count).for_each(|id| picture.extend([id, 0]));
        picture.extend([0, 63, 0]);
        let mut bits = String::new();
        let mut block = |difference: i32| {
            let size = 32 - difference.unsigned_abs().leading_zeros();
            let value = if difference < 0 { difference + (1 << size) - 1 } else { difference };
            bits.push_str(&format!("{size:04b}"));
            bits.extend((0..size).rev().map(|at| if value >> at & 1 == 1 { '1' } else { '0' }));
            bits.push('0');
        };
        levels.iter().for_each(|level| block((i32::from(*level) - 128) * 8));
        let blocks = usize::from(width.div_ceil(8)) * usize::from(height.div_ceil(8));
        (0..(blocks - 1) * levels.len()).for_each(|_| block(0));
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        for byte in bits.as_bytes().chunks(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | (bit & 1))) {
            picture.push(byte);
            if byte == 0xff {
                picture.push(0);
            }
        }
        picture.extend([0xff, 0xd9]);
        Self { tables, picture }
    }

    /// The complete file, with `marker` after its start.
    pub(super) fn file(&self, marker: &[u8]) -> Vec<u8> {
        [&[0xff, 0xd8], marker, &self.tables, &self.picture].concat()
    }
}

/// Adobe's marker: 0 for RGB or CMYK, 1 for YCbCr, 2 for YCCK.
pub(super) fn adobe(transform: u8) -> Vec<u8> {
    [&[0xff, 0xee, 0, 14], &b"Adobe"[..], &[0, 100, 0, 0, 0, 0, transform]].concat()
}
