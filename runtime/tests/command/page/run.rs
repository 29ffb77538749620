//! A run with a page, and its responses.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

/// A run with a page; killed on drop.
pub(crate) struct Run {
    pub(crate) child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    pub(crate) at: SocketAddr,
}

impl Run {
    /// Starts a run of the demo and waits until its first frame is analysed.
    pub(crate) fn begin(folder: &Path, more: &[&str]) -> Self {
        Self::begin_with(folder, "demo", more)
    }

    /// The same with this source.
    pub(crate) fn begin_with(folder: &Path, source: &str, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bloodseg"))
            .args(["run", source, "--out", "r", "--http", "127.0.0.1:0"])
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
                let place = url.split_once('/').unwrap().0;
                at = Some(place.parse().unwrap());
            }
            if line.starts_with("frame ") {
                break;
            }
        }
        Self { child, lines, at: at.expect("the line of the page") }
    }

    /// Sends a GET request on a new connection.
    pub(crate) fn ask(&self, target: &str) -> Answer {
        self.send(&format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.at))
    }

    pub(crate) fn send(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        // A server that refuses early may not read all of it.
        let _ = stream.write_all(request.as_bytes());
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Answer::of(&bytes)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// The latest frame, which is held for this reader.
    pub(crate) fn latest(&self) -> Value {
        serde_json::from_slice(&self.ask("/api/latest?hold=1").body).unwrap()
    }

    /// Waits for the end of the run; returns its captured, analysed and dropped frames.
    pub(crate) fn end(mut self) -> [u64; 3] {
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
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len());
        let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head, body: bytes.get(at + 4..).unwrap_or_default().to_vec() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// More frames than any test waits for, at a rate that every machine can sustain.
pub(crate) const LONG: [&str; 4] = ["--frames", "1000000", "--fps", "4"];
