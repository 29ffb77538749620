//! Times as records write them: UTC, sorted by name as by time.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

/// `20261122T173000Z` for a time after 1970; an earlier clock reads as 1970.
pub fn stamp(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = date(seconds / 86_400);
    let second = seconds % 86_400;
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// As [`stamp`], of milliseconds since 1970.
pub fn stamp_ms(ms: i64) -> String {
    stamp(UNIX_EPOCH + std::time::Duration::from_millis(ms.clamp(0, LAST_MS).unsigned_abs()))
}

/// Milliseconds since 1970, negative before; what no calendar of ours reaches is brought to its ends.
pub fn ms(time: SystemTime) -> i64 {
    let whole = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    let ms = time.duration_since(UNIX_EPOCH).map_or_else(|before| -whole(before.duration()), whole);
    ms.clamp(FIRST_MS, LAST_MS)
}

/// `2026-11-22T17:30:00.125Z` for milliseconds since 1970; what lies outside the years 0 to 9999 reads as their ends.
pub fn rfc3339(ms: i64) -> impl fmt::Display {
    let ms = ms.clamp(FIRST_MS, LAST_MS);
    let (days, of_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (year, month, day) = date_of(days);
    let second = of_day / 1000;
    fmt::from_fn(move |f| {
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            second / 3600,
            second / 60 % 60,
            second % 60,
            of_day % 1000
        )
    })
}

/// Milliseconds since 1970 of a date (`2026-11-22`, its first moment in UTC) or a time (`2026-11-22T17:30:00Z`, with a
/// fraction of a second or an offset like `+01:00` if need be, or as [`stamp`] writes it). None for anything else.
pub fn parse(text: &str) -> Option<i64> {
    let number = |text: &str, least: u64, most: u64| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten().filter(|value| (least..=most).contains(value))
    };
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let compact = date.len() == 8;
    let part = |text: &str, at: usize, least, most| {
        let (from, to) = if compact { (at, at + 2) } else { (at + at / 2 - 1, at + at / 2 + 1) };
        number(text.get(from..to)?, least, most)
    };
    let dashed = date.len() == 10 && date.get(4..5) == Some("-") && date.get(7..8) == Some("-");
    if !(compact || dashed) {
        return None;
    }
    let year = number(date.get(0..4)?, 0, 9999)?;
    let (month, day) = (part(date, 4, 1, 12)?, part(date, 6, 1, 31)?);
    let days = days_of(i64::try_from(year).ok()?, month, day)?;
    let midnight = days * DAY_MS;
    let Some(time) = time else { return Some(midnight) };

    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at(zone);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let split = |text: &str| -> Option<Vec<u64>> {
        if text.len() == 6 {
            return (0..3).map(|at| number(text.get(2 * at..2 * at + 2)?, 0, 59)).collect();
        }
        let parts: Vec<&str> = text.split(':').collect();
        (parts.len() == 3)
            .then(|| parts.iter().map(|part| number(part, 0, 60).filter(|_| part.len() == 2)).collect())?
    };
    let parts = split(time)?;
    let [hour, minute, second] = parts[..] else { return None };
    // A leap second reads as the one before it.
    let second = if second == 60 { 59 } else { second };
    if hour > 23 || minute > 59 {
        return None;
    }
    number(fraction, 0, u64::MAX)?;
    let thousandths = number(&format!("{fraction:0<3}")[..3], 0, 999)?;
    let offset_minutes = match zone.split_at(1) {
        ("Z" | "z", "") => 0,
        (sign @ ("+" | "-"), offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let minutes = number(hours, 0, 23)? * 60 + number(minutes, 0, 59)?;
            i64::try_from(minutes).ok()? * if sign == "+" { 1 } else { -1 }
        }
        _ => return None,
    };
    let of_day = i64::try_from((hour * 3600 + minute * 60 + second) * 1000 + thousandths).ok()?;
    Some(midnight + of_day - offset_minutes * 60_000)
}

const DAY_MS: i64 = 86_400_000;
/// The first and last moment of the years 0 to 9999.
const FIRST_MS: i64 = -719_528 * DAY_MS;
const LAST_MS: i64 = 2_932_897 * DAY_MS - 1;
/// An era of the calendar: 400 years.
const ERA_DAYS: i64 = 146_097;

/// As [`date`], for days before 1970 too.
fn date_of(days: i64) -> (i64, u64, u64) {
    let eras = days.div_euclid(ERA_DAYS);
    let (year, month, day) = date(days.rem_euclid(ERA_DAYS).unsigned_abs());
    (year.cast_signed() + 400 * eras, month, day)
}

/// Days since 1970 of a date; none for one that is in no calendar.
fn days_of(year: i64, month: u64, day: u64) -> Option<i64> {
    let before = |year: i64| year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let months = [31, 28 + u64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = usize::try_from(month).ok()?.checked_sub(1)?;
    if day == 0 || day > *months.get(month)? {
        return None;
    }
    let of_year: u64 = months[..month].iter().sum::<u64>() + day - 1;
    Some(before(year - 1) - before(1969) + of_year.cast_signed())
}

/// Year, month and day of a count of days since 1970: the Gregorian calendar, counted in years that begin in
/// March, so that the leap day is the last (Hinnant, "chrono-compatible low-level date algorithms").
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read_in_the_forms_that_people_write() {
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
    fn clocks_beyond_the_calendar_read_as_its_ends() {
        assert_eq!(rfc3339(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        let far = UNIX_EPOCH + Duration::from_secs(1 << 50);
        assert_eq!(rfc3339(ms(far)).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(ms(UNIX_EPOCH - Duration::from_millis(1)), -1);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ms in FIRST_MS..=LAST_MS) {
            prop_assert_eq!(parse(&rfc3339(ms).to_string()), Some(ms));
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,30}") {
            let _ = parse(&text);
        }
    }

    #[test]
    fn known_times() {
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
