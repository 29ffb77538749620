//! Connections to the page: few, small, and short-lived, on one thread.
//!
//! Whatever a client does, it takes one of [`MAX_PAGE_CONNECTIONS`] places with bounded buffers for a bounded time:
//! headers must arrive within [`MAX_PAGE_HEADER_TIME`], written bytes must be accepted within [`MAX_PAGE_WRITE_TIME`],
//! and the connection ends after [`MAX_PAGE_CONNECTION_TIME`]. Requests are answered at the pace of [`Pace`], on a thread
//! that yields to those of the pipeline.

use std::{
    net,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    runtime,
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{Site, pace::Pace, patient_io::PatientIo, routes};
use crate::{
    error::{Error, Result},
    page::limits::{
        MAX_PAGE_CONNECTION_TIME, MAX_PAGE_CONNECTIONS, MAX_PAGE_HEADER_BYTES, MAX_PAGE_HEADER_TIME, MAX_PAGE_HEADERS,
        MAX_PAGE_WRITE_TIME, PAGE_NICE, PAGE_STACK_BYTES,
    },
};

/// Pause if the system cannot accept a connection, for lack of memory or file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The serving thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `site` to clients of `listener`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) if the system cannot create a thread or poll.
    pub fn start(listener: net::TcpListener, site: Site) -> Result<Self> {
        let fault = |e: std::io::Error| Error::internal("page", e);
        listener.set_nonblocking(true).map_err(fault)?;
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(fault)?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener).map_err(fault)?
        };
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("page".to_owned())
            .stack_size(PAGE_STACK_BYTES)
            .spawn(move || {
                give_way();
                runtime.spawn(accept(listener, Arc::new(site)));
                // Sent or dropped: either way, stop.
                let _ = runtime.block_on(stopped);
            })
            .map_err(fault)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has ended either way.
            let _ = thread.join();
        }
    }
}

/// Lowers the priority of this thread, so that others go first if there are fewer cores than work.
fn give_way() {
    /// The highest nice value.
    #[cfg(target_os = "linux")]
    const LEAST: i32 = 19;
    // On Linux this applies to a single thread, and no id means the calling one.
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        let set = getpriority_process(None).and_then(|nice| setpriority_process(None, (nice + PAGE_NICE).min(LEAST)));
        if let Err(error) = set {
            log::debug!("the page keeps its priority: {error}");
        }
    }
}

/// One of the places; released when dropped.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

async fn accept(listener: TcpListener, site: Arc<Site>) {
    let pace = Arc::new((Pace::default(), Instant::now()));
    let router = routes::router(site).layer(middleware::from_fn_with_state(pace, paced));
    let taken = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if taken.load(Relaxed) >= MAX_PAGE_CONNECTIONS {
            continue;
        }
        taken.fetch_add(1, Relaxed);
        let place = Place(Arc::clone(&taken));
        let router = router.clone();
        tokio::spawn(async move {
            // How a connection ends concerns only its client.
            let _ = timeout(MAX_PAGE_CONNECTION_TIME, connection(stream, router)).await;
            drop(place);
        });
    }
}

/// Delays a request until its turn.
async fn paced(State(pace): State<Arc<(Pace, Instant)>>, request: Request, next: Next) -> Response {
    let (pace, began) = &*pace;
    let wait = pace.wait(began.elapsed());
    if !wait.is_zero() {
        sleep(wait).await;
    }
    next.run(request).await
}

async fn connection(stream: TcpStream, router: axum::Router) -> std::result::Result<(), hyper::Error> {
    // Events are small and should arrive immediately; a possible delay is no reason to refuse.
    let _ = stream.set_nodelay(true);
    serve(stream, router).await
}

/// Serves one connection with arbitrary bytes until it ends.
///
/// # Errors
/// Errors of the connection, and of invalid requests.
pub async fn serve<T>(stream: T, router: axum::Router) -> std::result::Result<(), hyper::Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let io = TokioIo::new(PatientIo::new(stream, MAX_PAGE_WRITE_TIME));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(MAX_PAGE_HEADER_TIME)
        .max_buf_size(MAX_PAGE_HEADER_BYTES)
        .max_headers(MAX_PAGE_HEADERS)
        .half_close(false)
        .serve_connection(io, TowerToHyperService::new(router))
        .await
}
