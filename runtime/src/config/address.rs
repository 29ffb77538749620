//! The address of the page: loopback by default, and any other only with a token.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use crate::{
    config::limits::{DEFAULT_PAGE_PORT, MAX_PAGE_PORTS},
    error::{Error, Result},
};
use bloodseg_vision::error::Cause;

/// The configured address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Address {
    /// Not set: loopback, the first free port.
    #[default]
    Usual,
    /// No page.
    Off,
    /// This address; port 0 is any.
    At(SocketAddr),
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(|_| {
            format!("expected `off`, or an address with a port like 127.0.0.1:{DEFAULT_PAGE_PORT}, found `{text}`")
        })
    }
}

impl Address {
    /// The fault of an address without a token.
    pub fn fault(self, has_token: bool) -> Option<String> {
        match self {
            Self::At(address) if !address.ip().to_canonical().is_loopback() && !has_token => Some(format!(
                "a page at {address} can be read from other machines, expected `http.token` or `http.token_file` in the config \
                 for that"
            )),
            _ => None,
        }
    }

    /// Opens it; `None` if there should be no page, or if no address is set and no port is free.
    ///
    /// # Errors
    /// [`Error::Config`] if a configured address cannot be opened.
    pub fn open(self) -> Result<Option<(TcpListener, SocketAddr)>> {
        let open = |address| TcpListener::bind(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
        match self {
            Self::Off => Ok(None),
            Self::At(address) => open(address).map(|(at, listener)| Some((listener, at))).map_err(|e| {
                Error::config(
                    "http",
                    Cause::with_source(format!("cannot serve the page at {address}: {e}"), e),
                    "Choose another address, or `--http off`",
                )
            }),
            Self::Usual => {
                let at = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
                let mut why = None;
                for port in DEFAULT_PAGE_PORT..DEFAULT_PAGE_PORT + MAX_PAGE_PORTS {
                    match open(at(port)) {
                        Ok((at, listener)) => return Ok(Some((listener, at))),
                        Err(error) => why = Some(error),
                    }
                }
                let why = why.map_or_else(String::new, |why| why.to_string());
                log::warn!("no page: {why}; choose an address with --http, or `--http off`");
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn addresses_are_parsed_and_invalid_ones_explained() {
        assert_eq!("off".parse(), Ok(Address::Off));
        assert_eq!("[::1]:80".parse(), Ok(Address::At("[::1]:80".parse().unwrap())));
        for text in ["", "on", "127.0.0.1", "localhost:8571", "127.0.0.1:99999"] {
            assert!(text.parse::<Address>().unwrap_err().contains("127.0.0.1:8571"), "{text}");
        }
    }

    #[test]
    fn non_loopback_address_needs_a_token() {
        for (text, is_local) in [
            ("127.0.0.1:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.fault(false).is_none(), is_local, "{text}");
            assert_eq!(address.fault(true), None);
        }
        assert_eq!(Address::Usual.fault(false).or(Address::Off.fault(false)), None);
    }

    #[test]
    fn explicit_address_in_use_is_an_error() {
        let (_first, at) = Address::At("127.0.0.1:0".parse().unwrap()).open().unwrap().unwrap();
        let error = Address::At(at).open().unwrap_err();
        assert!(error.exit_code() == 6 && error.to_string().contains("--http off"), "{error}");
        assert!(Address::Off.open().unwrap().is_none());
    }
}
