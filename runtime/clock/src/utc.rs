//! Times as the records write them: UTC, in a form that sorts chronologically.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use jiff::{SignedDuration, civil::DateTime, fmt::temporal::Pieces};

/// `20261122T173000Z`; times before 1970 or after 9999 are clamped.
pub fn stamp(time: SystemTime) -> String {
    stamp_ms(ms(time))
}

/// Like [`stamp`], from milliseconds since 1970.
pub fn stamp_ms(ms: i64) -> String {
    let at = date_time(ms.max(0));
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        date.year(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// Milliseconds since 1970, negative before; instants outside the calendar are clamped.
pub fn ms(time: SystemTime) -> i64 {
    let whole = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    let ms = time.duration_since(UNIX_EPOCH).map_or_else(|before| -whole(before.duration()), whole);
    ms.clamp(FIRST_MS, LAST_MS)
}

/// `2026-11-22T17:30:00.125Z` for milliseconds since 1970; years outside 0 to 9999 are clamped.
pub fn rfc3339(ms: i64) -> impl fmt::Display {
    let at = date_time(ms);
    fmt::from_fn(move |f| write!(f, "{at:.3}Z"))
}

/// Milliseconds since 1970 of a date (`2026-11-22`, its first moment in UTC) or a time (`2026-11-22T17:30:00Z`,
/// optionally with up to nine fractional digits of a second or an offset such as `+01:00`, or as [`stamp`] writes it). A
/// leap second reads as the second before it. `None` for anything else.
pub fn parse(text: &str) -> Option<i64> {
    let pieces = Pieces::parse(text).ok()?;
    let offset = match (pieces.time(), pieces.to_numeric_offset()) {
        (Some(_), offset) => offset?.seconds(),
        (None, _) => 0,
    };
    let at = pieces.date().to_datetime(pieces.time().unwrap_or_default());
    let ms = at.duration_since(EPOCH).as_millis() - i128::from(offset) * 1000;
    i64::try_from(ms).ok()
}

const EPOCH: DateTime = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
const DAY_MS: i64 = 86_400_000;
/// The first and last moment of the years 0 to 9999.
const FIRST_MS: i64 = -719_528 * DAY_MS;
const LAST_MS: i64 = 2_932_897 * DAY_MS - 1;

/// Date and time in UTC, as a calendar type, because a `Timestamp` ends a day before the year 9999 does.
fn date_time(ms: i64) -> DateTime {
    EPOCH.saturating_add(SignedDuration::from_millis(ms.clamp(FIRST_MS, LAST_MS)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parses_common_time_formats_and_rejects_others() {
        for (text, wanted) in [
            ("1970-01-01", "1970-01-01T00:00:00.000Z"),
            ("2000-02-29", "2000-02-29T00:00:00.000Z"),
            ("20261122T173000Z", "2026-11-22T17:30:00.000Z"),
            ("2026-11-22T17:30:00Z", "2026-11-22T17:30:00.000Z"),
            ("2026-11-22 17:30:00.1259z", "2026-11-22T17:30:00.125Z"),
            ("2026-11-22T00:30:00+01:00", "2026-11-21T23:30:00.000Z"),
            ("1969-12-31T23:59:59.5-00:30", "1970-01-01T00:29:59.500Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(rfc3339(parse(text).unwrap()).to_string(), wanted, "{text}");
        }
        for text in [
            "",
            "now",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-11-22T17:30",
            "2026-11-22T17:30:00",
            "2026-11-22T24:00:00Z",
            "2026-11-22T17:30:00.Z",
            "2026-11-22T17:30:00+1",
            "26-11-22",
            "2026-11-2\u{e9}",
            "2026/11/22",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn times_outside_calendar_are_clamped() {
        assert_eq!(rfc3339(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        let far = UNIX_EPOCH + Duration::from_secs(1 << 50);
        assert_eq!(rfc3339(ms(far)).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(ms(UNIX_EPOCH - Duration::from_millis(1)), -1);
    }

    proptest! {
        #[test]
        fn written_times_parse_back(ms in FIRST_MS..=LAST_MS) {
            prop_assert_eq!(parse(&rfc3339(ms).to_string()), Some(ms));
        }

        #[test]
        fn parse_never_panics(text in "\\PC{0,30}") {
            let _ = parse(&text);
        }
    }

    #[test]
    fn stamps_of_known_times() {
        for (seconds, wanted) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_000_000_000, "20010909T014640Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(stamp(UNIX_EPOCH + Duration::from_secs(seconds)), wanted);
        }
    }
}
