//! Message payloads in JSON; docs/mqtt.md is the reference.

use serde::Serialize;

use super::unsent::{Entry, Gap};
use crate::{
    config::limits::MAX_MQTT_NAME_BYTES,
    run::{answer::Answer, state::State},
};
use bloodseg_clock::utc;
use bloodseg_records::{frames::Area, limits::MAX_RECORD_NAME_BYTES, store::write::cut};

/// The availability of the box.
pub(super) const ONLINE: &str = "online";
/// The same, and the last will.
pub(super) const OFFLINE: &str = "offline";

#[derive(Serialize)]
struct FrameMessage<'a> {
    #[serde(rename = "box")]
    box_name: &'a str,
    run: i64,
    run_mark: &'a str,
    run_started_utc: String,
    frame: i64,
    at_utc: String,
    source: &'a str,
    /// `None` if no sample is named.
    sample: Option<&'a str>,
    image: &'a str,
    verdict: &'a str,
    counted: bool,
    /// `None` for a frame that was not counted.
    cells: Option<i64>,
    unsupported: Option<i64>,
    #[serde(flatten)]
    kinds: Kinds,
    /// `None` if frames are not compared.
    field: Option<&'static str>,
    new_cells: Option<u32>,
    new_part: Option<f64>,
    mean_diameter_um: Option<f64>,
    mean_diameter_sr_px: Option<f64>,
    um_per_px: Option<f64>,
    um_per_px_low: Option<f64>,
    um_per_px_high: Option<f64>,
    pitch_source: &'static str,
    um_per_sr_px: Option<f64>,
    scale: f64,
    analysed_px2: f64,
    analysed_um2: Option<f64>,
    cells_per_mm2: Option<f64>,
    quality: Quality,
    dropped: i64,
    total_ms: f64,
}

/// `None` if kinds are unknown; platelets are not included in the cells.
#[derive(Serialize)]
struct Kinds {
    red: Option<i64>,
    white: Option<i64>,
    platelets: Option<i64>,
}

impl Kinds {
    fn of(entry: Option<&Entry>) -> Self {
        let [red, white, platelets] = entry.map(|entry| entry.kinds).unwrap_or_default();
        Self { red, white, platelets }
    }
}

#[derive(Serialize)]
struct Quality {
    sharpness_per_px: Option<f64>,
    contrast_levels: f64,
    clipped_share: f64,
    depth_levels: f64,
    brightness_levels: f64,
}

/// The message of a frame.
pub(super) fn frame(box_name: &str, entry: &Entry) -> String {
    let [contrast, clipped, depth, brightness] = entry.quality;
    let (scaled, area) = (&entry.scaled, Area::of(&entry.scaled, entry.analysed_px as f64));
    let per_mm2 = |um2: f64| (entry.cells as f64 / um2 * 1e6).round();
    let range = scaled.um_per_px_range;
    json(&FrameMessage {
        box_name,
        run: entry.run,
        run_mark: &mark(entry.run_mark),
        run_started_utc: utc::rfc3339(entry.started_utc_ms).to_string(),
        frame: entry.number,
        at_utc: utc::rfc3339(entry.at_utc_ms).to_string(),
        source: &cut::<MAX_MQTT_NAME_BYTES>(&entry.source),
        sample: Some(entry.sample.as_str()).filter(|sample| !sample.is_empty()),
        image: &cut::<MAX_RECORD_NAME_BYTES>(&entry.image),
        verdict: &cut::<32>(&entry.verdict),
        counted: entry.counted,
        cells: entry.counted.then_some(entry.cells),
        unsupported: entry.counted.then_some(entry.unsupported),
        kinds: Kinds::of(Some(entry)),
        field: entry.field.map(|field| field.state.name()),
        new_cells: entry.field.map(|field| field.fresh.cells),
        new_part: entry.field.map(|field| rounded(field.new_part, 1e4)),
        mean_diameter_um: entry.mean_diameter_um().map(|um| rounded(um, 1e3)),
        mean_diameter_sr_px: entry.mean_diameter_px.map(|px| rounded(px, 1e2)),
        um_per_px: scaled.um_per_px.map(|um| rounded(um, 1e6)),
        um_per_px_low: range.map(|range| rounded(range[0], 1e6)),
        um_per_px_high: range.map(|range| rounded(range[1], 1e6)),
        pitch_source: scaled.source.name(),
        um_per_sr_px: scaled.um_per_sr_px().map(|um| rounded(um, 1e6)),
        scale: rounded(scaled.placement.scale, 1e4),
        analysed_px2: area.px2.round(),
        analysed_um2: area.um2.map(f64::round),
        cells_per_mm2: area.um2.filter(|um2| *um2 > 0.0 && entry.counted).map(per_mm2),
        quality: Quality {
            sharpness_per_px: entry.sharpness.map(|sharpness| rounded(sharpness, 1e4)),
            contrast_levels: rounded(contrast, 1e2),
            clipped_share: rounded(clipped, 1e4),
            depth_levels: rounded(depth, 1e1),
            brightness_levels: rounded(brightness, 1e1),
        },
        dropped: entry.dropped,
        total_ms: rounded(entry.total_ms, 1e3),
    })
}

/// The message about frames deleted before they were published; `before` is the first that still exists.
pub(super) fn lost(box_name: &str, gap: Gap, before: &Entry, lost_in_all: u64) -> String {
    #[derive(Serialize)]
    struct Lost<'a> {
        #[serde(rename = "box")]
        box_name: &'a str,
        lost: u64,
        lost_in_all: u64,
        why: &'static str,
        before: Before,
    }
    #[derive(Serialize)]
    struct Before {
        run: i64,
        run_mark: String,
        frame: i64,
    }
    let before = Before { run: before.run, run_mark: mark(before.run_mark), frame: before.number };
    json(&Lost { box_name, lost: gap.frames, lost_in_all, why: "deleted before they could be sent", before })
}

/// The count of the sample; its figures are `None` before a frame was counted.
#[derive(Serialize)]
struct Count<'a> {
    sample: Option<&'a str>,
    fields: Option<u64>,
    sample_cells: Option<u64>,
    cells_per_field: Option<f64>,
    cells_per_field_low: Option<f64>,
    cells_per_field_high: Option<f64>,
    cells_per_mm2: Option<f64>,
    cells_per_mm2_low: Option<f64>,
    cells_per_mm2_high: Option<f64>,
}

impl<'a> Count<'a> {
    fn of(answer: &'a Answer) -> Self {
        let summary = answer.summary.as_ref();
        let cells = summary.and_then(|summary| summary.cells);
        let density = summary.and_then(|summary| summary.cells_per_mm2);
        let (per_field, per_mm2) = (cells.map(|cells| cells.interval), density.map(|density| density.interval));
        Self {
            sample: answer.sample.as_deref(),
            fields: summary.map(|summary| summary.fields),
            sample_cells: summary.map(|summary| summary.total.cells),
            cells_per_field: cells.map(|cells| rounded(cells.mean, 1e2)),
            cells_per_field_low: per_field.map(|interval| rounded(interval.low, 1e2)),
            cells_per_field_high: per_field.map(|interval| rounded(interval.high, 1e2)),
            cells_per_mm2: density.map(|density| density.density.round()),
            cells_per_mm2_low: per_mm2.map(|interval| interval.low.round()),
            cells_per_mm2_high: per_mm2.map(|interval| interval.high.round()),
        }
    }
}

/// The state message; `newest` is the newest frame, `answer` the count so far, `unsent` the number of queued frames, if known.
pub(super) fn state(
    box_name: &str,
    state: State,
    newest: Option<&Entry>,
    answer: &Answer,
    unsent: Option<u64>,
    lost_in_all: u64,
) -> String {
    #[derive(Serialize)]
    struct StateMessage<'a> {
        #[serde(rename = "box")]
        box_name: &'a str,
        state: &'a str,
        detail: String,
        run: Option<i64>,
        frame: Option<i64>,
        at_utc: Option<String>,
        verdict: Option<&'a str>,
        cells: Option<i64>,
        #[serde(flatten)]
        kinds: Kinds,
        mean_diameter_um: Option<f64>,
        #[serde(flatten)]
        count: Count<'a>,
        /// Names of the figures that have drifted from their history.
        drifted: Vec<&'static str>,
        unsent: Option<u64>,
        lost_in_all: u64,
    }
    let verdict = newest.map(|entry| cut::<32>(&entry.verdict));
    json(&StateMessage {
        box_name,
        state: state.name(),
        detail: state.to_string(),
        run: newest.map(|entry| entry.run),
        frame: newest.map(|entry| entry.number),
        at_utc: newest.map(|entry| utc::rfc3339(entry.at_utc_ms).to_string()),
        verdict: verdict.as_deref(),
        // A frame that was not counted has neither a number of cells nor a diameter.
        cells: newest.filter(|entry| entry.counted).map(|entry| entry.cells),
        kinds: Kinds::of(newest),
        mean_diameter_um: newest.and_then(Entry::mean_diameter_um).map(|um| rounded(um, 1e3)),
        count: Count::of(answer),
        drifted: answer.drifted_names(),
        unsent,
        lost_in_all,
    })
}

/// A run's mark, as in messages and in the outbox's mark file.
pub(super) fn mark(mark: i64) -> String {
    format!("{:016x}", mark.cast_unsigned())
}

/// Serializing numbers and texts cannot fail.
fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::Value;

    use super::*;
    use crate::{outbox::limits::MAX_MQTT_MESSAGE_BYTES, run::state::Reason};
    use bloodseg_records::count::{CountedFrame, SampleCount, Summary};
    use bloodseg_vision::{
        cells::Counts,
        placement::{PitchSource, Scaled},
    };

    fn entry() -> Entry {
        Entry {
            id: 7,
            run: 3,
            run_mark: -1,
            number: 12,
            source: "camera0".into(),
            image: "a\"b.png".into(),
            verdict: "good".into(),
            scaled: Scaled::as_it_is(Some(2.0), PitchSource::Given),
            analysed_px: 4096,
            mean_diameter_px: Some(14.5),
            counted: true,
            cells: 9,
            quality: [40.0, 0.25, 10.0, f64::NAN],
            ..Entry::default()
        }
    }

    fn summary() -> Option<Summary> {
        let mut count = SampleCount::default();
        for cells in [20, 24, 19, 21] {
            let counts = Counts { cells, ..Counts::default() };
            count.add(&CountedFrame {
                counted: true,
                counts,
                field: None,
                area_mm2: Some(0.002),
                is_scale_doubtful: false,
            });
        }
        count.summary()
    }

    #[test]
    fn state_has_sample_count_with_interval_and_drifted_figures() {
        let mut drifted = [false; 7];
        drifted[0] = true;
        let answer = Answer { sample: Some("S-1".into()), summary: summary(), drifted, ..Answer::default() };
        let text = state("b", State::Running, Some(&entry()), &answer, None, 0);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&value["sample"], &value["fields"], &value["sample_cells"]),
            (&"S-1".into(), &4.into(), &84.into())
        );
        assert_eq!((&value["cells_per_field"], &value["cells_per_mm2"]), (&21.0.into(), &10500.0.into()));
        let ends = ["cells_per_field_low", "cells_per_field_high"].map(|key| value[key].as_f64().unwrap());
        assert!(ends[0] > 16.0 && ends[0] < 21.0 && ends[1] > 21.0 && ends[1] < 26.0, "{ends:?}");
        assert_eq!(value["drifted"], serde_json::json!(["light"]));
        let none = state("b", State::Starting, None, &Answer::default(), None, 0);
        let none: Value = serde_json::from_str(&none).unwrap();
        assert!(["sample", "fields", "cells_per_field", "cells_per_mm2_low"].iter().all(|key| none[*key].is_null()));
        assert_eq!(none["drifted"], serde_json::json!([]));
    }

    #[test]
    fn frame_message_has_measures_with_units() {
        let value: Value = serde_json::from_str(&frame("b", &entry())).unwrap();
        assert_eq!(
            (&value["run"], &value["frame"], &value["cells"], &value["box"]),
            (&3.into(), &12.into(), &9.into(), &"b".into())
        );
        assert_eq!(value["run_mark"], "ffffffffffffffff");
        assert_eq!(value["um_per_sr_px"], 0.5);
        assert_eq!((&value["pitch_source"], &value["analysed_um2"]), (&"given".into(), &16384.0.into()));
        assert_eq!(value["cells_per_mm2"], (9.0_f64 / 16384.0 * 1e6).round());
        assert_eq!(value["mean_diameter_um"], 7.25);
        assert_eq!(value["quality"]["brightness_levels"], Value::Null);
    }

    #[test]
    fn kinds_are_reported_if_known_else_null() {
        let read = |text: String| -> Value { serde_json::from_str(&text).unwrap() };
        let known = Entry { kinds: [Some(8), Some(1), Some(4)], ..entry() };
        for value in
            [read(frame("b", &known)), read(state("b", State::Running, Some(&known), &Answer::default(), None, 0))]
        {
            let counts = ["cells", "red", "white", "platelets"].map(|key| value[key].as_i64());
            assert_eq!(counts, [Some(9), Some(8), Some(1), Some(4)]);
        }
        for value in [read(frame("b", &entry())), read(state("b", State::Starting, None, &Answer::default(), None, 0))]
        {
            assert!(["red", "white", "platelets"].iter().all(|key| value.get(key) == Some(&Value::Null)));
        }
    }

    #[test]
    fn longest_messages_fit_size_limit() {
        let wild = "\u{1}".repeat(5000);
        let entry = Entry { source: wild.clone(), image: wild.clone(), verdict: wild, ..entry() };
        let long = "a".repeat(MAX_MQTT_NAME_BYTES);
        let gap = Gap { frames: u64::MAX, last_id: i64::MAX };
        let worst = State::Degraded(Reason::RecordsStand);
        let longest =
            Answer { sample: Some("\u{1}".repeat(64)), summary: summary(), drifted: [true; 7], ..Answer::default() };
        for text in [
            frame(&long, &entry),
            lost(&long, gap, &entry, u64::MAX),
            state(&long, worst, Some(&entry), &longest, Some(u64::MAX), u64::MAX),
        ] {
            assert!(text.len() <= MAX_MQTT_MESSAGE_BYTES, "{}", text.len());
            serde_json::from_str::<Value>(&text).unwrap();
        }
    }

    #[test]
    fn state_without_a_frame_has_nulls() {
        let value: Value =
            serde_json::from_str(&state("b", State::Starting, None, &Answer::default(), None, 0)).unwrap();
        assert_eq!(
            (&value["state"], &value["cells"], &value["verdict"], &value["unsent"]),
            (&"starting".into(), &Value::Null, &Value::Null, &Value::Null)
        );
    }

    #[test]
    fn state_has_null_cells_for_uncounted_frame() {
        let message = |entry: &Entry| -> Value {
            serde_json::from_str(&state("b", State::Running, Some(entry), &Answer::default(), Some(0), 0)).unwrap()
        };
        assert_eq!(message(&entry())["cells"], 9);
        let blurred =
            Entry { verdict: "out of focus".into(), counted: false, cells: 0, mean_diameter_px: None, ..entry() };
        assert_eq!((&message(&blurred)["cells"], &message(&blurred)["mean_diameter_um"]), (&Value::Null, &Value::Null));
        assert_eq!(message(&blurred)["verdict"], "out of focus");
        assert_eq!(message(&Entry { counted: true, ..blurred })["cells"], 0, "counted, and there are none");
    }
}
