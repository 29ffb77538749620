//! Small files that decompress to huge data.

use std::io::Cursor;

use image::{ImageFormat, RgbImage};

use super::super::*;

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// A zlib stream of `length` stored zeros.
fn zeros(length: usize) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let block = usize::from(u16::MAX);
    for begin in (0..length).step_by(block) {
        let part = block.min(length - begin) as u16;
        stream.push(u8::from(begin + block >= length));
        stream.extend(part.to_le_bytes());
        stream.extend((!part).to_le_bytes());
        stream.resize(stream.len() + usize::from(part), 0);
    }
    stream.extend(((length as u32 % 65521) << 16 | 1).to_be_bytes());
    stream
}

/// A PNG with a colour profile of the given size.
fn with_profile(profile_bytes: usize) -> Vec<u8> {
    let mut png = Vec::new();
    RgbImage::new(8, 8).write_to(&mut Cursor::new(&mut png), ImageFormat::Png).unwrap();
    let mut chunk = b"iCCPprofile\0\0".to_vec();
    chunk.extend(zeros(profile_bytes));
    let mut framed = ((chunk.len() - 4) as u32).to_be_bytes().to_vec();
    framed.extend(&chunk);
    framed.extend(crc(&chunk).to_be_bytes());
    // After the signature and the header, which have 8 and 25 bytes.
    png.splice(33..33, framed);
    png
}

#[test]
fn colour_profile_is_decompressed_up_to_header_limit() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.png");
    std::fs::write(&file, with_profile(1 << 20)).unwrap();
    assert_eq!(read_picture(&file, 64).unwrap().dimensions(), (8, 8));
    std::fs::write(&file, with_profile(2 * MAX_HEADER_BYTES as usize)).unwrap();
    let text = read_picture(&file, 64).unwrap_err().to_string();
    assert!(text.contains("a.png"), "{text}");
}
