//! Checks that the page can be served at the configured address.

use super::Finding;
use crate::config::address::Address;

/// Binds the address for a moment. With `in_service`, the service of this machine runs and may serve its page there: an
/// address in use is then not a fault.
pub fn check(address: Address, in_service: bool) -> Finding {
    match address.open() {
        Ok(Some((_, at))) => Finding::ok("page", format_args!("http://{at}/ is free")),
        Ok(None) if address == Address::Off => Finding::skipped("page", "off", ""),
        Ok(None) => {
            let todo = "Set [http] address in the config file, or `off` where no page is wanted";
            Finding::look("page", "the default ports are in use: a run will have no page", "a free one", todo)
        }
        Err(error) if in_service => {
            let Finding { found, .. } = Finding::fault("page", &error);
            let found = format!("{found}; the service runs, and most likely serves its page there");
            Finding::look("page", found, "a free address", "Stop it for the check: sudo systemctl stop bloodseg")
        }
        Err(error) => Finding::fault("page", &error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn address_in_use_is_a_fault_unless_service_runs() {
        let (taken, at) = Address::At("127.0.0.1:0".parse().unwrap()).open().unwrap().unwrap();
        let finding = check(Address::At(at), false);
        assert_eq!((finding.outcome, finding.exit_code), (Outcome::Fault, 6));
        assert!(finding.found.contains(&at.to_string()), "{finding:?}");
        assert_eq!(check(Address::At(at), true).outcome, Outcome::Look);
        drop(taken);
        assert_eq!(check(Address::At("127.0.0.1:0".parse().unwrap()), false).outcome, Outcome::Ok);
        assert_eq!(check(Address::Off, false).outcome, Outcome::Skipped);
        // Others may use the default ports: then the outcome is `look`.
        assert_eq!(check(Address::Usual, false).exit_code, 0);
    }
}
