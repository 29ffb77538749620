//! How cells are separated, chosen on laboratories that a segmenter was not trained on.
//!
//! On pictures that a segmenter was trained on, the saddles between its cells are deeper than on those of another
//! laboratory. A depth chosen there merges cells elsewhere.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{
    cells::RULE,
    scenes::{Scene, SceneFigures},
};
use bloodseg_vision::model::manifest::CellRule;

/// The file that a training without one laboratory writes beside its checkpoints.
pub const FILE: &str = "separation.csv";

/// The part of a rule that separates cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Separation {
    saddle_depth: u8,
    white_saddle_depth: u8,
}

/// A separation and its figures on a laboratory: a row of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    saddle_depth: u8,
    white_saddle_depth: u8,
    /// [`SceneFigures::score`] without Dice.
    score: f64,
    cells_f1: f64,
    count_error: f64,
}

impl Row {
    fn separation(&self) -> Separation {
        let Self { saddle_depth, white_saddle_depth, .. } = *self;
        Separation { saddle_depth, white_saddle_depth }
    }
}

impl Separation {
    fn rule(self, foreground_level: u8) -> CellRule {
        let Self { saddle_depth, white_saddle_depth } = self;
        CellRule { foreground_level, saddle_depth, white_saddle_depth: Some(white_saddle_depth), ..RULE }
    }

    fn words(self) -> String {
        format!("{}, white {}", self.saddle_depth, self.white_saddle_depth)
    }
}

/// Every separation that is tried: a white cell is never separated at a shallower saddle than a red one.
fn candidates() -> Vec<Separation> {
    let pairs = [4, 6, 8, 11, 15, 20, 30].into_iter().flat_map(|depth| [15, 20, 30].map(|white| (depth, white)));
    pairs
        .filter(|(depth, white)| white >= depth)
        .map(|(saddle_depth, white_saddle_depth)| Separation { saddle_depth, white_saddle_depth })
        .collect()
}

/// Writes the figures of every separation on maps `[N, 4, 256, 256]` (levels) of the frames of one laboratory.
///
/// # Errors
/// Maps without valid cells, a file that cannot be written.
pub fn write(file: &Path, maps: &Tensor, scenes: &[Scene], foreground_level: u8) -> Result<()> {
    let mut writer = csv::Writer::from_path(file).with_context(|| format!("{}: cannot write", file.display()))?;
    for separation in candidates() {
        let figures = SceneFigures::of(maps, scenes, &separation.rule(foreground_level))?;
        writer.serialize(Row {
            saddle_depth: separation.saddle_depth,
            white_saddle_depth: separation.white_saddle_depth,
            score: figures.score(0.0)?,
            cells_f1: figures.cells_f1().context("a laboratory without cells")?,
            count_error: figures.count_error().context("a laboratory without cells")?,
        })?;
    }
    writer.flush().with_context(|| format!("{}: cannot write", file.display()))
}

/// Reads the files of several trainings and chooses the separation with the best mean score; for each file also the one
/// that the other files choose, with its figures on this one: what to expect of a laboratory that nothing was chosen on.
///
/// # Errors
/// Fewer than two files, files that cannot be read or have other rows.
pub fn choose(files: &[impl AsRef<Path>]) -> Result<String> {
    ensure!(files.len() > 1, "{} file; expected those of at least two laboratories", files.len());
    let tables = files.iter().map(|file| read(file.as_ref())).collect::<Result<Vec<_>>>()?;
    for (table, file) in tables.iter().zip(files) {
        ensure!(
            table.keys().eq(tables[0].keys()),
            "{}: other separations than the first file",
            file.as_ref().display()
        );
    }
    let mut text = String::from(
        "| file | chosen on the other files | object F1 | count error | best on this file |\n|---|---|---|---|---|\n",
    );
    for (at, file) in files.iter().enumerate() {
        let others: Vec<_> =
            tables.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, table)| table).collect();
        let chosen = best(&others)?;
        let row = &tables[at][&chosen];
        writeln!(
            text,
            "| {} | {} | {:.3} | {:.1} % | {} |",
            file.as_ref().display(),
            chosen.words(),
            row.cells_f1,
            100.0 * row.count_error,
            best(&[&tables[at]])?.words()
        )?;
    }
    let all = best(&tables.iter().collect::<Vec<_>>())?;
    writeln!(text, "| all | {} | | | |", all.words())?;
    Ok(text)
}

fn read(file: &Path) -> Result<BTreeMap<Separation, Row>> {
    let mut reader = csv::Reader::from_path(file).with_context(|| format!("{}: cannot read", file.display()))?;
    let rows = reader.deserialize::<Row>().map(|row| row.map(|row| (row.separation(), row)));
    rows.collect::<std::result::Result<_, _>>()
        .with_context(|| format!("{}: not figures of separations", file.display()))
}

/// Mean scores that differ by less are equal.
const TOLERANCE: f64 = 0.001;

/// The separation with the greatest mean score; of equal ones the deepest, on which the noise of single levels has the least
/// effect.
fn best(tables: &[&BTreeMap<Separation, Row>]) -> Result<Separation> {
    let score =
        |separation: &Separation| tables.iter().map(|table| table[separation].score).sum::<f64>() / tables.len() as f64;
    let first = tables.first().context("no files")?;
    let greatest = first.keys().map(score).fold(f64::NEG_INFINITY, f64::max);
    first.keys().rev().find(|separation| score(separation) >= greatest - TOLERANCE).copied().context("no separations")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A file in which a depth of `best_depth` has the greatest score.
    fn file(folder: &Path, name: &str, best_depth: u8) -> std::path::PathBuf {
        let path = folder.join(name);
        let mut writer = csv::Writer::from_path(&path).unwrap();
        for saddle_depth in [4_u8, 8, 15] {
            let off = f64::from(saddle_depth.abs_diff(best_depth));
            writer
                .serialize(Row {
                    saddle_depth,
                    white_saddle_depth: 20,
                    score: -off,
                    cells_f1: 1.0 - off / 100.0,
                    count_error: off / 100.0,
                })
                .unwrap();
        }
        writer.flush().unwrap();
        path
    }

    #[test]
    fn laboratories_are_scored_by_choice_of_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let files = [("a", 4), ("b", 15), ("c", 15)].map(|(name, depth)| file(folder.path(), name, depth));
        let text = choose(&files).unwrap();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert!(lines[0].contains("| 15, white 20 | 0.890 | 11.0 % | 4, white 20 |"), "{text}");
        // For a and c together each depth is 11 off: the deepest.
        assert!(lines[1].contains("| 15, white 20 | 1.000 | 0.0 % | 15, white 20 |"), "{text}");
        assert!(lines[3].starts_with("| all | 15, white 20 |"), "{text}");
    }

    #[test]
    fn single_or_mismatched_files_are_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let one = file(folder.path(), "a", 4);
        assert!(choose(&[&one]).unwrap_err().to_string().contains("at least two"));
        let other = folder.path().join("b");
        let text = std::fs::read_to_string(&one).unwrap();
        std::fs::write(&other, text.lines().take(3).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        assert!(choose(&[&one, &other]).unwrap_err().to_string().contains("other separations"));
        std::fs::write(&other, "a,b\n1,2\n").unwrap();
        assert!(choose(&[&one, &other]).unwrap_err().to_string().contains("not figures"));
    }

    #[test]
    fn candidates_are_distinct_and_include_the_rule() {
        let all = candidates();
        assert!(all.is_sorted_by(|a, b| a < b));
        assert!(all.iter().any(|separation| separation.rule(RULE.foreground_level) == RULE));
    }
}
