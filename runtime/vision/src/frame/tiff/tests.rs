#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Cursor, Read, Seek, SeekFrom};

use super::{Pages, first_page::FirstPage, pages};

/// A TIFF with consecutive directories: tag, type, count and value of each entry.
fn tiff(directories: &[&[(u16, u16, u32, u32)]]) -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    for (number, entries) in directories.iter().enumerate() {
        bytes.extend((entries.len() as u16).to_le_bytes());
        for (tag, kind, count, value) in *entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(count.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        let next = if number + 1 == directories.len() { 0 } else { bytes.len() as u32 + 4 };
        bytes.extend(next.to_le_bytes());
    }
    bytes
}

fn read(bytes: &[u8]) -> Pages {
    pages(&mut Cursor::new(bytes)).unwrap()
}

#[test]
fn reduced_copies_and_masks_are_not_pages() {
    let (whole, small, mask, old) = ([(258, 3, 1, 8)], [(254, 4, 1, 1)], [(254, 4, 1, 4)], [(255, 3, 1, 2)]);
    let found = read(&tiff(&[&small, &whole, &mask, &old, &whole]));
    assert_eq!(found.pages.iter().map(|page| page.bits()).collect::<Vec<_>>(), [8, 8]);
    assert_eq!(read(&tiff(&[&small])).pages.len(), 1, "the only one");
}

#[test]
fn looping_or_dangling_page_list_is_reported() {
    let page = [(258, 3, 1, 8)];
    let mut bytes = tiff(&[&page, &page]);
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&8_u32.to_le_bytes());
    let found = read(&bytes);
    assert!(found.is_broken && found.pages.len() == 2, "{found:?}");
    bytes[end..].copy_from_slice(&1_000_000_u32.to_le_bytes());
    let found = read(&bytes);
    assert!(found.is_broken && found.pages.len() == 2, "{found:?}");
    assert!(pages(&mut Cursor::new(&bytes[..9])).is_err());
    assert!(pages(&mut Cursor::new(b"II*\0\x08\0\0\0\xff\xff")).is_err(), "65535 entries");
}

#[test]
fn unsupported_kinds_are_named() {
    let named = |entries: &[(u16, u16, u32, u32)]| {
        read(&tiff(&[entries])).pages[0].unread().map_or_else(String::new, |(found, _)| found)
    };
    assert_eq!(named(&[(258, 3, 1, 8), (262, 3, 1, 2), (277, 3, 1, 3)]), "");
    assert!(named(&[(258, 3, 1, 32), (339, 3, 1, 3)]).contains("floating-point"));
    assert!(named(&[(258, 3, 1, 32), (339, 3, 1, 1)]).contains("32 bit"));
    assert!(named(&[(258, 3, 1, 12)]).contains("12 bit, packed"));
    assert!(named(&[(258, 3, 1, 8), (262, 3, 1, 6)]).contains("YCbCr"));
    assert!(named(&[(258, 3, 1, 16), (339, 3, 1, 2)]).contains("sign"));
}

#[test]
fn chosen_page_is_presented_as_first() {
    let bytes = tiff(&[&[(258, 3, 1, 8)], &[(258, 3, 1, 16)]]);
    let second = read(&bytes).pages[1].at;
    let mut shown = FirstPage::of(Cursor::new(&bytes), second).unwrap();
    let mut all = Vec::new();
    shown.read_to_end(&mut all).unwrap();
    assert_eq!((&all[..4], &all[4..8], &all[8..]), (&bytes[..4], &second.to_le_bytes()[..4], &bytes[8..]));
    shown.seek(SeekFrom::Start(6)).unwrap();
    let mut three = [0; 3];
    shown.read_exact(&mut three).unwrap();
    assert_eq!(three, all[6..9]);
    assert_eq!(read(&all).pages.len(), 1);
}

#[test]
fn corrupted_tiff_does_not_panic() {
    let bytes = tiff(&[&[(270, 2, 4_000_000_000, 8), (282, 5, 1, 8), (258, 3, u32::MAX, 8)]]);
    assert_eq!(read(&bytes).pages.len(), 1);
    for at in 4..bytes.len() {
        for level in [0, 1, 0x7f, 0xff] {
            let mut spoilt = bytes.clone();
            spoilt[at] = level;
            let _ = pages(&mut Cursor::new(spoilt));
        }
    }
}
