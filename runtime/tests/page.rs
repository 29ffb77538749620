//! The page of `bloodseg run demo`, as browsers, machines and hostile readers meet it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

/// The models of the repository; a checkout without them skips what needs them.
fn no_models() -> bool {
    let missing = !Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/unet.onnx").is_file();
    if missing {
        eprintln!("skipped: no models in models/");
    }
    missing
}

/// A run with a page, which ends with this.
struct Run {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    at: SocketAddr,
}

impl Run {
    /// Begins a run and waits until its first frame is analysed.
    fn begin(folder: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bloodseg"))
            .args(["run", "demo", "--out", "r", "--http", "127.0.0.1:0"])
            .args(more)
            .env_remove("RUST_LOG")
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut at = None;
        for line in lines.by_ref().map(Result::unwrap) {
            if let Some(url) = line.strip_prefix("page     http://") {
                at = Some(url.trim_end_matches('/').parse().unwrap());
            }
            if line.starts_with("frame ") {
                break;
            }
        }
        Self { child, lines, at: at.expect("the line of the page") }
    }

    /// Asks on a connection of its own.
    fn ask(&self, target: &str) -> Answer {
        self.send(&format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.at))
    }

    fn send(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        // Who is refused early may not want to hear all of it.
        let _ = stream.write_all(request.as_bytes());
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Answer::of(&bytes)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    fn latest(&self) -> Value {
        serde_json::from_slice(&self.ask("/api/latest").body).unwrap()
    }

    /// The last line of a run that was allowed to end: captured, analysed, dropped.
    fn end(mut self) -> [u64; 3] {
        let line = self.lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("end ")).expect("a summary");
        assert!(self.child.wait().unwrap().success());
        let numbers: Vec<u64> =
            line.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).flat_map(str::parse).collect();
        [numbers[0], numbers[1], numbers[2]]
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn of(bytes: &[u8]) -> Self {
        let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len());
        let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head, body: bytes.get(at + 4..).unwrap_or_default().to_vec() }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// More frames than any test waits for, at a pace that every machine keeps.
const LONG: [&str; 4] = ["--frames", "1000000", "--fps", "4"];

#[test]
fn every_address_answers_with_what_it_says() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = Run::begin(folder.path(), &LONG);

    let page = run.ask("/");
    assert!(page.status == 200 && page.head.contains("content-type: text/html"), "{}", page.head);
    assert!(page.head.contains("content-security-policy: default-src 'none'; script-src 'sha256-"));
    for header in ["x-content-type-options: nosniff", "cache-control: no-store", "referrer-policy: no-referrer"] {
        assert!(page.head.contains(header), "{header}: {}", page.head);
    }

    let health: Value = serde_json::from_slice(&run.ask("/healthz").body).unwrap();
    assert_eq!(health["ok"], true);

    let latest = run.latest();
    assert!(latest["frame"]["cells"].as_u64().unwrap() > 5, "{latest}");
    assert_eq!(latest["frame"]["size_px"], serde_json::json!([64, 64]));
    assert_eq!((latest["run"]["source"].as_str(), latest["diameters"]["unit"].as_str()), (Some("demo"), Some("um")));
    assert!(latest["memory"]["heap_bytes"].as_u64().unwrap() > 1 << 20);
    assert_eq!(latest["models"].as_array().unwrap().len(), 2);
    assert!(latest["frame"]["times_ms"]["total"].as_f64().unwrap() > 0.0);

    let shown = latest["frame"]["number"].as_u64().unwrap();
    for (name, side) in [("lr", 64), ("sr", 256), ("overlay", 256)] {
        let picture = run.ask(&format!("/picture/latest.{name}.png?frame={shown}"));
        assert!(picture.status == 200 && picture.head.contains("content-type: image/png"), "{}", picture.head);
        let picture = image::load_from_memory(&picture.body).unwrap();
        assert_eq!((picture.width(), picture.height()), (side, side));
    }

    let cells: Value = serde_json::from_slice(&run.ask("/api/cells?since=0").body).unwrap();
    let told = cells["cells"].as_array().unwrap();
    assert!(told.len() > 5 && told[0]["diameter_um"].as_f64().unwrap() > 1.0, "{cells}");
    let next = cells["next_since"].as_u64().unwrap();
    let after: Value = serde_json::from_slice(&run.ask(&format!("/api/cells?since={next}")).body).unwrap();
    assert!(after["cells"].as_array().unwrap().iter().all(|cell| cell["frame"].as_u64().unwrap() > next));

    let runs: Value = serde_json::from_slice(&run.ask("/api/runs").body).unwrap();
    assert_eq!(runs["runs"].as_array().unwrap().last().unwrap()["active"], true);
}

#[test]
fn runs_of_the_same_folder_are_told() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [captured, analysed, _] = Run::begin(folder.path(), &["--frames", "3"]).end();
    assert_eq!((captured, analysed), (3, 3));
    let run = Run::begin(folder.path(), &LONG);
    let runs: Value = serde_json::from_slice(&run.ask("/api/runs").body).unwrap();
    let [earlier, now] = runs["runs"].as_array().unwrap().as_slice() else { panic!("{runs}") };
    assert_eq!((&earlier["frames"], &earlier["active"], &now["active"]), (&3.into(), &false.into(), &true.into()));
    assert!(earlier["cells"].as_u64().unwrap() > 10, "{earlier}");
}

#[test]
fn the_metrics_are_what_prometheus_reads() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = Run::begin(folder.path(), &LONG);
    let answer = run.ask("/metrics");
    assert!(answer.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", answer.head);
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"));
    let samples: Vec<(&str, f64)> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect(line);
            (name, value.parse().expect(line))
        })
        .collect();
    let value =
        |name: &str| samples.iter().find(|(found, _)| *found == name).unwrap_or_else(|| panic!("{name}: {text}")).1;
    let analysed = value("bloodseg_frames_analysed_total");
    assert!(analysed >= 1.0 && value("bloodseg_cells_total") > 5.0);
    assert_eq!(value("bloodseg_frames_dropped_total{reason=\"refused\"}"), 0.0);
    assert!(value("bloodseg_heap_bytes") > 1e6 && value("bloodseg_rss_bytes") > 1e6);
    let buckets: Vec<f64> = samples
        .iter()
        .filter(|(name, _)| name.starts_with("bloodseg_stage_seconds_bucket") && name.contains("stage=\"total\""))
        .map(|(_, value)| *value)
        .collect();
    assert!(buckets.len() == 13 && buckets.is_sorted(), "{buckets:?}");
    assert_eq!(buckets.last(), Some(&value("bloodseg_stage_seconds_count{stage=\"total\"}")));
    assert!(samples.iter().any(|(name, _)| name.starts_with("bloodseg_model{") && name.contains("sha256=")));
}

#[test]
fn the_stream_tells_of_new_frames() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = Run::begin(folder.path(), &LONG);
    let mut stream = run.connect();
    write!(stream, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut frames = Vec::new();
    for line in BufReader::new(stream).lines().map(Result::unwrap) {
        if let Some(data) = line.strip_prefix("data: ") {
            let news: Value = serde_json::from_str(data).unwrap();
            frames.push(news["frame"].as_u64().unwrap());
        }
        if frames.len() == 4 {
            break;
        }
    }
    assert!(frames.is_sorted() && frames[3] > frames[0], "{frames:?}");
}

#[test]
fn requests_that_nobody_should_send_are_refused() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = Run::begin(folder.path(), &LONG);
    let with = |line: &str, headers: &str| run.send(&format!("{line} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"));
    let local = "Host: localhost\r\n";
    for (line, headers, wanted) in [
        ("GET /nothing", local.to_owned(), 404),
        ("GET /picture/..%2f..%2fetc%2fpasswd", local.to_owned(), 404),
        ("GET /../../etc/passwd", local.to_owned(), 404),
        ("GET /picture/latest.sr.png/../../x", local.to_owned(), 404),
        ("POST /api/latest", local.to_owned(), 405),
        ("DELETE /", local.to_owned(), 405),
        ("POST /", format!("{local}Content-Length: 5\r\n"), 413),
        ("GET /", format!("{local}Transfer-Encoding: chunked\r\n"), 413),
        ("GET /api/cells?since=x", local.to_owned(), 400),
        ("GET /api/cells?since=-1", local.to_owned(), 400),
        ("GET /api/cells?since=99999999999999999999999", local.to_owned(), 400),
        ("GET /api/latest", "Host: evil.example\r\n".to_owned(), 403),
        ("GET /api/latest", String::new(), 403),
        ("GET /", format!("{local}X: {}\r\n", "a".repeat(100_000)), 431),
        ("GET /", format!("{local}{}", "X: y\r\n".repeat(1000)), 431),
        ("GET /%", local.to_owned(), 404),
        ("NONSENSE", local.to_owned(), 400),
    ] {
        let answer = with(line, &headers);
        // What is too long may be cut off before all of it was sent, and the refusal with it.
        let is_cut_off = wanted == 431 && answer.status == 0;
        assert!(answer.status == wanted || is_cut_off, "{line}: {} {}", answer.status, answer.head);
        assert!(!answer.text().contains("root:"));
    }
    assert_eq!(run.ask("/healthz").status, 200);
}

#[test]
fn with_a_token_nothing_is_shown_without_it() {
    if no_models() {
        return;
    }
    const TOKEN: &str = "correct-horse-battery-staple";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), format!("[http]\ntoken = \"{TOKEN}\"\n")).unwrap();
    let run = Run::begin(folder.path(), &["--config", "c.toml", LONG[0], LONG[1], LONG[2], LONG[3]]);
    for target in ["/", "/api/latest", "/metrics", "/picture/latest.sr.png", "/events", "/?token=wrong", "/nothing"] {
        let answer = run.ask(target);
        assert_eq!(answer.status, 401, "{target}");
        assert!(!answer.text().contains(TOKEN));
    }
    assert_eq!(run.ask("/healthz").status, 200);
    let kept = run.ask(&format!("/?token={TOKEN}"));
    assert_eq!(kept.status, 303);
    let cookie = kept.head.lines().find(|line| line.starts_with("set-cookie:")).unwrap();
    assert!(cookie.contains("httponly") && cookie.contains("samesite=strict"), "{cookie}");
    let with = |header: &str| {
        run.send(&format!("GET /api/latest HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n\r\n")).status
    };
    assert_eq!(with(&format!("Authorization: Bearer {TOKEN}")), 200);
    assert_eq!(with(&format!("Cookie: bloodseg_token={TOKEN}")), 200);
    assert_eq!(with(&format!("Authorization: Bearer {TOKEN}x")), 401);
}

#[test]
fn other_machines_are_served_with_a_token_alone() {
    let folder = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bloodseg"));
        command.args(["run", "demo", "--frames", "1", "--out", "r"]).args(more).current_dir(folder.path());
        command.output().unwrap()
    };
    assert_eq!(run(&["--http", "nowhere"]).status.code(), Some(2));
    if no_models() {
        return;
    }
    let refused = run(&["--http", "0.0.0.0:0"]);
    assert_eq!(refused.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("http.token"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = run(&["--http", &taken.local_addr().unwrap().to_string()]);
    assert_eq!(refused.status.code(), Some(6));
    let off = run(&["--http", "off"]);
    assert!(off.status.success() && !String::from_utf8_lossy(&off.stdout).contains("page "));
}

/// Captured, analysed and dropped frames of a run of 12 while `readers` are there.
fn run_with(readers: impl FnOnce(&Run) -> Vec<TcpStream>) -> [u64; 3] {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::begin(folder.path(), &["--frames", "12", "--fps", "1"]);
    let held = readers(&run);
    let counts = run.end();
    drop(held);
    counts
}

#[test]
fn two_hundred_stuck_connections_cost_the_run_no_frame() {
    if no_models() {
        return;
    }
    // Both at once, so that both have the same machine.
    let alone = std::thread::spawn(|| run_with(|_| Vec::new()));
    let beset = run_with(|run| {
        (0..200)
            .map(|at| {
                let mut stream = run.connect();
                let request = match at % 4 {
                    0 => "",
                    1 => "GET /api/la",
                    2 => "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
                    _ => "GET /picture/latest.sr.png HTTP/1.1\r\nHost: localhost\r\n\r\n",
                };
                // Most of them are closed at once.
                let _ = stream.write_all(request.repeat(if at % 4 == 3 { 50 } else { 1 }).as_bytes());
                stream
            })
            .collect()
    });
    let alone = alone.join().unwrap();
    assert_eq!((beset[0], alone[0]), (12, 12));
    assert!(beset[2] <= alone[2], "captured, analysed, dropped: {beset:?}, and {alone:?} alone");
}

#[test]
fn readers_that_drip_are_cut_off_and_others_served_again() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = Run::begin(folder.path(), &LONG);
    let mut dripping: Vec<TcpStream> = (0..30).map(|_| run.connect()).collect();
    let request =
        b"GET /api/latest HTTP/1.1\r\nHost: localhost\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let mut served = 0;
    for at in 0..request.len() {
        for stream in &mut dripping {
            let _ = stream.write_all(&request[at..=at]);
        }
        std::thread::sleep(Duration::from_millis(250));
        let mut fresh = run.connect();
        let _ = write!(fresh, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut answer = Vec::new();
        let _ = fresh.read_to_end(&mut answer);
        served += u32::from(Answer::of(&answer).status == 200);
        if served > 3 {
            break;
        }
    }
    assert!(served > 3, "nobody else was served while some dripped");
}
