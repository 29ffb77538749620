//! Responses, and who gets them.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::Command,
};

use serde_json::Value;

use super::{
    no_models,
    run::{Answer, LONG, Run},
};

#[test]
fn endpoints_answer_with_their_content() {
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
    let number = |answer: &Answer| answer.head.lines().find_map(|line| line.strip_prefix("x-frame: ")?.parse().ok());
    for (name, side) in [("lr", 64), ("sr", 256), ("overlay", 256)] {
        let picture = run.ask(&format!("/picture/latest.{name}.png?frame={shown}"));
        assert!(picture.status == 200 && picture.head.contains("content-type: image/png"), "{}", picture.head);
        assert_eq!(number(&picture), Some(shown));
        let picture = image::load_from_memory(&picture.body).unwrap();
        assert_eq!((picture.width(), picture.height()), (side, side));
    }

    // A request for a frame never returns the picture of another one.
    for gone in [0, shown + 1_000_000] {
        assert_eq!(run.ask(&format!("/picture/latest.lr.png?frame={gone}")).status, 409, "{gone}");
    }
    assert!(number(&run.ask("/picture/latest.lr.png")).is_some_and(|now| now >= shown));

    let cells: Value = serde_json::from_slice(&run.ask("/api/cells?since=0").body).unwrap();
    let answered = cells["cells"].as_array().unwrap();
    assert!(answered.len() > 5 && answered[0]["diameter_um"].as_f64().unwrap() > 1.0, "{cells}");
    let next = cells["next_since"].as_u64().unwrap();
    let after: Value = serde_json::from_slice(&run.ask(&format!("/api/cells?since={next}")).body).unwrap();
    assert!(after["cells"].as_array().unwrap().iter().all(|cell| cell["frame"].as_u64().unwrap() > next));

    let runs: Value = serde_json::from_slice(&run.ask("/api/runs").body).unwrap();
    assert_eq!(runs["runs"].as_array().unwrap().last().unwrap()["active"], true);
}

#[test]
fn earlier_runs_of_folder_are_listed() {
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
fn metrics_are_in_prometheus_format() {
    if no_models() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = Run::begin(folder.path(), &LONG);
    let ask = |accept: &str| {
        run.send(&format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept: {accept}\r\n\r\n", run.at))
    };
    let answer = ask("application/openmetrics-text; version=1.0.0, */*;q=0.1");
    assert!(answer.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", answer.head);
    let plain = ask("*/*");
    assert!(plain.head.contains("content-type: text/plain; version=0.0.4"), "{}", plain.head);
    assert!(plain.text().contains("\n# TYPE bloodseg_frames_analysed_total counter\n"), "{}", plain.text());
    assert!(!plain.text().contains("# EOF") && !plain.text().contains(" info\n"), "{}", plain.text());
    // On a busy disk the first frame is kept long after it was shown.
    let is_kept = |text: &str| !text.contains("\nbloodseg_records_kept_total 0\n");
    let mut text = answer.text();
    for _ in 0..300 {
        if is_kept(&text) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        text = ask("application/openmetrics-text").text();
    }
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
    let [kept, not_kept] = ["kept", "not_kept"].map(|what| value(&format!("bloodseg_records_{what}_total")));
    assert!(kept >= 1.0 && kept + not_kept <= analysed, "{kept} and {not_kept} of {analysed}");
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
fn event_stream_reports_new_frames() {
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
fn invalid_requests_are_refused() {
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
        ("GET /api/latest?hold=x", local.to_owned(), 400),
        ("GET /picture/latest.sr.png?frame=x", local.to_owned(), 400),
        ("GET /api/latest", "Host: evil.example\r\n".to_owned(), 403),
        ("GET /api/latest", String::new(), 403),
        ("GET /", format!("{local}X: {}\r\n", "a".repeat(100_000)), 431),
        ("GET /", format!("{local}{}", "X: y\r\n".repeat(1000)), 431),
        ("GET /%", local.to_owned(), 404),
        ("NONSENSE", local.to_owned(), 400),
    ] {
        let answer = with(line, &headers);
        // The connection of a request that is too long may be closed before the refusal is read.
        let is_cut_off = wanted == 431 && answer.status == 0;
        assert!(answer.status == wanted || is_cut_off, "{line}: {} {}", answer.status, answer.head);
        assert!(!answer.text().contains("root:"));
    }
    assert_eq!(run.ask("/healthz").status, 200);
}

#[test]
fn everything_but_health_needs_the_token() {
    if no_models() {
        return;
    }
    const TOKEN: &str = "correct-horse-battery-staple";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
    fs::write(folder.path().join("c.toml"), "[http]\ntoken_file = \"token\"\n").unwrap();
    let run = Run::begin(folder.path(), &["--config", "c.toml", LONG[0], LONG[1], LONG[2], LONG[3]]);
    for target in ["/", "/api/latest", "/metrics", "/picture/latest.sr.png", "/events", "/?token=wrong", "/nothing"] {
        let answer = run.ask(target);
        assert_eq!(answer.status, 401, "{target}");
        assert!(!answer.text().contains(TOKEN));
    }
    assert_eq!(run.ask("/healthz").status, 200);
    let kept = run.ask(&format!("/?token={TOKEN}"));
    assert_eq!(kept.status, 303);
    // Relative, so that it also works below the path of a proxy.
    assert!(kept.head.contains("location: ./") && !kept.head.contains("Path=/"), "{}", kept.head);
    let deeper = run.ask(&format!("/api/latest?token={TOKEN}"));
    assert!(deeper.head.contains("location: ../\r\n"), "{}", deeper.head);
    let cookie = kept.head.lines().find(|line| line.starts_with("set-cookie:")).unwrap();
    assert!(cookie.contains("httponly") && cookie.contains("samesite=lax"), "{cookie}");
    let with = |header: &str| {
        run.send(&format!("GET /api/latest HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n\r\n")).status
    };
    assert_eq!(with(&format!("Authorization: Bearer {TOKEN}")), 200);
    assert_eq!(with(&format!("Cookie: bloodseg_token={TOKEN}")), 200);
    assert_eq!(with(&format!("Authorization: Bearer {TOKEN}x")), 401);
    assert_eq!(with(&format!("Authorization: Bearer {TOKEN}\r\nHost: y")), 400);
}

#[test]
fn serving_other_machines_needs_a_token() {
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
    fs::write(folder.path().join("c.toml"), "[http]\naddress = \"0.0.0.0:0\"\ntoken_file = \"none\"\n").unwrap();
    let refused = run(&["--config", "c.toml"]);
    assert_eq!(refused.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("http.token_file"));
    fs::write(folder.path().join("c.toml"), "[http]\ntoken = \"correct-horse-battery\"\n").unwrap();
    let answered = String::from_utf8(run(&["--config", "c.toml", "--http", "0.0.0.0:0"]).stdout).unwrap();
    let page = answered.lines().find(|line| line.starts_with("page ")).unwrap();
    assert!(page.ends_with("/?token=TOKEN") && !answered.contains("horse"), "{answered}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = run(&["--http", &taken.local_addr().unwrap().to_string()]);
    assert_eq!(refused.status.code(), Some(6));
    let off = run(&["--http", "off"]);
    assert!(off.status.success() && !String::from_utf8_lossy(&off.stdout).contains("page "));
}
