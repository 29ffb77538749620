//! A FHIR R4 bundle with one Observation per sample (<https://hl7.org/fhir/R4/observation.html>).
//!
//! Each figure is a component with its value, followed by one with its 95 % interval as a range. Units are those of UCUM. No
//! standard code describes cells per microscope field, so the codes are those of this program.

use std::io::Write;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Result, samples};
use crate::{
    count::Total,
    store::read::{Filter, Records},
};
use bloodseg_clock::utc;
use bloodseg_vision::digest::sha256;

/// System of the codes below.
const CODES: &str = "urn:bloodseg:measure";

const UCUM: &str = "http://unitsofmeasure.org";

const ABSENT: &str = "http://terminology.hl7.org/CodeSystem/data-absent-reason";

const CATEGORIES: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

/// For each of [`samples::FIGURES`]: a label, a UCUM unit, its label, and the factor from the table's value.
const UNITS: [(&str, &str, &str, f64); samples::FIGURES.len()] = [
    ("Red and white cells per field", "{cells}/{field}", "cells/field", 1.0),
    ("Red cells per field", "{cells}/{field}", "cells/field", 1.0),
    ("White cells per field", "{cells}/{field}", "cells/field", 1.0),
    ("Platelets per field", "{platelets}/{field}", "platelets/field", 1.0),
    ("White cells of all cells", "%", "%", 100.0),
    ("Cells not supported by the input, of all cells", "%", "%", 100.0),
    ("Cells per analysed area", "{cells}/mm2", "cells/mm²", 1.0),
];

/// Writes the bundle.
pub(super) fn write(records: &Records, filter: &Filter, out: &mut dyn Write, progress: &mut dyn FnMut()) -> Result<()> {
    let mut entries = Vec::new();
    for counted in samples::count(records, filter, progress)? {
        let about = samples::About::read(records, &counted.name)?;
        // Run numbers repeat in other folders, marks do not.
        let mark = records.mark_of_run(counted.first_run)?;
        let id = uuid(&[mark.to_be_bytes().as_slice(), counted.name.as_bytes()].concat());
        entries.push(json!({ "fullUrl": format!("urn:uuid:{id}"), "resource": observation(&id, &counted, &about) }));
    }
    // An empty list is not valid FHIR.
    let mut bundle = json!({ "resourceType": "Bundle", "type": "collection" });
    if !entries.is_empty() {
        bundle["entry"] = entries.into();
    }
    let indent = serde_json::ser::PrettyFormatter::with_indent(b" ");
    bundle.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, indent))?;
    Ok(out.write_all(b"\n")?)
}

fn observation(id: &str, counted: &samples::Counted, about: &samples::About) -> Value {
    let summary = counted.count.summary();
    let mut components = Vec::new();
    let Total { cells, red, white, platelets } = summary.map(|summary| summary.total).unwrap_or_default();
    let counts = [
        ("cells", "Red and white cells, each counted once", summary.map(|_| cells)),
        ("red", "Red cells", red),
        ("white", "White cells", white),
        ("platelets", "Platelets, not included in the cells", platelets),
    ];
    for (code, words, count) in counts {
        let unit = if code == "platelets" { "platelets" } else { "cells" };
        components.push(component(code, words, count.map(|count| count as f64), &format!("{{{unit}}}"), unit));
    }
    let fields = summary.map(|summary| summary.fields as f64);
    components.push(component("fields", "Distinct fields", fields, "{fields}", "fields"));
    let not_counted = counted.frames - summary.map_or(0, |summary| summary.pictures);
    components.push(component(
        "not_counted",
        "Pictures not counted",
        Some(not_counted as f64),
        "{pictures}",
        "pictures",
    ));
    let figures = samples::figures(summary.as_ref());
    for ((code, (words, unit, unit_words, factor)), figure) in samples::FIGURES.into_iter().zip(UNITS).zip(figures) {
        components.push(component(code, words, figure.map(|[value, ..]| value * factor), unit, unit_words));
        if let Some([_, low, high]) = figure.map(|figure| figure.map(|end| rounded(end * factor)))
            && low <= high
        {
            components.push(json!({
                "code": coded(&format!("{code}_interval_95"), &format!("{words}, 95 % interval")),
                "valueRange": {
                    "low": quantity(low, unit, unit_words),
                    "high": quantity(high, unit, unit_words),
                },
            }));
        }
    }
    let mut observation = json!({
        "resourceType": "Observation",
        "id": id,
        // A count by a program is final only once a person has reviewed it.
        "status": "preliminary",
        "category": [{ "coding": [{ "system": CATEGORIES, "code": "laboratory", "display": "Laboratory" }] }],
        "code": coded("smear_count", "Blood cell count of a smear, by fields"),
        "effectivePeriod": {
            "start": utc::rfc3339(counted.first_utc_ms).to_string(),
            "end": utc::rfc3339(counted.last_utc_ms).to_string(),
        },
        "method": { "text": "Automated count in microscope pictures; intervals contain the sampling error only" },
        "device": { "display": concat!("bloodseg ", env!("CARGO_PKG_VERSION")) },
        "component": components,
    });
    if let Some(name) = plain(&counted.name) {
        observation["specimen"] =
            json!({ "identifier": { "system": "urn:bloodseg:sample", "value": name }, "display": name });
    }
    if let Some(operator) = plain(&about.operator) {
        observation["performer"] = json!([{ "display": operator }]);
    }
    let stain = plain(&about.stain).map(|stain| format!("Stain: {stain}"));
    let notes: Vec<Value> = stain.into_iter().chain(plain(&about.note)).map(|text| json!({ "text": text })).collect();
    if !notes.is_empty() {
        observation["note"] = notes.into();
    }
    observation
}

/// FHIR strings must not be blank.
fn plain(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn component(code: &str, words: &str, value: Option<f64>, unit: &str, unit_words: &str) -> Value {
    match value.filter(|value| value.is_finite()) {
        Some(value) => {
            json!({ "code": coded(code, words), "valueQuantity": quantity(rounded(value), unit, unit_words) })
        }
        None => {
            let unknown = json!({ "coding": [{ "system": ABSENT, "code": "unknown", "display": "Unknown" }] });
            json!({ "code": coded(code, words), "dataAbsentReason": unknown })
        }
    }
}

fn coded(code: &str, words: &str) -> Value {
    json!({ "coding": [{ "system": CODES, "code": code, "display": words }], "text": words })
}

fn quantity(value: f64, unit: &str, unit_words: &str) -> Value {
    json!({ "value": value, "unit": unit_words, "system": UCUM, "code": unit })
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// A version 8 UUID (RFC 9562) that depends only on `name`, so that a repeated export has the same ids.
fn uuid(name: &[u8]) -> String {
    let digest = sha256(name);
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    format!("{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}
