//! Several pictures at once: each lane is a thread that reads, analyses and writes one picture after the other, in buffers of
//! its own. Between the analysis and the writing the command takes the result into the tables, in the order of the inputs.
//!
//! Lanes take turns, so a lane holds one picture at a time and the order is known. A large picture is left to the command,
//! which analyses it alone.

use std::{
    path::Path,
    sync::mpsc::{Receiver, Sender, channel, sync_channel},
    thread::{Builder, Scope},
};

use super::{
    picture::{How, Picture, write},
    scales::{self, Measured},
};
use crate::cli::inputs::Input;
use crate::error::{Error, Result};
use bloodseg_vision::{analyser::Analyser, error::Cause, overlay::Base, pipeline::Analysis, scale::Note};

/// What a lane has to say about its next picture.
pub(super) enum Ahead {
    /// It is left to the command, because it is large.
    Left,
    /// It was analysed.
    Analysed(Picture, Box<Analysis>, Option<Note>),
}

/// A result that is in the tables: its memory, and what its overlay is drawn on, if pictures are written.
type InTables = (Box<Analysis>, Option<Base>);

/// All lanes; they end when this value is dropped.
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    /// Whose turn it is.
    next: usize,
    failed: Receiver<Error>,
}

struct Lane {
    ahead: Receiver<Result<Ahead>>,
    in_tables: Sender<InTables>,
}

/// What all lanes need.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    /// The pictures, of which each lane takes its share.
    pub(super) inputs: &'a [&'a Input],
    /// How they are read.
    pub(super) how: How,
    /// Measurements of pictures whose scale is shared.
    pub(super) measured: &'a Measured,
    /// Where results are written.
    pub(super) out: &'a Path,
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
        let (failed_to, failed) = channel();
        let lane = |first: usize| -> Result<Lane> {
            // No buffer: a lane waits with one picture in hand.
            let (ahead_to, ahead) = sync_channel(0);
            let (in_tables, written_from) = channel();
            let (analyser, failed_to) = (analyser.another_with(1)?, failed_to.clone());
            let inputs = task.inputs.iter().skip(first).step_by(count);
            let run = move || {
                let mut runner = Runner { analyser, task, spare: Box::default() };
                for input in inputs {
                    let ahead = runner.ahead(input);
                    let is_analysed = matches!(ahead, Ok(Ahead::Analysed(..)));
                    // Nobody receives if the command has ended or failed.
                    if ahead_to.send(ahead).is_err() {
                        return;
                    }
                    if !is_analysed {
                        continue;
                    }
                    let Ok(in_tables) = written_from.recv() else { return };
                    if let Err(error) = runner.write(input, in_tables) {
                        let _ = failed_to.send(error);
                    }
                }
            };
            let thread = Builder::new().name(format!("lane {first}"));
            thread.spawn_scoped(scope, run).map_err(|e| Error::internal("thread for pictures", e))?;
            Ok(Lane { ahead, in_tables })
        };
        let lanes = (0..count).map(lane).collect::<Result<_>>()?;
        Ok(Self { lanes, next: 0, failed })
    }

    /// The next picture, in the order of the inputs.
    ///
    /// # Errors
    /// Those of the picture and of its analysis.
    pub(super) fn next(&mut self) -> Result<Ahead> {
        let lane = self.lanes.get(self.next).ok_or_else(no_lane)?;
        self.next = (self.next + 1) % self.lanes.len();
        lane.ahead.recv().map_err(|e| Error::internal("lane of pictures", Cause::of(e)))?
    }

    /// Returns the result that [`Self::next`] gave last to its lane, which writes its pictures over `base`, if any.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) if the thread is gone.
    pub(super) fn write(&self, analysis: Box<Analysis>, base: Option<Base>) -> Result<()> {
        let last = (self.next + self.lanes.len().saturating_sub(1)).checked_rem(self.lanes.len());
        let lane = last.and_then(|last| self.lanes.get(last)).ok_or_else(no_lane)?;
        lane.in_tables.send((analysis, base)).map_err(|_| Error::internal("writing beside", "no thread"))
    }

    /// Write errors since they were last asked for.
    pub(super) fn failed(&self) -> Vec<Error> {
        self.failed.try_iter().collect()
    }

    /// Waits until everything is written, and returns what could not be.
    pub(super) fn end(self) -> Vec<Error> {
        let Self { lanes, failed, .. } = self;
        drop(lanes);
        // Each lane ends after its last picture, and with it its end of the channel.
        failed.iter().collect()
    }
}

/// A lane in its thread.
struct Runner<'a> {
    analyser: Analyser,
    task: Task<'a>,
    /// The memory of the result before.
    spare: Box<Analysis>,
}

impl Runner<'_> {
    fn ahead(&mut self, input: &Input) -> Result<Ahead> {
        let Task { how, measured, .. } = self.task;
        if Picture::is_large(input) {
            return Ok(Ahead::Left);
        }
        let picture = Picture::read(input, how)?;
        let note = scales::analyse(&mut self.analyser, input, &picture, measured)?;
        let mut analysis = std::mem::take(&mut self.spare);
        *analysis = self.analyser.exchange(std::mem::take(&mut *analysis));
        Ok(Ahead::Analysed(picture, analysis, note))
    }

    fn write(&mut self, input: &Input, (analysis, base): InTables) -> Result<()> {
        let written = base.map_or(Ok(()), |base| write(self.task.out, &input.stem, &analysis, base));
        self.spare = analysis;
        written
    }
}

fn no_lane() -> Error {
    Error::internal("lane of pictures", "no lane")
}
