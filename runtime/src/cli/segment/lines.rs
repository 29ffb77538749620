//! The lines printed for a picture.

use bloodseg_vision::{cells::Counts, geometry::SCALE, model::manifest::Pitch, pipeline::Analysis};

/// Pictures with more tiles than this are unlikely to come from a low-resolution sensor.
const MANY_TILES: u32 = 64;

/// What speaks against analysing a picture at the models' magnification.
pub(super) fn doubt(pitch: &Pitch, analysis: &Analysis) -> Option<String> {
    match analysis.scaled.um_per_sr_px().map(|um| um * f64::from(SCALE)) {
        Some(um) if um < pitch.least_um_per_px / 2.0 || um > pitch.greatest_um_per_px * 2.0 => Some(format!(
            "{um:.3} um per pixel; the models were made for {} to {} um, and work at half to twice that at \
             most. Counts are unreliable: shrink the picture, or use --whole-field for a field at full resolution",
            pitch.least_um_per_px, pitch.greatest_um_per_px
        )),
        None if analysis.tiles > MANY_TILES => Some(format!(
            "cut into {} tiles; the models expect cells of about 5 px. If this is a field at full resolution, use \
             --whole-field",
            analysis.tiles
        )),
        _ => None,
    }
}

/// The cell counts: `120 cells (2 unsupported)`, and their kinds if known.
fn cells(counts: &Counts) -> String {
    let Counts { cells, unsupported, .. } = counts;
    let unsupported = if *unsupported > 0 { format!(" ({unsupported} unsupported)") } else { String::new() };
    let kinds = counts.words().map_or_else(String::new, |words| format!(": {words}"));
    format!("{cells} cells{unsupported}{kinds}")
}

pub(super) fn summary(name: &str, analysis: &Analysis) -> String {
    let times = analysis.times;
    let tiles = analysis.tiles;
    format!(
        "{name}: {}, {tiles} tile{}, ssr {:.1} ms, unet {:.1} ms, cells {:.1} ms, total {:.1} ms",
        cells(&analysis.counts()),
        if tiles == 1 { "" } else { "s" },
        times.ssr_ms,
        times.unet_ms,
        times.cells_ms,
        times.total_ms
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_reported_if_known() {
        let counts = Counts { cells: 3, red: Some(2), white: Some(1), platelets: Some(1), unsupported: 1 };
        assert_eq!(cells(&counts), "3 cells (1 unsupported): 2 red, 1 white, 1 platelet");
        assert_eq!(cells(&Counts { cells: 3, ..Counts::default() }), "3 cells");
    }
}
