//! Several pictures at once: each lane is a thread that reads and analyses pictures, and writes those that the command
//! has added to the tables, in the order of the inputs.
//!
//! A lane does not wait for the tables: it continues with the next picture while results are in flight, at most one
//! more than there are lanes. A large picture is left to the command, which analyses it by itself.

use std::{
    collections::{BTreeMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{Builder, Scope},
};

use super::{
    picture::{How, Picture, write},
    scales::{self, Measured},
};
use crate::cli::inputs::Input;
use crate::error::{Error, Result};
use bloodseg_vision::{analyser::Analyser, error::Cause, pipeline::Analysis, scale::Note};

/// What the lanes did with the next picture.
pub(super) enum Ahead {
    /// It is left to the command, because it is large.
    Left,
    /// It was analysed.
    Analysed(Picture, Box<Analysis>, Option<Note>),
}

/// All lanes; they end when this value is dropped, after writing what is in the tables.
pub(super) struct Lanes {
    board: Arc<Board>,
    /// Results of pictures by their place among the inputs.
    ahead: Receiver<(usize, Result<Ahead>)>,
    /// Results that arrived before their turn.
    early: BTreeMap<usize, Result<Ahead>>,
    /// The picture whose turn it is.
    next: usize,
    failed: Receiver<Error>,
}

/// What all lanes need.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    /// The pictures.
    pub(super) inputs: &'a [&'a Input],
    /// How they are read.
    pub(super) how: How,
    /// Measurements of pictures whose scale is shared.
    pub(super) measured: &'a Measured,
    /// Where results are written.
    pub(super) out: &'a Path,
}

impl<'a> Task<'a> {
    fn input(&self, at: usize) -> Result<&'a Input> {
        self.inputs.get(at).copied().ok_or_else(|| Error::internal("lane of pictures", "no such picture"))
    }
}

/// The jobs that the lanes share.
struct Board {
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

struct Jobs {
    /// The next picture to begin, and the number of all.
    next: usize,
    count: usize,
    /// Pictures that may be begun while earlier ones are in flight.
    room: usize,
    /// Results in the tables whose pictures are to be written.
    to_write: VecDeque<(usize, Picture, Box<Analysis>)>,
    /// Memory of written results.
    spare: Vec<Analysis>,
    ended: bool,
}

enum Job {
    Analyse(usize, Box<Analysis>),
    Write(usize, Picture, Box<Analysis>),
}

impl Board {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        // Each change is complete before anything can panic.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a job; `None` at the end. Writing comes first, because it makes room.
    fn take(&self) -> Option<Job> {
        let mut jobs = self.jobs();
        loop {
            if let Some((at, picture, analysis)) = jobs.to_write.pop_front() {
                return Some(Job::Write(at, picture, analysis));
            }
            if jobs.ended {
                return None;
            }
            if jobs.next < jobs.count && jobs.room > 0 {
                jobs.room -= 1;
                jobs.next += 1;
                return Some(Job::Analyse(jobs.next - 1, Box::new(jobs.spare.pop().unwrap_or_default())));
            }
            jobs = self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Jobs)) {
        change(&mut self.jobs());
        self.changed.notify_all();
    }

    /// A picture is no longer in flight, and its memory is free.
    fn free(&self, spare: Option<Box<Analysis>>) {
        self.change(|jobs| {
            jobs.room += 1;
            jobs.spare.extend(spare.map(|spare| *spare));
        });
    }
}

impl Lanes {
    /// Starts `count` lanes with the models of `analyser`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) if the system gives no threads, and those of the models.
    pub(super) fn start<'scope, 'a>(
        scope: &'scope Scope<'scope, 'a>,
        count: usize,
        analyser: &Analyser,
        task: Task<'a>,
    ) -> Result<Self> {
        let jobs = Jobs {
            next: 0,
            count: task.inputs.len(),
            room: count + 1,
            to_write: VecDeque::new(),
            spare: Vec::new(),
            ended: false,
        };
        let board = Arc::new(Board { jobs: Mutex::new(jobs), changed: Condvar::new() });
        let (ahead_to, ahead) = channel();
        let (failed_to, failed) = channel();
        // Before the first thread: dropping it ends those that were started.
        let lanes = Self { board: Arc::clone(&board), ahead, early: BTreeMap::new(), next: 0, failed };
        for number in 0..count {
            let (board, ahead_to, failed_to) = (Arc::clone(&board), ahead_to.clone(), failed_to.clone());
            let lane = Lane { analyser: analyser.another_with(1)?, task, board, ahead_to, failed_to };
            let thread = Builder::new().name(format!("lane {number}"));
            thread.spawn_scoped(scope, || lane.run()).map_err(|e| Error::internal("thread for pictures", e))?;
        }
        Ok(lanes)
    }

    /// The next picture, in the order of the inputs.
    ///
    /// # Errors
    /// Those of the picture and of its analysis.
    pub(super) fn next(&mut self) -> Result<Ahead> {
        let ahead = loop {
            if let Some(ahead) = self.early.remove(&self.next) {
                break ahead;
            }
            let (at, ahead) = self.ahead.recv().map_err(|e| Error::internal("lane of pictures", Cause::of(e)))?;
            self.early.insert(at, ahead);
        };
        self.next += 1;
        if !matches!(ahead, Ok(Ahead::Analysed(..))) {
            self.board.free(None);
        }
        ahead
    }

    /// Returns the result that [`Self::next`] gave last, whose pictures are then written.
    pub(super) fn write(&self, picture: Picture, analysis: Box<Analysis>) {
        let at = self.next.saturating_sub(1);
        self.board.change(|jobs| jobs.to_write.push_back((at, picture, analysis)));
    }

    /// The same for a result without pictures.
    pub(super) fn free(&self, analysis: Box<Analysis>) {
        self.board.free(Some(analysis));
    }

    /// Write errors since the last call.
    pub(super) fn failed(&self) -> Vec<Error> {
        self.failed.try_iter().collect()
    }

    /// Waits until everything is written, and returns what could not be.
    pub(super) fn end(mut self) -> Vec<Error> {
        let failed = std::mem::replace(&mut self.failed, channel().1);
        drop(self);
        // Each lane drops its end of the channel after its last picture.
        failed.iter().collect()
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.board.change(|jobs| jobs.ended = true);
    }
}

/// A lane in its thread.
struct Lane<'a> {
    analyser: Analyser,
    task: Task<'a>,
    board: Arc<Board>,
    ahead_to: Sender<(usize, Result<Ahead>)>,
    failed_to: Sender<Error>,
}

impl Lane<'_> {
    fn run(mut self) {
        while let Some(job) = self.board.take() {
            match job {
                Job::Analyse(at, spare) => {
                    let ahead = caught(|| self.analyse(at, spare));
                    // Nobody receives if the command has ended or failed.
                    let _ = self.ahead_to.send((at, ahead));
                }
                Job::Write(at, picture, analysis) => {
                    if let Err(error) = caught(|| self.write(at, picture, &analysis)) {
                        let _ = self.failed_to.send(error);
                    }
                    self.board.free(Some(analysis));
                }
            }
        }
    }

    fn analyse(&mut self, at: usize, mut spare: Box<Analysis>) -> Result<Ahead> {
        let Task { how, measured, .. } = self.task;
        let input = self.task.input(at)?;
        if Picture::is_large(input) {
            return Ok(Ahead::Left);
        }
        let picture = Picture::read(input, how)?;
        let note = scales::analyse(&mut self.analyser, input, &picture, measured)?;
        *spare = self.analyser.exchange(std::mem::take(&mut *spare));
        Ok(Ahead::Analysed(picture, spare, note))
    }

    fn write(&self, at: usize, picture: Picture, analysis: &Analysis) -> Result<()> {
        let base = picture.into_base(&analysis.scaled)?;
        write(self.task.out, &self.task.input(at)?.stem, analysis, base)
    }
}

/// A panic must not leave the command waiting for the picture.
fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::internal("lane of pictures", "a panic")))
}
