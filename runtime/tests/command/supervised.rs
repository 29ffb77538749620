//! A run under a supervisor: the protocol of systemd's Type=notify and watchdog, with the test as systemd.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![cfg(target_os = "linux")]

use std::{
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use image::{Rgb, RgbImage};
use tempfile::TempDir;

/// Not in `TMPDIR`, whose path may be longer than the name of a socket can be.
fn folder_of_socket() -> TempDir {
    tempfile::Builder::new().tempdir_in("/tmp").unwrap()
}

/// What has arrived, until nothing has for a while.
fn received(socket: &UnixDatagram) -> Vec<String> {
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut messages = Vec::new();
    let mut bytes = [0; 1024];
    while let Ok(length) = socket.recv(&mut bytes) {
        messages.extend(String::from_utf8_lossy(&bytes[..length]).lines().map(str::to_owned));
    }
    messages
}

#[test]
fn run_notifies_ready_then_watchdog_then_stopping() {
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/unet.onnx").is_file() {
        eprintln!("skipped: no models in models/");
        return;
    }
    let folder = folder_of_socket();
    let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    std::fs::create_dir(folder.path().join("frames")).unwrap();
    for number in 0..3 {
        RgbImage::from_pixel(64, 64, Rgb([200; 3])).save(folder.path().join(format!("frames/{number}.png"))).unwrap();
    }
    // Half a frame per second: the loop idles for more than a second between two.
    let mut child = Command::new(env!("CARGO_BIN_EXE_bloodseg"))
        .args(["run", "frames", "--fps", "0.5", "--out", "out"])
        .env("NOTIFY_SOCKET", folder.path().join("notify"))
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Read while it runs: the kernel queues only about ten messages, and sending one more waits for a reader.
    let mut all = Vec::new();
    while child.try_wait().unwrap().is_none() {
        all.extend(received(&socket));
    }
    all.extend(received(&socket));
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (states, messages): (Vec<_>, Vec<_>) = all.into_iter().partition(|message| message.starts_with("STATUS="));
    assert_eq!(states, ["STATUS=running", "STATUS=stopping"]);
    assert_eq!(messages.first().map(String::as_str), Some("READY=1"), "{messages:?}");
    assert_eq!(messages.last().map(String::as_str), Some("STOPPING=1"), "{messages:?}");
    let alive = messages.iter().filter(|message| *message == "WATCHDOG=1").count();
    assert_eq!(alive, messages.len() - 2, "{messages:?}");
    // On a busy machine, the signs of life are further apart.
    assert!(alive >= 2, "no sign of life while idle: {messages:?}");
}

#[test]
fn run_that_cannot_start_is_never_ready() {
    let folder = folder_of_socket();
    let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_bloodseg"))
        .args(["run", "no-such-source"])
        .env("NOTIFY_SOCKET", folder.path().join("notify"))
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(7));
    assert_eq!(received(&socket), Vec::<String>::new());
}

#[test]
fn man_pages_and_completions_are_generated() {
    let folder = tempfile::tempdir().unwrap();
    let bloodseg = |args: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_bloodseg")).args(args).current_dir(folder.path()).output().unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    assert!(bloodseg(&["man"]).contains(".TH bloodseg 1"));
    bloodseg(&["man", "--out", "pages"]);
    for page in ["bloodseg.1", "bloodseg-run.1", "bloodseg-segment.1", "bloodseg-config-print.1"] {
        assert!(folder.path().join("pages").join(page).is_file(), "{page}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(bloodseg(&["completions", shell]).contains("whole-field"), "{shell}");
    }
}
