//! The pitch in a TIFF's metadata: from OME-TIFF, from ImageJ, or from the format's resolution.

use crate::geometry::PITCHES_UM;

/// Resolutions in dots per inch that programs write if they know none.
const DEFAULT_DPI: [f64; 6] = [72.0, 75.0, 96.0, 100.0, 150.0, 300.0];

/// Plausible pixel sizes of a microscope, in micrometres; all of them are pitches that can be analysed.
const BELIEVABLE_UM: std::ops::RangeInclusive<f64> = 0.01..=20.0;
const _: () = assert!(*BELIEVABLE_UM.start() >= *PITCHES_UM.start() && *BELIEVABLE_UM.end() <= *PITCHES_UM.end());

const UM_PER_INCH: f64 = 25_400.0;
const UM_PER_CM: f64 = 10_000.0;

/// Micrometres per pixel, from pixels per unit across and down, the unit (2 inch, 3 centimetre), and the description.
pub(super) fn um_per_px(x: Option<f64>, y: Option<f64>, unit: u64, description: &str) -> Option<f64> {
    let found = match description.contains("<OME") {
        true => ome(description),
        false if description.starts_with("ImageJ=") => image_j(x, y, description),
        false => by_unit(x, y, unit),
    };
    found.filter(|um| BELIEVABLE_UM.contains(um))
}

/// Square pixels, per unit.
fn square(x: Option<f64>, y: Option<f64>) -> Option<f64> {
    let x = x.filter(|x| *x > 0.0)?;
    (y.is_none_or(|y| (y / x - 1.0).abs() < 0.01)).then_some(x)
}

fn by_unit(x: Option<f64>, y: Option<f64>, unit: u64) -> Option<f64> {
    let a_unit = square(x, y)?;
    let um = match unit {
        2 => UM_PER_INCH / a_unit,
        3 => UM_PER_CM / a_unit,
        _ => return None,
    };
    let dpi = UM_PER_INCH / um;
    (!DEFAULT_DPI.iter().any(|default| (dpi - default).abs() < 0.5)).then_some(um)
}

/// ImageJ writes pixels per unit, and the name of the unit on its own line.
fn image_j(x: Option<f64>, y: Option<f64>, description: &str) -> Option<f64> {
    let unit = description.lines().find_map(|line| line.strip_prefix("unit="))?;
    Some(um_of(unit.trim())? / square(x, y)?)
}

/// Micrometres per unit of length.
fn um_of(unit: &str) -> Option<f64> {
    match unit {
        "um" | "micron" | "microns" | "µm" | "μm" | "\\u00B5m" | "&#181;m" => Some(1.0),
        "nm" => Some(0.001),
        "mm" => Some(1000.0),
        "cm" => Some(UM_PER_CM),
        "inch" => Some(UM_PER_INCH),
        _ => None,
    }
}

fn ome(description: &str) -> Option<f64> {
    let size = |name: &str, unit: &str| {
        let size: f64 = attribute(description, name)?.parse().ok()?;
        Some(size * um_of(attribute(description, unit).unwrap_or("µm"))?)
    };
    let x = size("PhysicalSizeX", "PhysicalSizeXUnit")?;
    let y = size("PhysicalSizeY", "PhysicalSizeYUnit");
    square(Some(x), y)
}

/// The value of the first attribute of this name.
fn attribute<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let start = format!(" {name}=\"");
    let (_, rest) = xml.split_once(&start)?;
    rest.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(x: f64, unit: u64, description: &str) -> Option<f64> {
        um_per_px(Some(x), Some(x), unit, description).map(|um| (um * 1e6).round() / 1e6)
    }

    #[test]
    fn resolution_gives_pitch_unless_it_is_a_default() {
        assert_eq!(found(20_000.0, 3, ""), Some(0.5));
        assert_eq!(found(25_400.0, 2, "made by hand"), Some(1.0));
        for default in [72.0, 96.0, 150.0, 300.0, 72.009] {
            assert_eq!(found(default, 2, ""), None, "{default}");
        }
        // 28.35 per centimetre are 72 per inch; without a unit there is no length; 600 per inch is a scanner.
        assert_eq!([found(28.346, 3, ""), found(20_000.0, 1, ""), found(600.0, 2, "")], [None; 3]);
        assert_eq!([found(0.0, 2, ""), found(f64::INFINITY, 2, ""), found(f64::NAN, 3, "")], [None; 3]);
        assert_eq!(um_per_px(Some(20_000.0), Some(10_000.0), 3, ""), None, "no square pixels");
    }

    #[test]
    fn imagej_pitch_uses_its_unit() {
        assert_eq!(found(4.0, 1, "ImageJ=1.53t\nunit=micron\nimages=1"), Some(0.25));
        assert_eq!(found(4.0, 1, "ImageJ=1.53t\nunit=\\u00B5m\n"), Some(0.25));
        assert_eq!(found(4.0, 1, "ImageJ=1.53t\nunit=um\n"), Some(0.25));
        assert_eq!(found(4.0, 1, "ImageJ=1.53t\nunit=pixel\n"), None);
        assert_eq!(found(20_000.0, 3, "ImageJ=1.53t\n"), None);
    }

    #[test]
    fn ome_pitch_uses_physical_size_and_unit() {
        let ome = |attributes: &str| found(300.0, 2, &format!("<?xml?><OME><Pixels {attributes}/></OME>"));
        assert_eq!(ome("PhysicalSizeX=\"0.325\" PhysicalSizeY=\"0.325\""), Some(0.325));
        assert_eq!(ome("ID=\"a\" PhysicalSizeX=\"325\" PhysicalSizeXUnit=\"nm\""), Some(0.325));
        assert_eq!(ome("ID=\"a\""), None);
        assert_eq!(ome("ID=\"a\" PhysicalSizeX=\"x\""), None);
    }
}
