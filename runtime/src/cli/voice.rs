//! Prints the output of a run from a separate thread, so that a paused terminal or pager never blocks frames or records.
//! Lines that do not fit the queue are discarded and counted.

use std::{
    fmt::Display,
    io::{self, Write, stderr, stdout},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use heapless::String as Text;

use crate::{
    camera::Pacing,
    run::{
        limits::MAX_NAP,
        queue::{Popped, Queue},
    },
};
use bloodseg_records::store::write::cut;

/// Most queued lines of a run.
pub(super) const MAX_LINES: usize = 64;

/// Most bytes of a line of a run; longer ones are cut.
pub(super) const MAX_LINE_BYTES: usize = 512;

/// Longest time that the end of a run waits for the next line to be read.
pub(super) const MAX_END_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Out,
    Err,
}

type Line = (To, Text<MAX_LINE_BYTES>);

#[derive(Debug, Default)]
struct Said {
    waiting: Queue<Line, MAX_LINES>,
    /// Lines that were written, or could not be.
    done: AtomicU64,
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    said: Arc<Said>,
    thread: Option<Arc<JoinHandle<()>>>,
}

impl Voice {
    /// Starts the thread. If the system cannot create one, nothing is printed.
    pub(super) fn begin() -> Self {
        let said = Arc::<Said>::default();
        let of_thread = Arc::clone(&said);
        let thread = thread::Builder::new().name("voice".to_owned()).spawn(move || speak(&of_thread));
        Self { said, thread: thread.ok().map(Arc::new) }
    }

    /// Prints a line of results on stdout; a long one is cut.
    pub(super) fn line(&self, text: impl Display) {
        self.say(To::Out, text);
    }

    /// Prints an error on stderr.
    pub(super) fn problem(&self, text: impl Display) {
        self.say(To::Err, format_args!("error: {text}"));
    }

    fn say(&self, to: To, text: impl Display) {
        let _ = self.said.waiting.push((to, cut(text)), Pacing::Live);
    }

    /// Waits until everything is printed, as long as the output is read.
    pub(super) fn end(self) {
        self.said.waiting.close();
        let Some(thread) = self.thread else { return };
        let (mut done, mut since) = (self.said.done.load(Relaxed), Instant::now());
        while !thread.is_finished() && since.elapsed() < MAX_END_WAIT {
            thread::sleep(Duration::from_millis(5));
            let now_done = self.said.done.load(Relaxed);
            if now_done != done {
                (done, since) = (now_done, Instant::now());
            }
        }
    }
}

/// As the target of the log: each write is a message.
impl Write for Voice {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        self.say(To::Err, String::from_utf8_lossy(message).trim_end());
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn speak(said: &Said) {
    let mut reported = 0;
    loop {
        let (to, text) = match said.waiting.pop_within(MAX_NAP) {
            Popped::Item(line) => line,
            Popped::Nothing => continue,
            Popped::Closed => return,
        };
        // The reader closed the pipe and wants no more lines.
        let _ = match to {
            To::Out => writeln!(stdout().lock(), "{text}"),
            To::Err => writeln!(stderr().lock(), "{text}"),
        };
        let dropped = said.waiting.dropped();
        if dropped > reported {
            let _ = writeln!(stderr().lock(), "{} lines are left out: nobody read them", dropped - reported);
            reported = dropped;
        }
        said.done.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflowing_lines_are_dropped_and_long_ones_cut() {
        // Without a thread.
        let mut voice = Voice { said: Arc::default(), thread: None };
        for number in 0..MAX_LINES + 3 {
            voice.line(number);
        }
        assert_eq!(voice.said.waiting.dropped(), 3);
        let first = voice.said.waiting.take();
        assert!(first.is_some_and(|(to, text)| to == To::Out && text == "3"));
        assert!(voice.write(b"a warning\n").is_ok_and(|written| written == 10));
        voice.problem("x".repeat(2 * MAX_LINE_BYTES));
        let all: Vec<Line> = std::iter::from_fn(|| voice.said.waiting.take()).collect();
        let [.., warning, problem] = all.as_slice() else { unreachable!("{all:?}") };
        assert!(warning.0 == To::Err && warning.1 == "a warning", "{warning:?}");
        assert!(problem.1.len() == MAX_LINE_BYTES && problem.1.starts_with("error: xxx"), "{problem:?}");
        voice.end();
    }
}
