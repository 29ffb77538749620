//! Reads and writes pictures in parallel with the analysis, one thread each: while a picture is being analysed, the next
//! one is decoded and the results of the previous one are encoded. At most three pictures are in memory at a time, one
//! per thread. A large picture is alone: it is read only after the previous one is analysed, and what is written of it is
//! bounded.

use std::{
    path::Path,
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread::{Builder, Scope},
};

use super::picture::{How, Picture, write};
use crate::cli::inputs::Input;
use crate::error::{Error, Result};
use bloodseg_vision::{analyser::Analyser, error::Cause, overlay::Base, pipeline::Analysis};

/// A picture read ahead: nothing for a large one.
type Ahead = Option<Result<Picture>>;

/// An analysis to be written; the names of its pictures start with the string.
type ToWrite<'a> = (&'a str, Analysis, Base);

/// Both threads; they end when this value is dropped.
pub(super) struct Beside<'a> {
    pictures: Receiver<Ahead>,
    to_write: SyncSender<ToWrite<'a>>,
    written: Receiver<(Result<()>, Analysis)>,
    /// Whether the writer holds an analysis, or its memory.
    is_lent: bool,
    /// Write errors since they were last asked for.
    failed: Vec<Error>,
}

impl<'a> Beside<'a> {
    /// Starts to read `inputs` in order.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) if the system gives no threads.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, 'a>,
        inputs: &'a [&'a Input],
        how: How,
        out: &'a Path,
    ) -> Result<Self> {
        // No buffer: the reader waits with one picture in hand.
        let (read_to, pictures) = sync_channel(0);
        let (to_write, to_be_written) = sync_channel(0);
        let (written_to, written) = channel();
        let thread = |name: &str| Builder::new().name(name.into());
        let fault = |e| Error::internal("thread for pictures", e);
        thread("read").spawn_scoped(scope, move || read_all(inputs, how, &read_to)).map_err(fault)?;
        thread("write").spawn_scoped(scope, move || write_all(out, &to_be_written, &written_to)).map_err(fault)?;
        Ok(Self { pictures, to_write, written, is_lent: false, failed: Vec::new() })
    }

    /// The next of the inputs, which is `input`.
    ///
    /// # Errors
    /// Those of the picture.
    pub(super) fn next(&self, input: &Input, how: How) -> Result<Picture> {
        match self.pictures.recv() {
            Ok(Some(read)) => read,
            Ok(None) => Picture::read(input, how),
            Err(e) => Err(Error::internal("reading beside", Cause::of(e))),
        }
    }

    /// Passes the latest analysis on to be written, its overlay drawn over `base`, once the previous one is written.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) if the thread is gone.
    pub(super) fn write(&mut self, stem: &'a str, analyser: &mut Analyser, base: Base) -> Result<()> {
        let memory = self.take_back()?;
        self.is_lent = true;
        let sent = self.to_write.send((stem, analyser.exchange(memory), base));
        sent.map_err(|_| Error::internal("writing beside", "no thread"))
    }

    /// Write errors since they were last asked for.
    pub(super) fn failed(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.failed)
    }

    /// Waits until everything is written, and returns what could not be.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) if the thread is gone.
    pub(super) fn end(mut self) -> Result<Vec<Error>> {
        self.take_back()?;
        Ok(self.failed)
    }

    /// The analysis that was lent out; a new one the first time.
    fn take_back(&mut self) -> Result<Analysis> {
        if !std::mem::take(&mut self.is_lent) {
            return Ok(Analysis::default());
        }
        let (written, analysis) = self.written.recv().map_err(|e| Error::internal("writing beside", Cause::of(e)))?;
        self.failed.extend(written.err());
        Ok(analysis)
    }
}

fn read_all(inputs: &[&Input], how: How, to: &SyncSender<Ahead>) {
    for input in inputs {
        let ahead = (!Picture::is_large(input)).then(|| Picture::read(input, how));
        // Nobody receives if the command has failed.
        if to.send(ahead).is_err() {
            break;
        }
    }
}

fn write_all(out: &Path, from: &Receiver<ToWrite>, to: &Sender<(Result<()>, Analysis)>) {
    for (stem, analysis, base) in from {
        if to.send((write(out, stem, &analysis, base), analysis)).is_err() {
            break;
        }
    }
}
