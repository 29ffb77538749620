//! `[http]`: address and access of a run's page.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};

use super::{
    address::Address,
    limits::{MAX_PAGE_TOKEN_LEN, MIN_PAGE_TOKEN_LEN},
    secret_file,
};
use crate::error::{Error, Result};

/// The page of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSection {
    /// `off`, or an address with its port.
    #[serde(deserialize_with = "address")]
    pub address: Address,
    /// The token that readers need.
    pub token: Option<String>,
    /// File that contains only the token.
    pub token_file: Option<PathBuf>,
}

/// Validates a token.
pub fn token_fault(token: &str) -> Option<String> {
    let length = token.len();
    if !(MIN_PAGE_TOKEN_LEN..=MAX_PAGE_TOKEN_LEN).contains(&length) {
        return Some(format!(
            "http.token of {length} characters, expected {MIN_PAGE_TOKEN_LEN} to {MAX_PAGE_TOKEN_LEN}"
        ));
    }
    let known = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    (!token.chars().all(known)).then(|| "http.token: expected only letters, digits, and - . _ ~".into())
}

fn address<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Address, D::Error> {
    String::deserialize(from)?.parse().map_err(de::Error::custom)
}

impl HttpSection {
    /// A fault that the types do not exclude.
    pub(super) fn fault(&self) -> Option<String> {
        if self.token.is_some() && self.token_file.is_some() {
            return Some("http.token and http.token_file: expected only one of them".into());
        }
        self.token.as_deref().and_then(token_fault).or_else(|| self.address.fault(self.has_token()))
    }

    /// Whether readers need a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some() || self.token_file.is_some()
    }

    /// The token, read from its file if configured there.
    ///
    /// # Errors
    /// [`Error::Config`] if the file cannot be read, or its contents are not a token.
    pub fn read_token(&self) -> Result<Option<String>> {
        let Some(file) = &self.token_file else { return Ok(self.token.clone()) };
        // The line end is not part of the token.
        let token = secret_file::read(file, "http.token_file", "token", MAX_PAGE_TOKEN_LEN as u64 + 2)?;
        match token_fault(&token) {
            Some(found) => Err(Error::config(
                format!("http.token_file, {}", file.display()),
                found,
                "Write only the token into it, on one line",
            )),
            None => Ok(Some(token)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn weak_tokens_are_refused() {
        assert_eq!(token_fault("correct-horse-battery"), None);
        for (token, wanted) in [("", "0 characters"), ("short", "5"), (&"a".repeat(999), "999")] {
            assert!(token_fault(token).is_some_and(|found| found.contains(wanted)), "{token}");
        }
        assert!(token_fault("with a space and ; more").is_some_and(|found| found.contains("letters")));
    }

    #[test]
    fn token_file_is_one_line_and_never_shown_in_errors() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let section = HttpSection { token_file: Some(file.clone()), ..HttpSection::default() };
        let token = "correct-horse-battery-staple";
        let most = "a".repeat(MAX_PAGE_TOKEN_LEN);
        for text in [token.to_owned(), format!("{token}\n"), format!("{token}\r\n"), format!("{most}\r\n")] {
            std::fs::write(&file, &text).unwrap();
            assert_eq!(section.read_token().unwrap().as_deref(), Some(text.trim_end()));
        }
        let (two, longer) = (format!("{token}\n{token}\n"), format!("{most}aaa"));
        for text in ["", "\n", "secretive", "a secret with spaces", &two, &longer] {
            std::fs::write(&file, text).unwrap();
            let error = section.read_token().unwrap_err();
            assert_eq!(error.exit_code(), 6, "{text}");
            assert!(text.trim().is_empty() || !error.to_string().contains(text.trim()), "{error}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(section.read_token().unwrap_err().to_string().contains("http.token_file"));
        assert_eq!(HttpSection::default().read_token().unwrap(), None);
    }
}
