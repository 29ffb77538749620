//! `[http]`: where a run's page is served, and to whom.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};

use super::secret_file;
use crate::{
    error::{Error, Result},
    limits::PAGE_TOKEN_MOST,
    page::{address::Address, guard},
};

/// The page of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSection {
    /// `off`, or an address with its port.
    #[serde(deserialize_with = "address")]
    pub address: Address,
    /// What a reader has to know.
    pub token: Option<String>,
    /// File with the same alone.
    pub token_file: Option<PathBuf>,
}

fn address<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Address, D::Error> {
    String::deserialize(from)?.parse().map_err(de::Error::custom)
}

impl HttpSection {
    /// What a value says that no type forbids.
    pub(super) fn fault(&self) -> Option<String> {
        if self.token.is_some() && self.token_file.is_some() {
            return Some("http.token and http.token_file: expected one of them".into());
        }
        self.token.as_deref().and_then(guard::fault).or_else(|| self.address.fault(self.has_token()))
    }

    /// Whether readers have to know a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some() || self.token_file.is_some()
    }

    /// What readers have to know, read from its file where it stands in one.
    ///
    /// # Errors
    /// [`Error::Config`] when the file cannot be read, or what stands in it is no token.
    pub fn read_token(&self) -> Result<Option<String>> {
        let Some(file) = &self.token_file else { return Ok(self.token.clone()) };
        // The end of the line is not the token's.
        let token = secret_file::read(file, "http.token_file", "token", PAGE_TOKEN_MOST as u64 + 2)?;
        match guard::fault(&token) {
            Some(found) => Err(Error::Config {
                origin: format!("http.token_file, {}", file.display()),
                found,
                todo: "Put the token alone into it, in one line".into(),
            }),
            None => Ok(Some(token)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_token_is_one_line_of_a_file_and_stands_in_no_message() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let section = HttpSection { token_file: Some(file.clone()), ..HttpSection::default() };
        let token = "correct-horse-battery-staple";
        let most = "a".repeat(PAGE_TOKEN_MOST);
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
