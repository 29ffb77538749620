//! A report as text: one line per field, one line per field on what the models add to the input, then every figure beside
//! its baselines, and the worst cells.

use std::fmt::Write;

use crate::{report::Report, score::Figures};

type Figure = (&'static str, fn(&Figures) -> Option<f64>, usize);

/// Name, figure, decimal places, in display order.
const FIGURES: [Figure; 19] = [
    ("PSNR dB", |f| f.psnr_db, 2),
    ("SSIM", |f| f.ssim, 4),
    ("pixel precision", |f| f.precision, 4),
    ("pixel recall", |f| f.recall, 4),
    ("Dice", |f| f.dice, 4),
    ("IoU", |f| f.iou, 4),
    ("cell Dice (ref. rule)", |f| f.reference_cell_dice, 4),
    ("cell IoU (ref. rule)", |f| f.reference_cell_iou, 4),
    ("AP50", |f| f.ap50, 4),
    ("PQ", |f| f.pq, 4),
    ("object F1", |f| f.ap50.map(f1), 4),
    ("count error", |f| f.count_error, 4),
    ("AP50, edge left out", |f| f.inside_ap50, 4),
    ("PQ, edge left out", |f| f.inside_pq, 4),
    ("object F1, edge left out", |f| f.inside_ap50.map(f1), 4),
    ("count error, edge left out", |f| f.inside_count_error, 4),
    ("consistency, levels", |f| f.consistency_levels, 2),
    ("cell consistency, levels", |f| f.cell_consistency_levels, 2),
    ("unsupported cells", |f| f.unsupported_cells.map(|count| count as f64), 0),
];

/// F1 of objects from AP50 as defined here: TP / (TP + FP + FN).
fn f1(ap50: f64) -> f64 {
    2.0 * ap50 / (1.0 + ap50)
}

/// The whole report, with line ends.
pub fn render(report: &Report) -> String {
    let mut text = aligned(&per_field(report));
    text.push('\n');
    text += &aligned(&honesty(report));
    text.push('\n');
    text += &aligned(&whole_set(report));
    if let Some(drift) = &report.drift {
        text.push('\n');
        let row = |name: &str, value, places| vec![name.to_owned(), signed(value, places)];
        text += &aligned(&[
            vec!["drift (int8 - float)".into(), String::new()],
            row("PSNR dB", drift.psnr_db, 3),
            row("Dice", drift.dice, 4),
            row("AP50", drift.ap50, 4),
            vec!["mean |area| a cell, px".into(), plain(drift.area_px, 2)],
        ]);
    }
    if !report.worst_cells.is_empty() {
        text.push('\n');
        text += &aligned(&worst_cells(report));
    }
    let _ = write!(
        text,
        "\n{} fields, {} annotated cells. bicubic: the same segmenter on the bicubic picture. perfect mask: the true \
         foreground, cells being its components. edge left out: cells that touch the edge of the field are ignored on both \
         sides. consistency: the super-resolved picture shrunk back less the input; \
         AP50 is TP / (TP + FP + FN) at an overlap above one half; pixel precision and recall are of the foreground; an \
         unsupported cell is one that the input does not support.\n",
        report.fields, report.annotated_cells
    );
    text
}

fn per_field(report: &Report) -> Vec<Vec<String>> {
    let mut rows = vec![
        [
            "field",
            "PSNR",
            "bicubic",
            "SSIM",
            "bicubic",
            "prec.",
            "recall",
            "Dice",
            "IoU",
            "cDice",
            "cIoU",
            "AP50",
            "PQ",
            "true",
            "found",
            "count err",
            "quality",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    let fields = report
        .per_field
        .iter()
        .map(|field| (field.field.as_str(), &field.model, &field.bicubic, field.quality.verdict.words().to_owned()));
    let good = report.per_field.iter().filter(|field| field.quality.verdict.is_good()).count();
    let good = format!("{good} good");
    for (name, model, bicubic, quality) in fields.chain([("mean", &report.figures, &report.bicubic, good)]) {
        let mut row = vec![name.to_owned()];
        row.extend([plain(model.psnr_db, 2), plain(bicubic.psnr_db, 2), plain(model.ssim, 4), plain(bicubic.ssim, 4)]);
        row.extend(FIGURES[2..10].iter().map(|(_, figure, places)| plain(figure(model), *places)));
        row.extend([model.true_cells.to_string(), model.predicted_cells.to_string(), plain(model.count_error, 3)]);
        row.push(quality);
        rows.push(row);
    }
    rows
}

/// Differences of the models from their input, and from their float twins if there are any.
fn honesty(report: &Report) -> Vec<Vec<String>> {
    let mut header = vec!["honesty", "consistency", "of cells", "found", "unsupported"];
    if report.drift.is_some() {
        header.extend(["drift: PSNR", "Dice", "AP50", "|area| px"]);
    }
    let mut rows = vec![header.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    let fields = report.per_field.iter().map(|field| (field.field.as_str(), &field.model, &field.drift));
    for (name, model, drift) in fields.chain([("all", &report.figures, &report.drift)]) {
        let mut row = vec![name.to_owned()];
        row.extend([plain(model.consistency_levels, 2), plain(model.cell_consistency_levels, 2)]);
        row.extend([model.predicted_cells.to_string(), plain(model.unsupported_cells.map(|count| count as f64), 0)]);
        if let Some(drift) = drift {
            row.extend([signed(drift.psnr_db, 3), signed(drift.dice, 4), signed(drift.ap50, 4)]);
            row.push(plain(drift.area_px, 2));
        }
        rows.push(row);
    }
    rows
}

/// In the order of the pictures of `--out`.
fn worst_cells(report: &Report) -> Vec<Vec<String>> {
    let mut rows = vec![["worst cells", "field", "cell", "IoU", "true px", "found px"].map(str::to_owned).to_vec()];
    rows.extend((1..).zip(&report.worst_cells).map(|(place, cell)| {
        vec![
            format!("{place:02}"),
            cell.field.clone(),
            cell.cell.to_string(),
            format!("{:.3}", cell.iou),
            cell.true_area_px.to_string(),
            cell.predicted_area_px.to_string(),
        ]
    }));
    rows
}

fn whole_set(report: &Report) -> Vec<Vec<String>> {
    let mut columns = vec![("int8", &report.figures), ("bicubic", &report.bicubic)];
    columns.extend(report.float.as_ref().map(|float| ("float", float)));
    columns.push(("perfect mask", &report.perfect_mask));
    let mut rows = vec![vec!["figure".to_owned()]];
    rows[0].extend(columns.iter().map(|(name, _)| (*name).to_owned()));
    for (name, figure, places) in FIGURES {
        let mut row = vec![name.to_owned()];
        row.extend(columns.iter().map(|(_, figures)| plain(figure(figures), places)));
        rows.push(row);
    }
    rows
}

pub(super) fn plain(value: Option<f64>, places: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.places$}"))
}

fn signed(value: Option<f64>, places: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:+.places$}"))
}

/// Columns two spaces apart: the first left-aligned, the others right-aligned.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (at, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let _ = if at == 0 { write!(line, "{cell:<width$}") } else { write!(line, "  {cell:>width$}") };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{measures::drift::Drift, report::FieldReport, worst_cells::WorstCell};

    fn report() -> Report {
        let model = Figures {
            psnr_db: Some(30.456),
            dice: Some(0.95),
            true_cells: 7,
            consistency_levels: Some(1.66),
            unsupported_cells: Some(2),
            ..Figures::default()
        };
        let bicubic = Figures { psnr_db: Some(24.0), ..Figures::default() };
        let field = |name: &str, ap50| FieldReport {
            field: name.into(),
            quality: Default::default(),
            model: Figures { ap50, ..model },
            bicubic,
            float: None,
            drift: Some(Drift { area_px: Some(0.5), ..Drift::default() }),
        };
        Report {
            fields: 3,
            annotated_cells: 21,
            figures: model,
            bicubic,
            perfect_mask: Figures::default(),
            float: Some(model),
            drift: Some(Drift { psnr_db: Some(-0.0123), dice: Some(0.001), ap50: None, area_px: Some(1.25) }),
            per_field: vec![field("a long name", Some(0.9)), field("b", Some(0.5)), field("c", None)],
            worst_cells: vec![WorstCell {
                field: "b".into(),
                cell: 7,
                iou: 0.125,
                matched: false,
                true_area_px: 160,
                predicted_area_px: 20,
            }],
        }
    }

    #[test]
    fn columns_are_aligned_and_missing_figures_are_dashes() {
        let text = render(&report());
        let lines: Vec<&str> = text.lines().collect();
        let column = lines[0].find("PSNR").map(|at| at + 4);
        for line in &lines[1..5] {
            assert_eq!(line.find("30.46").map(|at| at + 5), column, "{text}");
        }
        assert!(text.contains("-0.012") && text.contains("+0.0010") && text.contains("1.25"), "{text}");
        assert!(text.contains("float"), "{text}");
        assert!(lines.iter().any(|line| line.starts_with("SSIM") && line.ends_with('-')), "{text}");
    }

    fn lines_from<'a>(text: &'a str, start: &str, count: usize) -> Vec<Vec<&'a str>> {
        let lines = text.lines().skip_while(|line| !line.starts_with(start)).take(count);
        lines.map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect()
    }

    #[test]
    fn each_field_has_line_on_consistency_and_drift() {
        let text = render(&report());
        let lines = lines_from(&text, "honesty", 5);
        assert_eq!(lines[0][1..6], ["consistency", "of cells", "found", "unsupported", "drift: PSNR"]);
        assert_eq!(lines[2], ["b", "1.66", "-", "0", "2", "-", "-", "-", "0.50"]);
        assert_eq!(lines[4], ["all", "1.66", "-", "0", "2", "-0.012", "+0.0010", "-", "1.25"]);
        let without = render(&Report { float: None, drift: None, ..report() });
        assert!(without.contains("unsupported") && !without.contains("drift:"), "{without}");
    }

    #[test]
    fn worst_cells_are_listed_by_field_and_number() {
        let text = render(&report());
        assert_eq!(lines_from(&text, "worst cells", 2)[1], ["01", "b", "7", "0.125", "160", "20"]);
        assert!(!render(&Report { worst_cells: vec![], ..report() }).contains("worst cells"));
    }

    #[test]
    fn worst_field_comes_first() {
        assert_eq!(report().worst(2), ["b", "a long name"]);
        assert_eq!(report().worst(9).len(), 3);
    }
}
