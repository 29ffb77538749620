//! Checks that the time is plausible, and synchronised.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::Finding;
use crate::error::Error;
use bloodseg_clock::utc;

/// The first of January 2025, before this software existed.
const FIRST: Duration = Duration::from_secs(1_735_689_600);

/// Checks the wall time. `run` is the folder `/run`, where systemd's time service records whether it has set the clock.
pub fn check(now: SystemTime, run: &Path) -> Finding {
    let time = utc::stamp(now);
    let todo = "Connect the box to a network once (check with timedatectl), add a battery-backed clock, or set it: sudo date --set";
    if now < UNIX_EPOCH + FIRST {
        let found = format!("{time}: the times in the records will be wrong, until it is set");
        let fault = Error::config("clock", found, todo);
        return Finding { expected: "a time after 2025".into(), ..Finding::fault("clock", &fault) };
    }
    let service = run.join("systemd/timesync");
    if service.join("synchronized").exists() {
        Finding::ok("clock", format!("{time}, synchronised"))
    } else if service.is_dir() {
        let found = format!("{time}, not synchronised since boot: it may lag by the time the box was off");
        Finding::look("clock", found, "a synchronised clock", todo)
    } else {
        Finding::ok("clock", format!("{time}; unknown whether it is synchronised"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn time_before_2025_is_a_fault() {
        let run = tempfile::tempdir().unwrap();
        for seconds in [0, 1_735_689_599] {
            let finding = check(UNIX_EPOCH + Duration::from_secs(seconds), run.path());
            assert_eq!((finding.outcome, finding.exit_code), (Outcome::Fault, 6));
            assert!(finding.found.contains("records"), "{finding:?}");
        }
        assert!(check(UNIX_EPOCH, run.path()).found.contains("19700101T000000Z"));
        assert_eq!(utc::stamp(UNIX_EPOCH + FIRST), "20250101T000000Z");
    }

    #[test]
    fn time_service_is_consulted_if_present() {
        let run = tempfile::tempdir().unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let finding = check(now, run.path());
        assert!(finding.outcome == Outcome::Ok && finding.found.contains("unknown whether"), "{finding:?}");
        let service = run.path().join("systemd/timesync");
        std::fs::create_dir_all(&service).unwrap();
        assert_eq!(check(now, run.path()).outcome, Outcome::Look);
        std::fs::write(service.join("synchronized"), "").unwrap();
        assert_eq!(check(now, run.path()).outcome, Outcome::Ok);
    }
}
