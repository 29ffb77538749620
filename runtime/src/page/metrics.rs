//! The response of `/metrics`: counters, gauges and histograms for Prometheus.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use super::{Site, latest::MemoryNow};
use crate::run::{
    Counts,
    state::{Reason, Stage, State},
};
use bloodseg_statistics::{Interval, drift::Figure};

/// `Content-Type` of the response.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug)]
struct Figures(Arc<Site>);

/// The whole text.
///
/// # Errors
/// If a metric cannot be written, which cannot happen with a string.
pub fn text(site: &Arc<Site>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("bloodseg");
    registry.register_collector(Box::new(Figures(Arc::clone(site))));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

impl Collector for Figures {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let site = &self.0;
        // In this order, because a frame may be analysed and kept between the two: kept and not kept together are then
        // never more than analysed.
        let kept = site.run.kept();
        let counts = site.run.counts();
        let to = &mut to;
        frames(to, site, counts)?;
        run(to, site, kept, counts)?;
        camera(to, site)?;
        memory(to, site)?;
        stages(to, site)?;
        about(to, site)
    }
}

fn counter(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    ConstCounter::new(value).encode(to.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn gauge(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, unit: Option<&Unit>, value: f64) -> fmt::Result {
    ConstGauge::new(value).encode(to.encode_descriptor(name, help, unit, MetricType::Gauge)?)
}

/// One counter per value of a label.
fn counters<'a>(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    values: impl IntoIterator<Item = (&'a str, u64)>,
) -> fmt::Result {
    let mut metric = to.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (of, value) in values {
        let labels = [(label, of)];
        ConstCounter::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

fn frames(to: &mut DescriptorEncoder<'_>, site: &Site, counts: Counts) -> fmt::Result {
    counter(to, "frames_captured", "Frames delivered by the source", counts.captured)?;
    counter(to, "frames_analysed", "Frames analysed", counts.analysed)?;
    let lost = [("newer_came", counts.dropped), ("refused", counts.failed), ("unreadable", counts.unreadable)];
    counters(to, "frames_dropped", "Frames not analysed, by reason", "reason", lost)?;
    let verdicts = site.board.verdicts().map(|(verdict, count)| (verdict.name(), count));
    counters(to, "frames_judged", "Analysed frames by quality verdict", "verdict", verdicts)?;
    let (cells, unsupported) = site.board.cells();
    counter(to, "cells", "Cells counted", cells)?;
    counter(to, "cells_unsupported", "Counted cells not supported by the input", unsupported)?;
    if let Some([red, white, platelets]) = site.board.kinds() {
        let kinds = [("red", red), ("white", white)];
        counters(to, "cells_of_kind", "Counted cells by kind, if the models report kinds", "kind", kinds)?;
        counter(to, "platelets", "Platelets, not included in the cells", platelets)?;
    }
    counter(
        to,
        "page_frames_skipped",
        "Frames not copied to the page because a request was reading",
        site.board.skipped(),
    )
}

fn run(to: &mut DescriptorEncoder<'_>, site: &Site, kept: u64, counts: Counts) -> fmt::Result {
    counter(to, "records_kept", "Frames whose records are on disk", kept)?;
    counter(to, "records_not_kept", "Analysed frames whose records were lost", counts.not_kept)?;
    gauge(to, "uptime", "Time since the start of the run", Some(&Unit::Seconds), site.run.now().as_secs_f64())?;
    if let Some(numbers) = site.board.read().numbers {
        let age_s = site.run.clock.elapsed().saturating_sub(numbers.at_elapsed).as_secs_f64();
        gauge(to, "frame_age", "Time since the latest frame was analysed", Some(&Unit::Seconds), age_s)?;
        // A frame that was not counted has no number of cells.
        if numbers.counted {
            let counts = &numbers.counts;
            gauge(to, "frame_cells", "Cells of the latest frame", None, f64::from(counts.cells))?;
            for (name, help, count) in [
                ("frame_red_cells", "Red cells of the latest frame", counts.red),
                ("frame_white_cells", "White cells of the latest frame", counts.white),
                ("frame_platelets", "Platelets of the latest frame", counts.platelets),
            ] {
                if let Some(count) = count {
                    gauge(to, name, help, None, f64::from(count))?;
                }
            }
        }
    }
    sample(to, site)?;
    let now = site.run.state();
    let states = [
        State::Starting,
        State::Running,
        State::Degraded(Reason::FramesRefused),
        State::Recovering(Stage::Capture),
        State::Stopping,
    ];
    let mut metric = to.encode_descriptor("state", "1 for the state of the run", None, MetricType::Gauge)?;
    for state in states.map(|state| state.name()) {
        let labels = [("state", state)];
        ConstGauge::new(i64::from(state == now.name())).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

/// The count of the sample under the lens, and what has drifted.
fn sample(to: &mut DescriptorEncoder<'_>, site: &Site) -> fmt::Result {
    let answer = site.run.answer();
    if let Some(summary) = &answer.summary {
        gauge(to, "sample_fields", "Distinct fields of the sample", None, summary.fields as f64)?;
        gauge(to, "sample_cells", "Cells of the sample, each counted once", None, summary.total.cells as f64)?;
        if let Some(cells) = summary.cells {
            let Interval { low, high } = cells.interval;
            for (name, help, value) in [
                ("sample_cells_per_field", "Mean number of cells per field of the sample", cells.mean),
                ("sample_cells_per_field_low", "Lower end of its 95 % interval", low),
                ("sample_cells_per_field_high", "Upper end of its 95 % interval", high),
            ] {
                gauge(to, name, help, None, value)?;
            }
        }
    }
    let help = "1 for a figure that has drifted from its history";
    let mut metric = to.encode_descriptor("drifted", help, None, MetricType::Gauge)?;
    for (figure, drifted) in Figure::ALL.into_iter().zip(answer.drifted) {
        let labels = [("figure", figure.name())];
        ConstGauge::new(i64::from(drifted)).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

fn camera(to: &mut DescriptorEncoder<'_>, site: &Site) -> fmt::Result {
    let Some(camera) = site.run.camera() else { return Ok(()) };
    counter(to, "camera_reconnects", "Times that the camera was reopened", camera.reopened)?;
    let events = [
        ("lost", camera.lost),
        ("stalled", camera.stalled),
        ("refused", camera.refused),
        ("format_change", camera.format_changes),
    ];
    counters(to, "camera_events", "Camera events", "event", events)?;
    let left_out = [
        ("skipped", camera.skipped),
        ("wrong_size", camera.wrong_size),
        ("torn", camera.torn),
        ("damaged", camera.damaged),
        ("no_buffer", camera.no_buffer),
    ];
    counters(to, "camera_frames_left_out", "Camera frames that did not become frames of the run", "reason", left_out)
}

fn memory(to: &mut DescriptorEncoder<'_>, site: &Site) -> fmt::Result {
    let MemoryNow { heap_bytes, heap_peak_bytes, rss_bytes, rss_peak_bytes, budget_bytes } = MemoryNow::of(site);
    for (name, help, value) in [
        ("heap", "Heap of the process", heap_bytes),
        ("heap_peak", "Peak heap of the process", heap_peak_bytes),
        ("rss", "Resident set of the process", rss_bytes),
        ("rss_peak", "Peak resident set of the process", rss_peak_bytes),
        ("budget", "Memory allowed by the config", budget_bytes),
    ] {
        if let Some(bytes) = value {
            gauge(to, name, help, Some(&Unit::Bytes), bytes as f64)?;
        }
    }
    Ok(())
}

fn stages(to: &mut DescriptorEncoder<'_>, site: &Site) -> fmt::Result {
    let help = "Time of each stage for a frame";
    let mut metric = to.encode_descriptor("stage", help, Some(&Unit::Seconds), MetricType::Histogram)?;
    for (name, read) in site.board.stages.read() {
        let labels = [("stage", name)];
        // The encoder accumulates the buckets.
        metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(read.sum_s, read.count, &read.buckets, None)?;
    }
    Ok(())
}

fn about(to: &mut DescriptorEncoder<'_>, site: &Site) -> fmt::Result {
    let mut metric = to.encode_descriptor("build", "This program", None, MetricType::Info)?;
    metric.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
    let mut metric = to.encode_descriptor("model", "1 for each active model", None, MetricType::Gauge)?;
    for card in site.board.models() {
        let labels =
            [("name", card.name.as_str()), ("version", card.version.as_str()), ("sha256", card.sha256.as_str())];
        ConstGauge::new(1_i64).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::{foreign::http::site, page::board::tests::frame};
    use bloodseg_vision::cells::Kind;

    #[test]
    fn uncounted_frame_has_no_cell_metrics() {
        let site = Arc::new(site());
        let publish = |number, counted| {
            let (frame, analysis) = frame(number, 8, 8);
            site.board.publish(&frame, &analysis, counted, SystemTime::UNIX_EPOCH, Duration::from_secs(number));
            text(&site).unwrap()
        };
        assert!(!text(&site).unwrap().contains("bloodseg_frame_"));
        assert!(publish(1, true).contains("\nbloodseg_frame_cells 2.0\n"));
        let not_counted = publish(2, false);
        assert!(not_counted.contains("bloodseg_frame_age_seconds") && !not_counted.contains("frame_cells"));
        assert!(!not_counted.contains("platelets") && !not_counted.contains("kind="), "no model has kinds");
    }

    #[test]
    fn kinds_have_their_own_series_once_reported() {
        let site = Arc::new(site());
        let (frame, mut analysis) = frame(1, 8, 8);
        analysis.cells[0].kind = Kind::Platelet;
        analysis.cells[1].kind = Kind::White;
        analysis.maps.kinds = Some(Default::default());
        site.board.publish(&frame, &analysis, true, SystemTime::UNIX_EPOCH, Duration::from_secs(1));
        let text = text(&site).unwrap();
        for line in [
            "bloodseg_cells_total 1",
            "bloodseg_cells_of_kind_total{kind=\"red\"} 0",
            "bloodseg_cells_of_kind_total{kind=\"white\"} 1",
            "bloodseg_platelets_total 1",
            "bloodseg_frame_cells 1.0",
            "bloodseg_frame_white_cells 1.0",
            "bloodseg_frame_platelets 1.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
