//! Charts as inline SVG: a frame with two axes, and bars or a line in it. Colours come from the page's style.

use std::io::{self, Write};

use super::{axis::Axis, histogram::Histogram, html::text, over_time::OverTime};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 44.0;

/// A line is interrupted after this many empty points in a row: nothing was observed there.
const BROKEN_FROM: usize = 4;

/// Where the two axes lie.
struct Plot {
    x: Axis,
    y: Axis,
}

impl Plot {
    fn x(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM)
    }

    fn open(&self, out: &mut dyn Write, name: &str, x_name: &str, y_name: &str) -> io::Result<()> {
        let name = text(name);
        writeln!(out, "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{name}\">")?;
        let bottom = HEIGHT - BOTTOM;
        for value in self.y.numbers() {
            let (y, decimals) = (self.y(value), self.y.decimals());
            write!(out, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{:.1}\"/>", WIDTH - RIGHT)?;
            writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" class=\"at-y\">{value:.decimals$}</text>",
                LEFT - 6.0,
                y + 4.0
            )?;
        }
        for value in self.x.numbers() {
            let (x, decimals) = (self.x(value), self.x.decimals());
            write!(out, "<path class=\"tick\" d=\"M{x:.1} {bottom}v5\"/>")?;
            writeln!(out, "<text x=\"{x:.1}\" y=\"{:.1}\" class=\"at-x\">{value:.decimals$}</text>", bottom + 18.0)?;
        }
        write!(out, "<path class=\"axis\" d=\"M{LEFT} {bottom}H{:.1}\"/>", WIDTH - RIGHT)?;
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        writeln!(out, "<text x=\"{middle}\" y=\"{}\" class=\"at-x name\">{}</text>", HEIGHT - 6.0, text(x_name))?;
        writeln!(out, "<text x=\"4\" y=\"14\" class=\"name\">{}</text>", text(y_name))
    }
}

/// Draws a histogram, with lines at the values of `marks`.
pub(super) fn bars(
    out: &mut dyn Write,
    histogram: &Histogram,
    name: &str,
    x_name: &str,
    marks: &[(&str, f64)],
) -> io::Result<()> {
    let most = histogram.bars.iter().copied().max().unwrap_or(0).max(1);
    let plot = Plot { x: Axis::exact(histogram.from, histogram.to(), 8.0), y: Axis::around(0.0, most as f64, 4.0) };
    plot.open(out, name, x_name, "cells")?;
    for (at, &count) in histogram.bars.iter().enumerate() {
        let left = histogram.from + histogram.width * at as f64;
        let (x, right, y) = (plot.x(left), plot.x(left + histogram.width), plot.y(count as f64));
        if count > 0 {
            let (width, height) = ((right - x - 1.0).max(0.5), HEIGHT - BOTTOM - y);
            writeln!(
                out,
                "<rect class=\"bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
            )?;
        }
    }
    let seen = marks.iter().filter(|(_, value)| (plot.x.from..=plot.x.to).contains(value));
    for (at, (name, value)) in seen.enumerate() {
        // In two rows, so that neighbours do not overlap.
        let (x, y) = (plot.x(*value), if at % 2 == 0 { TOP - 3.0 } else { TOP - 16.0 });
        write!(out, "<path class=\"mark\" d=\"M{x:.1} {TOP}V{:.1}\"/>", HEIGHT - BOTTOM)?;
        writeln!(out, "<text class=\"at-x\" x=\"{x:.1}\" y=\"{y}\">{}</text>", text(name))?;
    }
    writeln!(out, "</svg>")
}

/// Draws points, and lines from one place to another.
pub(crate) fn points(
    out: &mut dyn Write,
    name: &str,
    (x, x_name): (Axis, &str),
    (y, y_name): (Axis, &str),
    points: &[[f64; 2]],
    lines: &[[[f64; 2]; 2]],
) -> io::Result<()> {
    let plot = Plot { x, y };
    plot.open(out, name, x_name, y_name)?;
    for [from, to] in lines {
        let [x, y, to_x, to_y] = [plot.x(from[0]), plot.y(from[1]), plot.x(to[0]), plot.y(to[1])];
        writeln!(out, "<path class=\"mark\" d=\"M{x:.1} {y:.1}L{to_x:.1} {to_y:.1}\"/>")?;
    }
    for [x, y] in points {
        writeln!(out, "<circle class=\"bar\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\"/>", plot.x(*x), plot.y(*y))?;
    }
    writeln!(out, "</svg>")
}

/// A measure over time, and how it is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// The measure.
    pub(super) over_time: &'a OverTime,
    /// Its name for screen readers.
    pub(super) name: &'a str,
    /// The label of its axis.
    pub(super) y_name: &'a str,
    /// A limit, and its name.
    pub(super) limit: Option<(&'a str, f64)>,
}

/// Draws the means as a line, with the range from minimum to maximum shaded.
pub(super) fn line(out: &mut dyn Write, line: Line<'_>) -> io::Result<()> {
    let Line { over_time, name, y_name, limit } = line;
    let (unit, ms) = unit_of_time(over_time.span_ms());
    let (_, greatest) = over_time.range().unwrap_or((0.0, 1.0));
    let greatest = limit.map_or(greatest, |(_, limit)| greatest.max(limit));
    let plot = Plot { x: Axis::exact(0.0, over_time.span_ms() / ms, 8.0), y: Axis::around(0.0, greatest, 4.0) };
    plot.open(out, name, &format!("{unit} since the first frame"), y_name)?;
    let x = |at: usize| LEFT + over_time.place(at) * (WIDTH - LEFT - RIGHT);
    let points: Vec<_> = over_time.each().collect();
    for part in points.chunk_by(|a, b| b.0 - a.0 < BROKEN_FROM) {
        write!(out, "<path class=\"band\" d=\"")?;
        for (step, (at, point)) in part.iter().enumerate() {
            write!(out, "{}{:.1} {:.1}", if step == 0 { 'M' } else { 'L' }, x(*at), plot.y(point.greatest))?;
        }
        for (at, point) in part.iter().rev() {
            write!(out, "L{:.1} {:.1}", x(*at), plot.y(point.least))?;
        }
        write!(out, "Z\"/><path class=\"line\" d=\"")?;
        for (step, (at, point)) in part.iter().enumerate() {
            write!(out, "{}{:.1} {:.1}", if step == 0 { 'M' } else { 'L' }, x(*at), plot.y(point.mean()))?;
        }
        // A single point is a dot: a line of zero length with round ends.
        writeln!(out, "{}\"/>", if part.len() == 1 { "h0" } else { "" })?;
    }
    if let Some((name, limit)) = limit {
        let y = plot.y(limit);
        write!(out, "<path class=\"mark\" d=\"M{LEFT} {y:.1}H{:.1}\"/>", WIDTH - RIGHT)?;
        writeln!(out, "<text class=\"at-y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>", WIDTH - RIGHT, y - 4.0, text(name))?;
    }
    writeln!(out, "</svg>")
}

/// A suitable unit for a span of time, and its milliseconds.
fn unit_of_time(span_ms: f64) -> (&'static str, f64) {
    let units = [("days", 86_400_000.0), ("hours", 3_600_000.0), ("minutes", 60_000.0), ("seconds", 1000.0)];
    units.into_iter().find(|(_, ms)| span_ms >= 3.0 * ms).unwrap_or(("seconds", 1000.0))
}
