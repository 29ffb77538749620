//! Readers that are many, stuck or slow, or that never stop.

use std::{
    fs,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

#[cfg(target_os = "linux")]
use bloodseg::page::limits::PAGE_NICE;

use super::{
    no_models,
    run::{Answer, LONG, Run},
};
use bloodseg::page::limits::{MAX_PAGE_CONNECTIONS, MAX_PAGE_REQUESTS_AT_ONCE, MAX_PAGE_REQUESTS_PER_S};

/// Captured, analysed and dropped frames of a run of 12 while `readers` are connected.
fn run_with(readers: impl FnOnce(&Run) -> Vec<TcpStream>) -> [u64; 3] {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::begin(folder.path(), &["--frames", "12", "--fps", "1"]);
    let held = readers(&run);
    let counts = run.end();
    drop(held);
    counts
}

#[test]
fn stuck_connections_cost_no_frames() {
    if no_models() {
        return;
    }
    // Concurrently, so that both see the same load of the machine.
    let alone = thread::spawn(|| run_with(|_| Vec::new()));
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
                // Most of them are closed immediately.
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
fn slow_requests_are_closed_and_do_not_block_others() {
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
        thread::sleep(Duration::from_millis(250));
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
    // Another byte does not extend the time for a request.
    let start = Instant::now();
    while !dripping.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "{} requests without an end are still open", dripping.len());
        dripping.retain_mut(|stream| stream.write_all(b"a").is_ok() && !is_closed(stream));
        thread::sleep(Duration::from_millis(250));
    }
}

/// Whether the other end closed a connection that was not answered.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let closed = stream.read(&mut [0; 512]).map_or_else(|e| e.kind() != ErrorKind::WouldBlock, |read| read == 0);
    stream.set_nonblocking(false).unwrap();
    closed
}

/// Sends requests as fast as responses arrive, until the run is over; counts the responses.
fn request_until_end(at: SocketAddr, answered: &AtomicU64) {
    let targets = ["/api/latest?hold=7", "/picture/latest.overlay.png", "/metrics", "/api/cells?since=0", "/"];
    // Reconnects after a broken connection; if that fails, the run is over.
    while let Ok(stream) = TcpStream::connect(at) {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut reader = BufReader::new(&stream);
        for target in targets.iter().cycle() {
            let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let asked = (&stream).write_all(request.as_bytes());
            let Some(head) = asked.ok().and_then(|()| head(&mut reader)) else { break };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap();
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_err() {
                break;
            }
            assert!(head.starts_with("http/1.1 200"), "{target}: {head}");
            answered.fetch_add(1, Relaxed);
        }
    }
}

/// The head of a response in lower case; `None` if the connection has ended.
fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head.to_ascii_lowercase())
}

#[test]
fn busy_readers_are_rate_limited_and_low_priority() {
    if no_models() {
        return;
    }
    let (pictures, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let demo = Run::begin(folder.path(), &LONG);
    for number in 0..4 {
        let picture = demo.ask("/picture/latest.lr.png").body;
        fs::write(pictures.path().join(format!("{number}.png")), picture).unwrap();
    }
    drop(demo);
    let began = Instant::now();
    // A folder waits for the analysis: none of its frames may be lost, whatever readers do.
    let run = Run::begin_with(folder.path(), pictures.path().to_str().unwrap(), &["--repeat"]);
    let (at, answered) = (run.at, Arc::new(AtomicU64::new(0)));
    let readers = [(); 10].map(|()| {
        let answered = Arc::clone(&answered);
        thread::spawn(move || request_until_end(at, &answered))
    });
    let enough = u64::from(MAX_PAGE_REQUESTS_AT_ONCE + 2 * MAX_PAGE_REQUESTS_PER_S);
    let counts = loop {
        let latest = run.latest();
        if answered.load(Relaxed) > enough && latest["counts"]["analysed"].as_u64().unwrap() > 5 {
            break latest["counts"].clone();
        }
        thread::sleep(Duration::from_millis(200));
    };
    for lost in ["dropped", "failed", "not_kept", "unreadable"] {
        assert_eq!(counts[lost], 0, "{lost}: {counts}");
    }
    #[cfg(target_os = "linux")]
    {
        let threads = nice(run.child.id());
        let (page, others): (Vec<_>, Vec<_>) = threads.iter().partition(|(name, _)| name == "page");
        assert!(page.len() == 1 && others.len() > 3, "{threads:?}");
        let wanted = |nice: i64| (nice + i64::from(PAGE_NICE)).min(19);
        assert!(others.iter().all(|(_, nice)| wanted(*nice) == page[0].1), "{threads:?}");
    }
    // A slow machine answers fewer requests; none answers more.
    let most =
        f64::from(MAX_PAGE_REQUESTS_AT_ONCE) + began.elapsed().as_secs_f64() * f64::from(MAX_PAGE_REQUESTS_PER_S);
    let answered_now = answered.load(Relaxed);
    eprintln!("{answered_now} requests answered, {most:.0} at most; {counts}");
    assert!(answered_now as f64 <= most + MAX_PAGE_CONNECTIONS as f64, "{answered_now}, at most {most}");
    drop(run);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
}

/// Name and nice value of each thread of a process.
#[cfg(target_os = "linux")]
fn nice(id: u32) -> Vec<(String, i64)> {
    let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap();
    let stats = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("stat")).ok());
    let of = |stat: String| {
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        // The 19th field; the third is the first of the rest.
        Some((name.to_owned(), rest.split_whitespace().nth(16)?.parse().ok()?))
    };
    stats.filter_map(of).collect()
}
