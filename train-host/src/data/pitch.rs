//! The pitch of a data set that does not specify one.

use super::{
    field::{Field, cell_areas_px},
    labs::RED_CELL_LR_PX,
    window::EDGES,
};
use bloodseg_vision::{geometry::REFERENCE_LR_PX, model::manifest::Pitch};

/// Diameter of a red cell in a dry thin smear, in micrometres (reference range 6.2 to 8.2).
pub(super) const RED_CELL_UM: f64 = 7.5;

/// The pitch of laboratories that were scaled to red cells of `red_cell_lr_px`, from their descriptions.
pub fn of_laboratories(red_cell_lr_px: f64) -> Pitch {
    let source = format!(
        "stated: pictures are brought to red cells of {red_cell_lr_px:.2} px, which are taken as {RED_CELL_UM} um"
    );
    of(red_cell_lr_px, source)
}

/// Diameter of a red cell on a 64x64 frame, in pixels: at a pitch, or at the usual one.
pub fn red_cell_lr_px(um_per_px: Option<f64>) -> f64 {
    um_per_px.map_or(RED_CELL_LR_PX, |um| RED_CELL_UM / um)
}

/// Estimates the pitch from the median cell of the fields, whose diameter is taken as that of a red cell.
pub fn estimate(fields: &[Field]) -> Pitch {
    let mut diameters: Vec<f64> = fields
        .iter()
        .flat_map(|field| {
            let lr_px = f64::from(REFERENCE_LR_PX) / field.frame_edge_px;
            cell_areas_px(&field.mask)
                .into_iter()
                .map(move |area| 2.0 * (f64::from(area) / std::f64::consts::PI).sqrt() * lr_px)
        })
        .collect();
    diameters.sort_by(f64::total_cmp);
    let median_px = diameters.get(diameters.len() / 2).copied().unwrap_or(f64::NAN);
    of(
        median_px,
        format!(
            "estimated: the median cell of the training fields ({median_px:.2} px on the 64x64 grid) taken as {RED_CELL_UM} um"
        ),
    )
}

fn of(red_cell_px: f64, source: String) -> Pitch {
    let um_per_px = RED_CELL_UM / red_cell_px;
    let round = |x: f64| (x * 1000.0).round() / 1000.0;
    Pitch {
        um_per_px: round(um_per_px),
        least_um_per_px: round(um_per_px * EDGES.0),
        greatest_um_per_px: round(um_per_px * EDGES.1),
        source,
    }
}
