//! A validation as a page: the figures, both counts against each other, and their differences (Bland and Altman).

use std::io::{self, Write};

use super::{Matched, Validation};
use crate::report::page_parts::{Axis, begin_page, end_page, pairs, points};
use bloodseg_statistics::{Interval, agreement::Estimate};

/// Writes the page.
///
/// # Errors
/// Those of `out`.
pub fn write_page(out: &mut dyn Write, validation: &Validation, matched: &[Matched], missing: usize) -> io::Result<()> {
    let agreement = &validation.agreement;
    begin_page(out, "Validation of counts")?;
    writeln!(
        out,
        "<p>{} pictures that a person and the program counted. Intervals hold the truth with 95 %.</p>",
        agreement.pairs
    )?;
    if missing > 0 {
        writeln!(out, "<p>{missing} further pictures of the person's table were not counted by the program.</p>")?;
    }
    let figure = |Estimate { value, interval: Interval { low, high } }: Estimate, decimals: usize| {
        format!("{value:.decimals$} ({low:.decimals$} to {high:.decimals$})")
    };
    let [lower, upper] = agreement.limits;
    pairs(
        out,
        "Agreement: person = offset + slope × program",
        &[
            ("Offset, cells", figure(agreement.offset, 2)),
            ("Slope", figure(agreement.slope, 3)),
            ("Bias, program minus person, cells per picture", figure(agreement.bias, 2)),
            ("Limits of agreement, lower", figure(lower, 1)),
            ("Limits of agreement, upper", figure(upper, 1)),
            (
                "Validated range, cells of the program",
                format!("{:.0} to {:.0}", agreement.validated.low, agreement.validated.high),
            ),
        ],
    )?;
    let most = matched.iter().map(|matched| matched.pair.program.max(matched.pair.person)).fold(1.0, f64::max);
    let whole = Axis::around(0.0, most, 6.0);
    let validated = agreement.validated;
    let at = |program: f64| agreement.offset.value + agreement.slope.value * program;
    let of_pairs: Vec<[f64; 2]> = matched.iter().map(|matched| [matched.pair.program, matched.pair.person]).collect();
    writeln!(out, "<h2>Both counts</h2>\n<figure>")?;
    points(
        out,
        "Counts of the person against those of the program",
        (whole, "cells, program"),
        (whole, "cells, person"),
        &of_pairs,
        &[[[0.0, 0.0], [most, most]], [[validated.low, at(validated.low)], [validated.high, at(validated.high)]]],
    )?;
    writeln!(out, "<figcaption>The lines: equal counts, and the regression.</figcaption>\n</figure>")?;
    let differences: Vec<[f64; 2]> =
        of_pairs.iter().map(|[program, person]| [(program + person) / 2.0, program - person]).collect();
    let ends = differences.iter().flat_map(|[_, difference]| [*difference, lower.value, upper.value]);
    let (least, greatest) =
        ends.fold((0.0_f64, 0.0_f64), |(least, greatest), value| (least.min(value), greatest.max(value)));
    writeln!(out, "<h2>Differences</h2>\n<figure>")?;
    let level = |value: f64| [[0.0, value], [most, value]];
    points(
        out,
        "Differences of both counts against their mean",
        (whole, "mean of both counts"),
        (Axis::around(least, greatest, 4.0), "program minus person"),
        &differences,
        &[level(agreement.bias.value), level(lower.value), level(upper.value)],
    )?;
    writeln!(out, "<figcaption>The lines: bias, and limits of agreement.</figcaption>\n</figure>")?;
    end_page(out)
}
