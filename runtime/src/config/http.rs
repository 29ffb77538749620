//! `[http]`: where a run's page is served, and to whom.

use serde::{Deserialize, Deserializer, de};

use crate::page::{address::Address, guard};

/// The page of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSection {
    /// `off`, or an address with its port.
    #[serde(deserialize_with = "address")]
    pub address: Address,
    /// What a reader has to know.
    pub token: Option<String>,
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
    String::deserialize(from)?.parse().map_err(de::Error::custom)
}

impl HttpSection {
    /// What a value says that no type forbids.
    pub(super) fn fault(&self) -> Option<String> {
        let token = self.token.as_deref();
        token.and_then(guard::fault).or_else(|| self.address.fault(token.is_some()))
    }
}
