//! Pictures read and written beside the analysis, by a thread each: the next one is decoded, and the results of the one
//! before are encoded, while a picture is in the nets. There are three pictures at a time at most, one in each hand.

use std::{
    path::Path,
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread::{Builder, Scope},
};

use super::{Read, read};
use crate::{
    cli::inputs::Input,
    error::{Error, Result},
};
use bloodseg_vision::{
    error::Cause,
    pictures,
    pipeline::{Analysis, Pipeline},
};

/// Both threads; they end with this value.
pub(super) struct Beside<'a> {
    pictures: Receiver<Result<Read>>,
    to_write: SyncSender<(&'a str, Analysis)>,
    written: Receiver<Result<Analysis>>,
    /// Whether the writer has an analysis, or its memory.
    is_lent: bool,
}

impl<'a> Beside<'a> {
    /// Starts to read `inputs`, in their order.
    ///
    /// # Errors
    /// [`Error::Internal`] when the system gives no threads.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, 'a>,
        inputs: &'a [Input],
        whole_field: bool,
        out: &'a Path,
    ) -> Result<Self> {
        // Without a place to wait in: whoever is ahead waits with one picture in hand.
        let (read_to, pictures) = sync_channel(0);
        let (to_write, to_be_written) = sync_channel(0);
        let (written_to, written) = channel();
        let thread = |name: &str| Builder::new().name(name.into());
        let fault = |e| Error::internal("thread for pictures", e);
        thread("read").spawn_scoped(scope, move || read_all(inputs, whole_field, &read_to)).map_err(fault)?;
        thread("write").spawn_scoped(scope, move || write_all(out, &to_be_written, &written_to)).map_err(fault)?;
        Ok(Self { pictures, to_write, written, is_lent: false })
    }

    /// The next of the inputs.
    ///
    /// # Errors
    /// Those of the picture.
    pub(super) fn next(&self) -> Result<Read> {
        self.pictures.recv().unwrap_or_else(|e| Err(Error::internal("reading beside", Cause::of(e))))
    }

    /// Hands the latest analysis on to be written, once the one before is.
    ///
    /// # Errors
    /// Those of writing the one before.
    pub(super) fn write(&mut self, stem: &'a str, pipeline: &mut Pipeline) -> Result<()> {
        let memory = self.take_back()?;
        self.is_lent = true;
        let sent = self.to_write.send((stem, pipeline.exchange(memory)));
        sent.map_err(|_| Error::internal("writing beside", "no thread"))
    }

    /// Waits until all is written.
    ///
    /// # Errors
    /// Those of writing the last one.
    pub(super) fn end(mut self) -> Result<()> {
        self.take_back().map(|_| ())
    }

    /// The analysis that was lent; a new one before the first.
    fn take_back(&mut self) -> Result<Analysis> {
        if !std::mem::take(&mut self.is_lent) {
            return Ok(Analysis::default());
        }
        self.written.recv().unwrap_or_else(|e| Err(Error::internal("writing beside", Cause::of(e))))
    }
}

fn read_all(inputs: &[Input], whole_field: bool, to: &SyncSender<Result<Read>>) {
    for input in inputs {
        // Nobody waits any more where the command has failed.
        if to.send(read(&input.path, whole_field)).is_err() {
            break;
        }
    }
}

fn write_all(out: &Path, from: &Receiver<(&str, Analysis)>, to: &Sender<Result<Analysis>>) {
    for (stem, analysis) in from {
        let written = pictures::write(out, stem, &analysis).map(|()| analysis).map_err(Error::from);
        if to.send(written).is_err() {
            break;
        }
    }
}
