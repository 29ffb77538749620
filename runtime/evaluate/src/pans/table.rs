//! The results of the pans as text.

use super::Pans;
use crate::table::aligned;

/// One line per figure, with line ends.
pub fn render(pans: &Pans) -> String {
    let percent = |part: f64| format!("{:.2} %", 100.0 * part);
    let row = |name: &str, value: String, part: String| vec![name.to_owned(), value, part];
    let mut lines = vec![
        row("pans", format!("{} fields", pans.fields), format!("{} frames", pans.frames)),
        row("cells counted", pans.counted.to_string(), format!("of {}", pans.cells)),
        row("counted twice", pans.counted_twice.to_string(), percent(pans.counted_twice_part)),
        row("left out", pans.left_out.to_string(), percent(pans.left_out_part)),
        row("taken for dust", pans.called_stuck.to_string(), String::new()),
        row("new frames taken for old", pans.new_called_old.to_string(), format!("of {}", pans.new_frames)),
        row("wrongly placed", pans.wrongly_placed.to_string(), format!("{} unrelated pairs", pans.unrelated_pairs)),
    ];
    for overlap in &pans.overlaps {
        let name = format!("found at {:.0} to {:.0} % overlap", 100.0 * overlap.from, 100.0 * overlap.to);
        lines.push(row(&name, overlap.found.to_string(), format!("of {}", overlap.frames)));
    }
    let error = pans.shift_error_px.map_or_else(|| "-".to_owned(), |px| format!("{px:.2} px"));
    lines.push(row("median error of the shift", error, String::new()));
    aligned(&lines)
}
