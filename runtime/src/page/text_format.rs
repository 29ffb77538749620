//! Metrics in the Prometheus text format 0.0.4, for clients that do not request OpenMetrics.
//!
//! The two differ in the lines about a metric: OpenMetrics names a counter without the `_total` of its samples and an
//! info without its `_info`, and has units and an end marker. The samples are the same.

use std::fmt::Write;

/// `Content-Type` of the response.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether an `Accept` header asks for OpenMetrics.
pub fn wants_openmetrics(accept: Option<&str>) -> bool {
    accept.is_some_and(|accept| accept.split(',').any(|kind| kind.trim().starts_with("application/openmetrics-text")))
}

/// Converts OpenMetrics text to the text format.
pub fn of_openmetrics(text: &str) -> String {
    let mut to = String::with_capacity(text.len());
    // The help precedes the type, which determines the name of the metric.
    let mut help: Option<(&str, &str)> = None;
    for line in text.lines() {
        let words = line.strip_prefix("# ").and_then(|line| line.split_once(' '));
        match words {
            Some(("HELP", rest)) => help = rest.split_once(' ').or(Some((rest, ""))),
            Some(("TYPE", rest)) => {
                let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
                let (ending, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    "stateset" => ("", "gauge"),
                    "unknown" => ("", "untyped"),
                    other => ("", other),
                };
                // Writing to a string cannot fail.
                if let Some((_, text)) = help.take().filter(|(of, _)| *of == name) {
                    let _ = writeln!(to, "# HELP {name}{ending} {text}");
                }
                let _ = writeln!(to, "# TYPE {name}{ending} {kind}");
            }
            Some(_) => {}
            None if line.starts_with('#') => {}
            None => {
                to.push_str(line);
                to.push('\n');
            }
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_infos_are_named_like_their_samples() {
        let text = "# HELP a_frames Frames.\n# TYPE a_frames counter\na_frames_total{kind=\"x # y\"} 3\n\
                    # HELP a_about What runs.\n# TYPE a_about info\na_about_info{version=\"1\"} 1\n\
                    # HELP a_age_seconds Age.\n# TYPE a_age_seconds gauge\n# UNIT a_age_seconds seconds\na_age_seconds 0.5\n# EOF\n";
        let expected = "# HELP a_frames_total Frames.\n# TYPE a_frames_total counter\na_frames_total{kind=\"x # y\"} 3\n\
                        # HELP a_about_info What runs.\n# TYPE a_about_info gauge\na_about_info{version=\"1\"} 1\n\
                        # HELP a_age_seconds Age.\n# TYPE a_age_seconds gauge\na_age_seconds 0.5\n";
        assert_eq!(of_openmetrics(text), expected);
    }

    #[test]
    fn openmetrics_requires_accept_header() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        assert!(wants_openmetrics(Some(prometheus)));
        for other in [None, Some("*/*"), Some("text/plain"), Some("text/html,application/xml")] {
            assert!(!wants_openmetrics(other), "{other:?}");
        }
    }
}
