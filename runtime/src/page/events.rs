//! The stream of new frames: server-sent events with numbers only. The page requests what it shows, so a slow reader
//! holds a few bytes and no pictures.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use axum::body::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Interval, interval};

use super::Site;
use crate::page::limits::{MAX_PAGE_STREAMS, PAGE_HEARTBEAT, PAGE_LOOK};

/// One of the limited number of streams; released when dropped.
#[derive(Debug)]
pub struct Seat(Arc<AtomicUsize>);

impl Seat {
    /// Reserves one, if available.
    pub fn take(taken: &Arc<AtomicUsize>) -> Option<Self> {
        let one_more = |taken: usize| (taken < MAX_PAGE_STREAMS).then_some(taken + 1);
        taken.try_update(Relaxed, Relaxed, one_more).ok().map(|_| Self(Arc::clone(taken)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// See the module. It never ends by itself; the connection does.
#[derive(Debug)]
pub struct Events {
    site: Arc<Site>,
    _seat: Seat,
    look: Interval,
    told_frame: Option<u64>,
    sent_state: &'static str,
    told_at: Instant,
}

impl Events {
    /// A stream that first sends the current status.
    pub fn new(site: Arc<Site>, seat: Seat) -> Self {
        let told_at = Instant::now();
        Self { site, _seat: seat, look: interval(PAGE_LOOK), told_frame: None, sent_state: "", told_at }
    }

    fn news(&mut self) -> Option<String> {
        let (frame, state) = (self.site.board.published(), self.site.run.state().name());
        let is_new = self.told_frame != Some(frame) || self.sent_state != state;
        if !is_new && self.told_at.elapsed() < PAGE_HEARTBEAT {
            return None;
        }
        (self.told_frame, self.sent_state, self.told_at) = (Some(frame), state, Instant::now());
        Some(format!("data: {{\"frame\":{frame},\"state\":\"{state}\"}}\n\n"))
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if self.look.poll_tick(context).is_pending() {
                return Poll::Pending;
            }
            if let Some(news) = self.news() {
                return Poll::Ready(Some(Ok(Frame::data(news.into()))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_limited_and_released_on_drop() {
        let taken = Arc::default();
        let seats: Vec<Option<Seat>> = (0..MAX_PAGE_STREAMS + 3).map(|_| Seat::take(&taken)).collect();
        assert_eq!(seats.iter().flatten().count(), MAX_PAGE_STREAMS);
        drop(seats);
        assert!(Seat::take(&taken).is_some());
    }
}
