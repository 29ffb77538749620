//! Unsupported formats, detected by content: their names, and what to convert them to.

/// What to do with a picture.
const PICTURE: &str = "Convert it to PNG, or to TIFF";

/// What to do with a file of a microscope or slide scanner.
const STACK: &str = "Export a field at full resolution as PNG or TIFF, with Fiji (Bio-Formats) or QuPath for example";

const RAW: &str = "Develop it to an 8 or 16 bit TIFF or PNG";

const VIDEO: &str = "Save single frames of it as PNG";

const UNPACK: &str = "Unpack it first";

/// The name of a format with its article, and what to do.
type Named = (&'static str, &'static str);

/// Offset of a magic number, the number, and its format.
const MARKS: [(usize, &[u8], Named); 37] = [
    (0, b"GIF8", ("a GIF picture", PICTURE)),
    (8, b"WEBP", ("a WebP picture", PICTURE)),
    (8, b"AVI ", ("an AVI video", VIDEO)),
    (128, b"DICM", ("a DICOM file", "Export its frames as PNG or TIFF, with Fiji for example")),
    (0, b"ZISRAWFILE", ("a Zeiss CZI file", STACK)),
    (0, b"\xda\xce\xbe\x0a", ("a Nikon ND2 file", STACK)),
    (0, b"\x70\0\0\0", ("a Leica LIF file", STACK)),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ("an OLE file, such as ZVI or OIB", STACK)),
    (0, b"\x89HDF\r\n\x1a\n", ("an HDF5 file, such as IMS", STACK)),
    (0, b"\0\0\0\x0cjP  ", ("a JPEG 2000 picture", PICTURE)),
    (0, b"\xff\x4f\xff\x51", ("a JPEG 2000 picture", PICTURE)),
    (0, b"\0\0\0\x0cJXL ", ("a JPEG XL picture", PICTURE)),
    (0, b"\xff\x0a", ("a JPEG XL picture", PICTURE)),
    (0, b"II\xbc\x01", ("a JPEG XR picture", PICTURE)),
    (0, b"8BPS", ("a Photoshop file", PICTURE)),
    (0, b"gimp xcf", ("a GIMP file", PICTURE)),
    (0, b"%PDF", ("a PDF document", PICTURE)),
    (0, b"\x76\x2f\x31\x01", ("an OpenEXR picture", PICTURE)),
    (0, b"#?RADIANCE", ("a Radiance HDR picture", PICTURE)),
    (0, b"qoif", ("a QOI picture", PICTURE)),
    (0, b"farbfeld", ("a farbfeld picture", PICTURE)),
    (0, b"DDS ", ("a DDS texture", PICTURE)),
    (0, b"\0\0\x01\0", ("an icon", PICTURE)),
    (0, b"SIMPLE  =", ("a FITS file", PICTURE)),
    (0, b"NRRD000", ("an NRRD file", PICTURE)),
    (0, b"\x93NUMPY", ("a NumPy array", PICTURE)),
    (0, b"IIRO", ("a raw photograph (ORF)", RAW)),
    (0, b"IIRS", ("a raw photograph (ORF)", RAW)),
    (0, b"IIU\0", ("a raw photograph (RW2)", RAW)),
    (0, b"FUJIFILMCCD-RAW", ("a raw photograph (RAF)", RAW)),
    (8, b"CR\x02", ("a raw photograph (CR2)", RAW)),
    (0, b"\x1a\x45\xdf\xa3", ("a Matroska or WebM video", VIDEO)),
    (0, b"PK\x03\x04", ("a ZIP archive", UNPACK)),
    (0, b"\x1f\x8b", ("a gzip archive", UNPACK)),
    (0, b"7z\xbc\xaf\x27\x1c", ("a 7-Zip archive", UNPACK)),
    (0, b"\0\x05\x16\x07", ("macOS metadata, not the picture", "Use the file without the prefix ._")),
    (0, b"<svg", ("an SVG drawing", PICTURE)),
];

/// The unsupported format that the first bytes of a file indicate.
pub(super) fn name(start: &[u8]) -> Option<Named> {
    let has = |at: usize, mark: &[u8]| start.get(at..).is_some_and(|rest| rest.starts_with(mark));
    let riff = |mark: &[u8]| !matches!(mark, b"WEBP" | b"AVI ") || has(0, b"RIFF");
    let marked = MARKS.iter().find(|(at, mark, _)| has(*at, mark) && riff(mark)).map(|(_, _, named)| *named);
    marked.or_else(|| boxed(start)).or_else(|| netpbm(start))
}

/// ISO media files, whose first box names their kind: HEIC, AVIF, videos.
fn boxed(start: &[u8]) -> Option<Named> {
    let brand = start.get(4..12)?.strip_prefix(b"ftyp")?;
    Some(match brand {
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => {
            ("a HEIC picture", "Convert it to PNG, or let the camera save JPEG")
        }
        b"avif" | b"avis" => ("an AVIF picture", PICTURE),
        b"crx " => ("a raw photograph (CR3)", RAW),
        _ => ("a video", VIDEO),
    })
}

fn netpbm(start: &[u8]) -> Option<Named> {
    let [b'P', b'1'..=b'7', space, ..] = start else { return None };
    space.is_ascii_whitespace().then_some(("a Netpbm picture (PBM, PGM, PPM or PAM)", PICTURE))
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn unsupported_formats_are_detected_by_content() {
        let at_128 = [&[0; 128][..], b"DICM"].concat();
        let all: [(&[u8], &str); 14] = [
            (b"GIF89a\x01\0", "GIF"),
            (b"RIFF\x24\0\0\0WEBPVP8 ", "WebP"),
            (b"RIFF\x24\0\0\0AVI LIST", "AVI"),
            (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
            (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
            (b"\0\0\0\x18ftypmp42\0\0\0\0", "video"),
            (&at_128, "DICOM"),
            (b"ZISRAWFILE\0\0\0\0\0\0", "CZI"),
            (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
            (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
            (b"II\x2a\0\x10\0\0\0CR\x02\0", "CR2"),
            (b"P6\n640 480\n255\n", "Netpbm"),
            (b"\0\x05\x16\x07\0\x02\0\0", "macOS"),
            (b"PK\x03\x04\x14\0", "ZIP"),
        ];
        for (start, word) in all {
            assert!(name(start).is_some_and(|(found, todo)| found.contains(word) && !todo.is_empty()), "{word}");
        }
        let read: [&[u8]; 7] =
            [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\0\x08\0\0\0", b"MM\0+\0\x08\0\0", b"BM6\0", b"", b"PX"];
        assert!(read.into_iter().all(|start| name(start).is_none()));
    }
}
