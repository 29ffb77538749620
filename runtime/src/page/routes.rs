//! The routes, all of them read-only.

use std::sync::{Arc, atomic::AtomicUsize};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode, Uri,
        header::{
            ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE,
            TRANSFER_ENCODING,
        },
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use super::{
    Site,
    events::{Events, Seat},
    guard::{self, Answer, Asked},
    history::RunSummary,
    latest::Latest,
    metrics,
    picture::{Gallery, Missing, Which},
    policy,
    since::Since,
    text_format,
};
use crate::run::state::State as RunState;

/// State shared by the handlers.
#[derive(Debug, Clone)]
struct Desk {
    site: Arc<Site>,
    gallery: Arc<Gallery>,
    streams: Arc<AtomicUsize>,
    csp: HeaderValue,
}

/// Every route, behind the guard.
pub fn router(site: Arc<Site>) -> Router {
    let csp = HeaderValue::from_str(&policy::content_security_policy())
        .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
    let desk = Desk { site, gallery: Arc::default(), streams: Arc::default(), csp };
    Router::new()
        .route("/", get(page))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics_text))
        .route("/api/latest", get(latest))
        .route("/api/runs", get(runs))
        .route("/api/cells", get(cells))
        .route("/picture/{name}", get(picture))
        .route("/events", get(events))
        // Browsers request it by themselves, and complain if it is missing.
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
        .fallback(nothing_here)
        .layer(middleware::from_fn_with_state(desk.clone(), guarded))
        .with_state(desk)
}

/// Applies the guard, and adds headers to every response.
async fn guarded(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let mut answer = match turned_away(&desk, &request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    policy::set(answer.headers_mut(), &desk.csp);
    answer
}

/// The response to a rejected request.
fn turned_away(desk: &Desk, request: &Request) -> Option<Response> {
    if has_body(request.headers()) {
        return Some(refusal(StatusCode::PAYLOAD_TOO_LARGE, "requests must not have a body"));
    }
    // A proxy and this program might interpret different ones.
    if request.headers().get_all(HOST).iter().count() > 1 {
        return Some(refusal(StatusCode::BAD_REQUEST, "more than one Host header"));
    }
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let asked = Asked {
        path: request.uri().path(),
        query: request.uri().query().unwrap_or(""),
        host: text(HOST),
        authorization: text(AUTHORIZATION),
        cookie: text(COOKIE),
    };
    match guard::judge(&asked, desk.site.facts.token.as_ref()) {
        Answer::Go => None,
        Answer::KeepToken => Some(keep_token(&asked)),
        Answer::Unauthorized => Some(refusal(
            StatusCode::UNAUTHORIZED,
            "this page requires a token: open /?token=TOKEN, or send `Authorization: Bearer TOKEN`",
        )),
        Answer::ForeignHost => Some(refusal(StatusCode::FORBIDDEN, "this page is only available as localhost")),
    }
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

/// An error response that closes the connection: further data on it is not read.
fn refusal(status: StatusCode, why: &'static str) -> Response {
    (status, [(CONNECTION, "close")], format!("{why}\n")).into_response()
}

/// Moves the token out of the address, where a history or a screenshot would keep it.
fn keep_token(asked: &Asked<'_>) -> Response {
    let token = guard::value(asked.query, "token").unwrap_or("");
    // The value is known to be the token, which needs no quoting. With `Strict` the cookie would not be sent if a link on
    // another site leads here, until the page is reloaded; and a foreign site that sends it gains nothing, because the
    // page is read-only. Both are relative: behind a proxy, the page may have an unknown path. Without a path, a cookie
    // applies to the folder of the address, which contains the whole page.
    let folders = asked.path.matches('/').count().saturating_sub(1);
    let (path, location) = match folders {
        0 => ("", "./".to_owned()),
        _ => ("; Path=/", "../".repeat(folders)),
    };
    let cookie = format!("{}={token}; HttpOnly; SameSite=Lax{path}", guard::COOKIE);
    (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie.as_str()), (LOCATION, location.as_str())]).into_response()
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => ([(CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "the response cannot be written"),
    }
}

async fn page() -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], Bytes::from_static(policy::PAGE.as_bytes())).into_response()
}

async fn nothing_here() -> Response {
    refusal(StatusCode::NOT_FOUND, "not found; the page is at /")
}

/// The health of a run.
#[derive(Debug, Serialize)]
struct Health {
    ok: bool,
    state: &'static str,
}

async fn healthz(State(desk): State<Desk>) -> Response {
    let state = desk.site.run.state();
    let ok = !matches!(state, RunState::Recovering(_) | RunState::Stopping);
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, json(&Health { ok, state: state.name() })).into_response()
}

/// In OpenMetrics if the client accepts it, otherwise in the text format that every client supports.
async fn metrics_text(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    match metrics::text(&desk.site) {
        Ok(text) if text_format::wants_openmetrics(accept) => {
            ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
        }
        Ok(text) => ([(CONTENT_TYPE, text_format::CONTENT_TYPE)], text_format::of_openmetrics(&text)).into_response(),
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written"),
    }
}

async fn latest(State(desk): State<Desk>, uri: Uri) -> Response {
    let Desk { site, gallery, .. } = &desk;
    let reading = match guard::value(uri.query().unwrap_or(""), "hold").map(str::parse) {
        None => site.board.read(),
        Some(Ok(viewer)) => gallery.hold(&site.board, viewer, site.run.now()),
        Some(Err(_)) => return refusal(StatusCode::BAD_REQUEST, "hold: expected a number chosen by the client"),
    };
    site.board.ask(site.run.now(), site.run.state() == RunState::Stopping);
    json(&Latest::of(site, reading))
}

/// The answer of `/api/runs`.
#[derive(Debug, Serialize)]
struct Runs {
    runs: Vec<RunSummary>,
}

async fn runs(State(desk): State<Desk>) -> Response {
    let Desk { site, .. } = &desk;
    let mut runs = site.facts.earlier_runs.clone();
    runs.push(RunSummary {
        started_utc: site.facts.started_utc.clone(),
        source: site.facts.source.clone(),
        frames: site.run.counts().analysed,
        cells: Some(site.board.cells().0),
        active: true,
    });
    json(&Runs { runs })
}

async fn cells(State(desk): State<Desk>, uri: Uri) -> Response {
    let since = match guard::value(uri.query().unwrap_or(""), "since").map_or(Ok(Since::frame(0)), str::parse) {
        Ok(since) => since,
        Err(_) => {
            return refusal(StatusCode::BAD_REQUEST, "since: expected the number of a frame, or a value of next_since");
        }
    };
    match desk.site.history.cells_since(since) {
        Ok(cells) => json(&cells),
        Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE, "the records cannot be read now"),
    }
}

async fn picture(State(desk): State<Desk>, Path(name): Path<String>, uri: Uri) -> Response {
    let Some(which) = Which::by_name(&name) else { return nothing_here().await };
    let frame = match guard::value(uri.query().unwrap_or(""), "frame").map(str::parse).transpose() {
        Ok(frame) => frame,
        Err(_) => return refusal(StatusCode::BAD_REQUEST, "frame: expected the number of a frame"),
    };
    match desk.gallery.png(&desk.site.board, which, frame) {
        Ok((png, frame)) => {
            ([("content-type", "image/png".to_owned()), ("x-frame", frame.to_string())], png).into_response()
        }
        Err(Missing::NotYet) => refusal(StatusCode::SERVICE_UNAVAILABLE, "no frame has been analysed yet"),
        // Clients that show frames see this occasionally, and repeat the request on the same connection.
        Err(Missing::Gone) => {
            (StatusCode::CONFLICT, "the frame has been replaced; request /api/latest?hold=N first\n").into_response()
        }
        Err(Missing::Broken) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "the picture cannot be encoded"),
    }
}

async fn events(State(desk): State<Desk>) -> Response {
    match Seat::take(&desk.streams) {
        Some(seat) => {
            let events = Body::new(Events::new(Arc::clone(&desk.site), seat));
            ([(CONTENT_TYPE, "text/event-stream")], events).into_response()
        }
        None => refusal(StatusCode::SERVICE_UNAVAILABLE, "too many streams; poll /api/latest instead"),
    }
}
