//! Access control: pure functions of a request.
//!
//! On loopback every user of the machine may read, but no page of another site through its reader's browser: host names
//! pointed at this machine (DNS rebinding) are rejected. Elsewhere, and on loopback if the config has a token, the token
//! is required.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

/// Name of the cookie with the token.
pub const COOKIE: &str = "bloodseg_token";

/// A secret, stored only as its hash, so that it is in no dump and a comparison reveals nothing about its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// Accepts a token that passes [`token_fault`](crate::config::http::token_fault).
    pub fn new(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Whether `text` is the token, in constant time.
    pub fn is(&self, text: &str) -> bool {
        let other = Self::new(text);
        let differ = self.0.iter().zip(other.0).fold(0, |differ, (a, b)| differ | (a ^ b));
        std::hint::black_box(differ) == 0
    }
}

/// The relevant parts of a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Its path.
    pub path: &'a str,
    /// The part after `?`.
    pub query: &'a str,
    /// Header `Host`.
    pub host: Option<&'a str>,
    /// Header `Authorization`.
    pub authorization: Option<&'a str>,
    /// Header `Cookie`.
    pub cookie: Option<&'a str>,
}

/// The decision about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Accepted.
    Go,
    /// The token was in the address: it is moved to a cookie, and the client is redirected without it.
    KeepToken,
    /// No token, or a wrong one.
    Unauthorized,
    /// Requested under the name of another host.
    ForeignHost,
}

/// Judges a request.
pub fn judge(asked: &Asked<'_>, token: Option<&Token>) -> Answer {
    let Some(token) = token else {
        return if asked.host.is_some_and(is_local) { Answer::Go } else { Answer::ForeignHost };
    };
    // It reveals only that the run is alive.
    if asked.path == "/healthz" {
        return Answer::Go;
    }
    if asked
        .authorization
        .and_then(bearer)
        .or_else(|| asked.cookie.and_then(cookie))
        .is_some_and(|given| token.is(given))
    {
        return Answer::Go;
    }
    match value(asked.query, "token") {
        Some(given) if token.is(given) => Answer::KeepToken,
        _ => Answer::Unauthorized,
    }
}

/// Whether a `Host` header names this machine, with any port, because a tunnel may lead here.
pub fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) if port.is_empty() || is_port(port) => name,
            _ => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            Some(_) => return false,
            None => host,
        },
    };
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(header: &str) -> Option<&str> {
    header.split(';').find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// The first value of a key in a query, without decoding, which none of our values needs.
pub fn value<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "correct-horse-battery";

    #[test]
    fn only_names_of_this_machine_are_local() {
        for host in ["localhost", "LocalHost:8571", "127.0.0.1", "127.0.0.1:1", "127.9.9.9", "[::1]", "[::1]:8571"] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "localhost.example.org",
            "127.0.0.1.example.org",
            "example.org:8571",
            "10.0.0.1",
            "[::1",
            "[::1]x",
            "[::2]:80",
            "localhost:80:80",
            "localhost:x",
            "0.0.0.0",
            "127.1@example.org",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn host_name_is_checked_without_token_and_token_with_one() {
        let local = Asked { path: "/", host: Some("localhost:8571"), ..Asked::default() };
        let foreign = Asked { host: Some("evil.example"), ..local };
        assert_eq!(judge(&local, None), Answer::Go);
        assert_eq!(judge(&foreign, None), Answer::ForeignHost);
        assert_eq!(judge(&Asked { host: None, ..local }, None), Answer::ForeignHost);
        let token = Token::new(SECRET);
        assert_eq!(judge(&local, Some(&token)), Answer::Unauthorized);
        assert_eq!(judge(&Asked { path: "/healthz", ..foreign }, Some(&token)), Answer::Go);
        for (header, wanted) in [
            ("Bearer correct-horse-battery", Answer::Go),
            ("bearer  correct-horse-battery ", Answer::Go),
            ("Bearer correct-horse-batter", Answer::Unauthorized),
            ("Bearer", Answer::Unauthorized),
            ("Basic correct-horse-battery", Answer::Unauthorized),
        ] {
            assert_eq!(judge(&Asked { authorization: Some(header), ..foreign }, Some(&token)), wanted, "{header}");
        }
        let cookie = Asked { cookie: Some("a=b; bloodseg_token=correct-horse-battery"), ..foreign };
        assert_eq!(judge(&cookie, Some(&token)), Answer::Go);
        let wrong = Asked { cookie: Some("bloodseg_tokens=correct-horse-battery"), ..foreign };
        assert_eq!(judge(&wrong, Some(&token)), Answer::Unauthorized);
        let query = Asked { query: "a=1&token=correct-horse-battery", ..foreign };
        assert_eq!(judge(&query, Some(&token)), Answer::KeepToken);
    }

    proptest! {
        #[test]
        fn no_request_passes_without_token(text in ".{0,64}", which in 0..4) {
            prop_assume!(!text.contains(SECRET));
            let mut asked = Asked { path: "/api/latest", host: Some("localhost"), ..Asked::default() };
            match which {
                0 => asked.query = &text,
                1 => asked.authorization = Some(&text),
                2 => asked.cookie = Some(&text),
                _ => asked.host = Some(&text),
            }
            prop_assert_eq!(judge(&asked, Some(&Token::new(SECRET))), Answer::Unauthorized);
        }
    }
}
