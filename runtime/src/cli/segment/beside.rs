//! Pictures read and written beside the analysis, by a thread each: the next one is decoded, and the results of the one
//! before are encoded, while a picture is in the nets. There are three pictures at a time at most, one in each hand. A large
//! one is alone: it is read once the one before is analysed, and what is written of it is bounded.

use std::{
    path::Path,
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread::{Builder, Scope},
};

use super::picture::{How, Picture, write};
use crate::cli::inputs::Input;
use crate::error::{Error, Result};
use bloodseg_vision::error::Cause;
use bloodseg_vision::overlay::Base;
use bloodseg_vision::pipeline::{Analysis, Pipeline};

/// What was read ahead: nothing of a large picture.
type Ahead = Option<Result<Picture>>;

/// An analysis to be written: the names of its pictures begin with the first.
type ToWrite<'a> = (&'a str, Analysis, Base);

/// Both threads; they end with this value.
pub(super) struct Beside<'a> {
    pictures: Receiver<Ahead>,
    to_write: SyncSender<ToWrite<'a>>,
    written: Receiver<(Result<()>, Analysis)>,
    /// Whether the writer has an analysis, or its memory.
    is_lent: bool,
    /// What could not be written since it was asked for.
    failed: Vec<Error>,
}

impl<'a> Beside<'a> {
    /// Starts to read `inputs`, in their order.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) when the system gives no threads.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, 'a>,
        inputs: &'a [&'a Input],
        how: How,
        out: &'a Path,
    ) -> Result<Self> {
        // Without a place to wait in: whoever is ahead waits with one picture in hand.
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

    /// Hands the latest analysis on to be written, its overlay over `base`, once the one before is.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) when the thread is gone.
    pub(super) fn write(&mut self, stem: &'a str, pipeline: &mut Pipeline, base: Base) -> Result<()> {
        let memory = self.take_back()?;
        self.is_lent = true;
        let sent = self.to_write.send((stem, pipeline.exchange(memory), base));
        sent.map_err(|_| Error::internal("writing beside", "no thread"))
    }

    /// What could not be written since this was asked last.
    pub(super) fn failed(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.failed)
    }

    /// Waits until all is written, and tells what could not be.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::error::ErrorKind::Internal) when the thread is gone.
    pub(super) fn end(mut self) -> Result<Vec<Error>> {
        self.take_back()?;
        Ok(self.failed)
    }

    /// The analysis that was lent; a new one before the first.
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
        // Nobody waits any more where the command has failed.
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
