//! The page of a run: opened before the first frame, closed with the run.

use std::{net::SocketAddr, path::Path, sync::Arc, thread, time::Duration};

use crate::{
    camera::FrameSource,
    cli::session::Session,
    config::address::Address,
    error::{Error, Result},
    host,
    page::{
        Site,
        board::Board,
        facts::{Facts, ModelCard},
        guard::Token,
        history::{RunSummary, earlier_runs},
        server::Server,
    },
    run::shared::Shared,
};
use bloodseg_clock::utc;
use bloodseg_records::{run_info::RunInfo, store};

/// A page counts as open if it sent a request within this time before the end.
const WATCHED_WITHIN: Duration = Duration::from_secs(5);

/// Longest time that a run waits at its end for an open page.
const GOODBYE: Duration = Duration::from_secs(3);

/// A page being served, and the board that feeds it.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) board: Arc<Board>,
    /// What to open.
    pub(super) url: String,
    _server: Server,
}

impl Page {
    /// Keeps serving for a moment after the run, so that a page that is open shows how it ended and not a lost connection.
    pub(super) fn say_goodbye(&self, shared: &Shared) {
        let since = shared.now();
        while self.board.is_watched(shared.now(), WATCHED_WITHIN) && shared.now().saturating_sub(since) < GOODBYE {
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Opens the page at the address of the config or of `flag`; `None` if it is off.
    ///
    /// # Errors
    /// [`Error::Config`] if an address was given and cannot be used, or needs a token, or the token cannot be read.
    pub(super) fn open(
        session: &Session,
        flag: Option<Address>,
        source: &dyn FrameSource,
        shared: &Arc<Shared>,
        info: &RunInfo,
        models: Vec<ModelCard>,
        out: &Path,
    ) -> Result<Option<Self>> {
        let http = &session.config.http;
        let address = flag.unwrap_or(http.address);
        if let Some(found) = address.fault(http.has_token()) {
            let todo = "Set it, or serve on 127.0.0.1".to_owned();
            return Err(Error::config("http", found, todo));
        }
        if address == Address::Off {
            return Ok(None);
        }
        let token = http.read_token()?;
        let Some((listener, at)) = address.open()? else { return Ok(None) };
        let um_per_px = source.um_per_px();
        let board = Arc::new(Board::new());
        board.set_models(models);
        let facts = Facts {
            source: source.name().to_owned(),
            source_words: source.describe(),
            started_utc: utc::stamp(info.started),
            um_per_px,
            earlier_runs: earlier(out),
            budget_bytes: session.config.budget.total_mib.map(|mib| (mib * f64::from(1 << 20)) as u64),
            address: at,
            token: token.as_deref().map(Token::new),
        };
        let history = Arc::clone(&board.recent);
        let site = Site { facts, board: Arc::clone(&board), history, run: Arc::clone(shared) };
        let server = Server::start(listener, site)?;
        let url = url(at, host::name(), token.is_some());
        Ok(Some(Self { board, url, _server: server }))
    }
}

/// The address to open. If the page listens on every address of the machine, its host name is used. The token is left
/// out: the line ends up in journals.
fn url(at: SocketAddr, machine: Option<String>, has_token: bool) -> String {
    let is_name = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let place = match machine.filter(|name| at.ip().to_canonical().is_unspecified() && is_name(name)) {
        Some(name) => format!("{name}:{}", at.port()),
        None => at.to_string(),
    };
    let query = if has_token { "?token=TOKEN" } else { "" };
    format!("http://{place}/{query}")
}

/// Errors while reading are not reported here: the run itself reports what is wrong with its records.
fn earlier(out: &Path) -> Vec<RunSummary> {
    if !out.join(store::FILE).is_file() {
        return Vec::new();
    }
    earlier_runs(out).unwrap_or_else(|error| {
        log::debug!("earlier runs: {error}");
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn url_names_a_reachable_host_and_hides_the_token() {
        for (at, machine, has_token, wanted) in [
            ("127.0.0.1:8571", Some("bench-2"), false, "http://127.0.0.1:8571/"),
            ("127.0.0.1:8571", None, true, "http://127.0.0.1:8571/?token=TOKEN"),
            ("0.0.0.0:8571", Some("bench-2.lab"), true, "http://bench-2.lab:8571/?token=TOKEN"),
            ("[::]:80", Some("bench-2"), true, "http://bench-2:80/?token=TOKEN"),
            ("[::1]:80", Some("bench-2"), false, "http://[::1]:80/"),
            ("0.0.0.0:1", Some("no name"), true, "http://0.0.0.0:1/?token=TOKEN"),
            ("0.0.0.0:1", None, true, "http://0.0.0.0:1/?token=TOKEN"),
        ] {
            assert_eq!(url(at.parse().unwrap(), machine.map(str::to_owned), has_token), wanted);
        }
    }
}
