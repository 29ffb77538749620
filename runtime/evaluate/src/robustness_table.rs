//! The robustness of the models as text: one line per disturbance and strength, after one for the unchanged fields.

use crate::{
    robustness::{KeyFigures, RobustnessRow},
    table::{aligned, plain},
};

const HEADER: [&str; 15] = [
    "disturbance",
    "strength",
    "Dice",
    "AP50",
    "PQ",
    "count err",
    "| gated: Dice",
    "AP50",
    "PQ",
    "count err",
    "| good %",
    "focus %",
    "empty %",
    "over %",
    "under %",
];

/// The whole table, with line ends.
pub fn render(rows: &[RobustnessRow]) -> String {
    let mut lines = vec![HEADER.map(str::to_owned).to_vec()];
    let mut before = None;
    for row in rows {
        // The name of a disturbance only once, above its other strengths.
        let name = row.disturbance.map_or("none", |disturbance| disturbance.words());
        let mut line = vec![if before == Some(row.disturbance) { String::new() } else { name.to_owned() }];
        before = Some(row.disturbance);
        line.push(row.strength.map_or_else(|| "-".to_owned(), |strength| strength.to_string()));
        line.extend(figures(&row.any_quality).into_iter().chain(figures(&row.gated)));
        let verdicts = &row.verdicts;
        let shares =
            [verdicts.good, verdicts.out_of_focus, verdicts.empty, verdicts.over_exposed, verdicts.under_exposed];
        line.extend(shares.map(|share| format!("{:.0}", 100.0 * share)));
        lines.push(line);
    }
    let text = aligned(&lines);
    text + "\ngated: frames that are out of focus (focus), empty, over- or under-exposed count no cells, as in segment \
            and run; the columns before it count cells in any frame.\n"
}

fn figures(figures: &KeyFigures) -> [String; 4] {
    [plain(figures.dice, 4), plain(figures.ap50, 4), plain(figures.pq, 4), plain(figures.count_error, 3)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{disturb::Disturbance, robustness::VerdictShares};

    #[test]
    fn disturbance_is_named_once_and_columns_are_aligned() {
        let figures = KeyFigures { dice: Some(0.9), ap50: Some(0.8), pq: None, count_error: Some(0.05) };
        let row = |case: Option<(Disturbance, f64)>, good| RobustnessRow {
            disturbance: case.map(|(disturbance, _)| disturbance),
            strength: case.map(|(_, strength)| strength),
            any_quality: figures,
            gated: figures,
            verdicts: VerdictShares { good, out_of_focus: 1.0 - good, ..VerdictShares::default() },
        };
        let blur = |sigma, good| row(Some((Disturbance::Blur, sigma)), good);
        let text = render(&[row(None, 1.0), blur(0.6, 1.0), blur(2.0, 0.25)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(text.matches("blur").count(), 1, "{text}");
        assert!(lines[1].starts_with("none") && lines[2].contains("0.6") && lines[3].contains("75"), "{text}");
        let end_of = |line: &str, word: &str| line.find(word).map(|at| at + word.len());
        assert_eq!(end_of(lines[0], "Dice"), end_of(lines[3], "0.9000"), "{text}");
    }
}
