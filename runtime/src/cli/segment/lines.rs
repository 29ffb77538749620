//! What is said about a picture.

use bloodseg_vision::{geometry::SCALE, model::manifest::Pitch, pipeline::Analysis};

/// Pictures of more tiles than this are hardly what a low-resolution sensor saw.
const MANY_TILES: u32 = 64;

/// What speaks against reading a picture at the models' magnification.
pub(super) fn doubt(pitch: &Pitch, analysis: &Analysis, um_per_sr_px: Option<f64>) -> Option<String> {
    match um_per_sr_px.map(|um| um * f64::from(SCALE)) {
        Some(um) if um < pitch.least_um_per_px / 2.0 || um > pitch.greatest_um_per_px * 2.0 => Some(format!(
            "{um:.3} um a pixel; the models were made for {} to {} um, and hold to half and to twice that at \
             most. Counts are not to be relied on: shrink the picture, or use --whole-field for a field at full resolution",
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

/// How many cells the input does not bear out; nothing where it bears out all.
fn unsupported(count: usize) -> Option<String> {
    Some(count).filter(|&count| count > 0).map(|count| format!("{count} unsupported"))
}

pub(super) fn summary(name: &str, analysis: &Analysis) -> String {
    let times = analysis.times;
    let (cells, tiles) = (analysis.cells.len(), analysis.tiles);
    format!(
        "{name}: {cells} cells{}, {tiles} tile{}, ssr {:.1} ms, unet {:.1} ms, cells {:.1} ms, total {:.1} ms",
        unsupported(analysis.unsupported_cells()).map_or_else(String::new, |count| format!(" ({count})")),
        if tiles == 1 { "" } else { "s" },
        times.ssr_ms,
        times.unet_ms,
        times.cells_ms,
        times.total_ms
    )
}
