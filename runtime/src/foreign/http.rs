//! Bytes of a connection to the page.

use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime,
    time::timeout,
};

use crate::{
    camera::Pacing,
    page::{
        Site,
        board::Board,
        facts::{Facts, ModelCard},
        guard::Token,
        routes, server,
    },
    run::shared::Shared,
};
use bloodseg_clock::VirtualClock;

/// Occurs in the seeds, so that a fuzzer gets past the guard.
const TOKEN: &str = "token-of-the-seeds";

/// Occurs in every response with data of the run, and in no other.
const SECRET: &str = "model-of-the-seeds";

/// Bytes of the responses that are checked.
const MOST_ANSWER_BYTES: usize = 1 << 20;

/// Longest time for the bytes, which are all available: only an event stream continues, and even that ends with its
/// reader.
const MOST_TIME: Duration = Duration::from_secs(5);

/// The bytes are everything that a client sends before it disconnects. Returns whether a request was answered with 200.
///
/// # Panics
/// If data of the run is sent to a client without the token, or a response is not valid HTTP.
pub fn meet(bytes: &[u8]) -> bool {
    let Ok(runtime) = runtime::Builder::new_current_thread().enable_time().build() else { return false };
    let answer = Arc::default();
    let stream = Stream { asked: bytes.to_vec(), read: 0, answer: Arc::clone(&answer) };
    // The timer must be created within the runtime.
    let served =
        runtime.block_on(async { timeout(MOST_TIME, server::serve(stream, routes::router(Arc::new(site())))).await });
    assert!(served.is_ok(), "a connection outlives its reader");
    let answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(&answer);
    assert!(text.is_empty() || text.starts_with("HTTP/1."), "{text}");
    let knows = bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes());
    assert!(knows || !text.contains(SECRET), "sent without the token: {text}");
    text.split("HTTP/1.").any(|answer| answer.get(1..).is_some_and(|rest| rest.starts_with(" 200 ")))
}

/// A site whose run has just started, and whose data contains [`SECRET`].
pub(crate) fn site() -> Site {
    let card = ModelCard {
        name: SECRET.to_owned(),
        version: String::new(),
        sha256: String::new(),
        size_bytes: 0,
        um_per_px: 1.0,
        parameters: 0,
        data: String::new(),
        licence: String::new(),
        figures: BTreeMap::new(),
        figures_from: String::new(),
    };
    let board = Arc::new(Board::new());
    board.set_models(vec![card]);
    let facts = Facts {
        source: SECRET.to_owned(),
        source_words: String::new(),
        started_utc: String::new(),
        um_per_px: None,
        earlier_runs: Vec::new(),
        budget_bytes: None,
        address: ([127, 0, 0, 1], 80).into(),
        token: Some(Token::new(TOKEN)),
    };
    let clock = Arc::new(VirtualClock::at(SystemTime::UNIX_EPOCH));
    let run = Arc::new(Shared::new(Arc::default(), clock, Pacing::Lossless));
    Site { facts, history: Arc::clone(&board.recent) as _, board, run }
}

/// A client that sends everything at once and then stops reading.
#[derive(Debug)]
struct Stream {
    asked: Vec<u8>,
    read: usize,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let rest = self.asked.get(self.read..).unwrap_or_default();
        let taken = rest.len().min(to.remaining());
        to.put_slice(&rest[..taken]);
        self.read += taken;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST_ANSWER_BYTES.saturating_sub(answer.len());
        answer.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
