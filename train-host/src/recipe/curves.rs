//! The log of a run as a picture: loss, figures, and the selected epoch.

use std::path::Path;

use anyhow::{Context, Result};
use image::RgbImage;
use plotters::{
    chart::ChartBuilder,
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
    element::{Circle, PathElement, Rectangle, Text},
    prelude::{DrawingBackend, SVGBackend},
    series::LineSeries,
    style::{Color, IntoFont, RGBColor, WHITE},
};

use crate::show::{canvas::Canvas, fields::png};

/// Size of a panel, in pixels.
const PANEL_PX: (u32, u32) = (720, 240);
/// Colours that colour-blind people can distinguish (Okabe and Ito, 2008).
const TRAINED: RGBColor = RGBColor(80, 80, 80);
const HELD_BACK: RGBColor = RGBColor(0, 114, 178);
const REPORTED: RGBColor = RGBColor(213, 94, 0);
const CHOSEN: RGBColor = RGBColor(0, 158, 115);
const QUANTIZED: RGBColor = RGBColor(236, 236, 236);

/// A row of the log: names and values of its columns.
type Row = Vec<(String, String)>;

/// The contents of one panel.
struct Panel {
    title: &'static str,
    lines: &'static [(&'static str, &'static str, RGBColor)],
}

/// Panels by the columns of the log; those without a column are omitted.
const PANELS: [Panel; 4] = [
    Panel { title: "loss", lines: &[("train_loss", "trained", TRAINED)] },
    Panel {
        title: "PSNR, dB",
        lines: &[("held_back_psnr_db", "held back", HELD_BACK), ("val_psnr_db", "val", REPORTED)],
    },
    Panel { title: "Dice", lines: &[("held_back_dice", "held back", HELD_BACK), ("val_dice", "val", REPORTED)] },
    Panel { title: "AP50", lines: &[("held_back_ap50", "held back", HELD_BACK), ("val_ap50", "val", REPORTED)] },
];

/// Draws the rows of a log ([`super::log`]) as SVG, or as PNG by the file's extension: panels for the loss and for PSNR
/// (dB), or Dice and AP50 (0 to 1), over the epochs, with lines for validation and reported fields, the quantized epochs
/// shaded, and the selected epoch marked. Missing and non-finite values are gaps.
///
/// # Errors
/// A file that cannot be written.
pub fn write(rows: &[Row], file: &Path) -> Result<()> {
    let bytes = match file.extension().is_some_and(|ending| ending == "png") {
        true => png(&pixels(rows)?)?,
        false => picture(rows)?.into_bytes(),
    };
    let partial = file.with_extension("partial");
    std::fs::write(&partial, bytes).with_context(|| format!("{}: cannot write", partial.display()))?;
    std::fs::rename(&partial, file).with_context(|| format!("{}: cannot rename", partial.display()))
}

fn picture(rows: &[Row]) -> Result<String> {
    let mut svg = String::new();
    draw_all(SVGBackend::with_string(&mut svg, size_px(rows)), rows)?;
    Ok(svg)
}

fn pixels(rows: &[Row]) -> Result<RgbImage> {
    let (width, height) = size_px(rows);
    let mut picture = RgbImage::new(width, height);
    draw_all(Canvas::on(&mut picture), rows)?;
    Ok(picture)
}

/// The panels with data.
fn panels(rows: &[Row]) -> Vec<&'static Panel> {
    PANELS.iter().filter(|p| p.lines.iter().any(|l| !runs(rows, l.0).is_empty())).collect()
}

fn size_px(rows: &[Row]) -> (u32, u32) {
    (PANEL_PX.0, PANEL_PX.1 * panels(rows).len().max(1) as u32)
}

fn draw_all<B: DrawingBackend>(backend: B, rows: &[Row]) -> Result<()>
where
    B::ErrorType: 'static,
{
    let panels = panels(rows);
    let root = backend.into_drawing_area();
    root.fill(&WHITE)?;
    if panels.is_empty() {
        root.draw(&Text::new("no epoch yet", (16, 16), ("sans-serif", 16)))?;
    } else {
        for (area, panel) in root.split_evenly((panels.len(), 1)).iter().zip(panels) {
            draw(area, panel, rows)?;
        }
    }
    Ok(root.present()?)
}

fn draw<B: DrawingBackend>(area: &DrawingArea<B, Shift>, panel: &Panel, rows: &[Row]) -> Result<()>
where
    B::ErrorType: 'static,
{
    let (first, last) = (0.5, rows.len() as f64 + 0.5);
    let (least, greatest) = range(rows, panel);
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .margin_top(36)
        .margin_right(24)
        .x_label_area_size(32)
        .y_label_area_size(56)
        .build_cartesian_2d(first..last, least..greatest)?;
    let shaded = rows.iter().enumerate().filter(|(_, row)| value(row, "quantized") == Some(1.0)).map(|(index, _)| {
        let epoch = index as f64 + 1.0;
        Rectangle::new([(epoch - 0.5, least), (epoch + 0.5, greatest)], QUANTIZED.filled())
    });
    chart.draw_series(shaded)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc("epoch")
        .x_labels(rows.len().clamp(2, 12))
        .x_label_formatter(&|x| if (x - x.round()).abs() < 1e-6 { format!("{x:.0}") } else { String::new() })
        .y_labels(5)
        .y_label_formatter(&|y| label(*y, greatest - least))
        .draw()?;
    if let Some(chosen) = rows.iter().rposition(|row| value(row, "best") == Some(1.0)) {
        let epoch = chosen as f64 + 1.0;
        chart.draw_series([PathElement::new([(epoch, least), (epoch, greatest)], CHOSEN)])?;
    }
    for (column, _, colour) in panel.lines {
        for run in runs(rows, column) {
            chart.draw_series(run.iter().map(|at| Circle::new(*at, 2, colour.filled())))?;
            chart.draw_series(LineSeries::new(run, colour))?;
        }
    }
    area.draw(&Text::new(panel.title, (64, 12), ("sans-serif", 16)))?;
    for (line, (text, colour)) in legend(panel, rows).into_iter().enumerate() {
        let at = (PANEL_PX.0 as i32 - 24 - 110 * (line as i32 + 1), 12);
        area.draw(&Text::new(text, at, ("sans-serif", 13).into_font().color(&colour)))?;
    }
    Ok(())
}

/// The legend of a panel, right to left.
fn legend(panel: &Panel, rows: &[Row]) -> Vec<(String, RGBColor)> {
    let mut legend: Vec<(String, RGBColor)> =
        panel.lines.iter().rev().map(|(_, label, colour)| ((*label).to_owned(), *colour)).collect();
    if let Some(chosen) = rows.iter().rposition(|row| value(row, "best") == Some(1.0)) {
        legend.push((format!("epoch {} chosen", chosen + 1), CHOSEN));
    }
    if rows.iter().any(|row| value(row, "quantized") == Some(1.0)) {
        legend.push(("shaded: int8".into(), TRAINED));
    }
    legend
}

/// The range of a panel with a margin, never empty.
fn range(rows: &[Row], panel: &Panel) -> (f64, f64) {
    let values = panel.lines.iter().flat_map(|line| runs(rows, line.0)).flatten().map(|(_, y)| y);
    let (least, greatest) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, g), y| (l.min(y), g.max(y)));
    let margin = ((greatest - least) * 0.05).max(greatest.abs() * 1e-3).max(1e-6);
    (least - margin, greatest + margin)
}

/// A number with as many decimals as the range of its axis needs.
fn label(y: f64, span: f64) -> String {
    let decimals = (1.0 - span.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{y:.decimals$}")
}

/// A column as epochs (from 1) and values, split where a value is missing.
fn runs(rows: &[Row], column: &str) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![Vec::new()];
    for (index, row) in rows.iter().enumerate() {
        match (value(row, column), runs.last_mut()) {
            (Some(y), Some(run)) => run.push((index as f64 + 1.0, y)),
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// A finite value of a row, small enough that its range does not overflow.
fn value(row: &Row, column: &str) -> Option<f64> {
    let text = &row.iter().find(|(name, _)| name == column)?.1;
    text.parse().ok().filter(|value: &f64| value.abs() < 1e12)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row(columns: &[(&str, &str)]) -> Row {
        columns.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn ssr_row(quantized: &str, loss: &str, held_back: &str, best: &str) -> Row {
        let rest = [("val_psnr_db", "25.5"), ("best", best)];
        let own = [("quantized", quantized), ("train_loss", loss), ("held_back_psnr_db", held_back)];
        row(&own.into_iter().chain(rest).collect::<Vec<_>>())
    }

    /// Polylines of more than one point in a colour.
    fn lines(svg: &str, RGBColor(r, g, b): RGBColor) -> usize {
        let stroke = format!("stroke=\"#{r:02X}{g:02X}{b:02X}\"");
        svg.lines().filter(|line| line.contains("<polyline") && line.contains(&stroke)).count()
    }

    #[test]
    fn super_resolution_log_has_two_panels() {
        let rows =
            [ssr_row("0", "0.04", "24.1", "0"), ssr_row("1", "0.03", "26.0", "1"), ssr_row("1", "0.02", "25.9", "0")];
        let svg = picture(&rows).unwrap();
        assert_eq!([TRAINED, HELD_BACK, REPORTED].map(|colour| lines(&svg, colour)), [1, 1, 1]);
        assert_eq!(lines(&svg, CHOSEN), 2, "the chosen epoch in each panel");
        assert_eq!(svg.matches("fill=\"#ECECEC\"").count(), 4, "two quantized epochs in each panel");
        for label in ["loss", "PSNR, dB", "held back", "val", "epoch 2 chosen", "shaded: int8"] {
            assert!(svg.contains(label), "no '{label}' in {svg}");
        }
        assert!(!svg.contains("Dice"));
    }

    #[test]
    fn segmenter_log_has_dice_and_ap50() {
        let columns = [
            ("train_loss", "1.5"),
            ("held_back_dice", "0.9"),
            ("val_dice", "0.88"),
            ("held_back_ap50", "0.7"),
            ("val_ap50", "0.6"),
        ];
        let svg = picture(&[row(&columns), row(&columns)]).unwrap();
        assert_eq!([TRAINED, HELD_BACK, REPORTED].map(|colour| lines(&svg, colour)), [1, 2, 2]);
        assert!(svg.contains("Dice") && svg.contains("AP50") && !svg.contains("PSNR"));
    }

    #[test]
    fn missing_values_split_a_line() {
        let rows = ["24", "25", "NaN", "26", "inf", "27"].map(|psnr| ssr_row("0", "1", psnr, "0"));
        assert_eq!(lines(&picture(&rows).unwrap(), HELD_BACK), 3);
    }

    #[test]
    fn degenerate_rows_are_drawn() {
        let one = ssr_row("1", "0.5", "20", "1");
        for rows in [
            vec![],
            vec![one.clone()],
            vec![vec![], one.clone()],
            vec![ssr_row("x", "NaN", "", "?")],
            vec![ssr_row("1", "1e300", "-1e308", "1"), one.clone()],
            vec![ssr_row("1", "0", "0", "1"), ssr_row("1", "0", "0", "1")],
            vec![row(&[("held_back_ap50", "0.5"), ("<&>", "\"")])],
            vec![one; 300],
        ] {
            let svg = picture(&rows).unwrap();
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{rows:?}: {svg}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{rows:?}: {svg}");
            assert!(pixels(&rows).unwrap().pixels().any(|pixel| pixel.0 != [255; 3]), "{rows:?}");
        }
    }

    #[test]
    fn png_shows_lines_and_text() {
        let rows = [ssr_row("0", "0.04", "24.1", "0"), ssr_row("1", "0.03", "26.0", "1")];
        let picture = pixels(&rows).unwrap();
        assert_eq!(picture.dimensions(), (720, 480));
        let count = |RGBColor(r, g, b)| picture.pixels().filter(|pixel| pixel.0 == [r, g, b]).count();
        for colour in [TRAINED, HELD_BACK, REPORTED, CHOSEN, QUANTIZED] {
            assert!(count(colour) > 50, "{colour:?}: {}", count(colour));
        }
        assert_eq!(pixels(&[]).unwrap().dimensions(), (720, 240));
        // The title, where nothing else is drawn.
        let title = image::imageops::crop_imm(&picture, 64, 10, 60, 18).to_image();
        assert!(title.pixels().filter(|pixel| pixel.0[0] < 128).count() > 30);
    }

    #[test]
    fn writes_complete_file_without_leftovers() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("curves.svg");
        write(&[ssr_row("0", "1", "2", "0")], &file).unwrap();
        assert!(std::fs::read_to_string(&file).unwrap().contains("</svg>"));
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
        assert!(write(&[], &root.path().join("none/curves.svg")).is_err());
    }
}
