//! The history of a run's figures as the text of a file: a JSON array of the numbers of each figure.

use bloodseg_statistics::drift::{Drift, Figure};

/// The state of each of [`Figure::ALL`].
pub type History = [Drift; Figure::ALL.len()];

/// Nothing learned yet.
pub fn empty() -> History {
    Figure::ALL.map(|figure| Drift::new(figure.least()))
}

/// The text of a history.
pub fn text(history: &History) -> String {
    let parts: Vec<Vec<f64>> = history.iter().map(|figure| figure.to_parts().to_vec()).collect();
    // Numbers cannot fail to be written.
    let mut text = serde_json::to_string(&parts).unwrap_or_default();
    text.push('\n');
    text
}

/// The history in a text; `None` if it is not a list of numbers. Figures with an impossible state start over.
pub fn parse(text: &str) -> Option<History> {
    // NaN is null in JSON.
    let parsed: Vec<Vec<Option<f64>>> = serde_json::from_str(text).ok()?;
    let mut figures = parsed
        .into_iter()
        .map(|parts| -> Vec<f64> { parts.into_iter().map(|part| part.unwrap_or(f64::NAN)).collect() });
    Some(Figure::ALL.map(|figure| {
        let known = figures.next().and_then(|parts| Drift::from_parts(figure.least(), &parts));
        known.unwrap_or_else(|| Drift::new(figure.least()))
    }))
}
